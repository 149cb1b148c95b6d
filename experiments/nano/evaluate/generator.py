"""Figures of the nano generator: what one sample says, and what best-of-N makes of it.

The search runs as users run it (`search.Searcher`), once with N = 16 for each sentence; since the first n
candidates of a larger N are those of a smaller one, the smaller N are read off the same records. What
searched and what judges is kept apart: the judges hear the finished candidates in a second pass.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jiwer
from rich.progress import track

from experiments.files import Log, read_log
from experiments.nano.data import texts
from experiments.nano.data.corpus import Corpus
from experiments.nano.evaluate.sphinx import Sphinx
from llasa_core.audio import SAMPLE_RATE
from verifiers.stats import bootstrap_mean, paired_difference

N = 16
NS = (1, 2, 4, 8, 16)
LISTS = ("held-out", "hard")
Record = dict[str, Any]
Job = tuple[str, str, int]
_state: dict[str, Any] = {}


def jobs(corpus: Corpus, sentences: int) -> Iterator[Job]:
    """(list, text, index of the voice prompt): prompts are dev recordings of the voice and style of the
    sentence.
    """
    dev = corpus.split("dev")
    by_group: dict[tuple[str, str], list[int]] = {}
    for i in dev:
        u = corpus.utterances[i]
        if 1.5 <= u.length / SAMPLE_RATE <= 4.0:
            by_group.setdefault((u.voice, u.style), []).append(i)
    neutral = sorted(group for group in by_group if group[1] == "neutral")
    for k, index in enumerate(corpus.split("test")[:sentences]):
        u = corpus.utterances[index]
        prompts = by_group.get((u.voice, u.style)) or by_group[u.voice, "neutral"]
        yield "held-out", u.text, prompts[k % len(prompts)]
    for k, text in enumerate(texts.HARD):
        prompts = by_group[neutral[k % len(neutral)]]
        yield "hard", text, prompts[k % len(prompts)]


def _open(work: Path, generator: str, codec: str, seed: int) -> None:
    import torch

    from llasa_core.codec.codec import Codec
    from llasa_core.presets import find_preset
    from search.engine import Searcher
    from verifiers import load

    torch.set_num_threads(1)
    corpus = Corpus(work / "corpus")
    _state.update(corpus=corpus, seed=seed)
    if generator:
        _state["searcher"] = Searcher.from_preset("nano", generator=generator, codec=codec)
    else:
        training = [u.text for u in corpus.utterances if u.split == "train"]
        _state.update(
            sphinx=Sphinx.of_vocabulary(training),
            judges={spec.split(":")[0]: load(spec) for spec in find_preset("nano").judges},
            codec=Codec.from_source(codec),
        )


def _search(job: Job) -> Record:
    """Sixteen candidates of one sentence, with the scores of the verifiers that search."""
    from llasa_core.request import Request
    from search.strategies.best_of_n import BestOfN
    from verifiers.selection.parse import parse_selection

    group, text, prompt = job
    corpus, searcher = _state["corpus"], _state["searcher"]
    voice = corpus.utterances[prompt]
    request = Request(
        text, prompt_audio=corpus.samples(prompt), prompt_text=voice.text, seed=_state["seed"], id=text
    )
    selection = parse_selection("wer,sim", {"wer": False, "sim": True})
    result = searcher.run(request, BestOfN(n=N, verifiers=("wer", "sim"), selection=selection))
    candidates = [
        {
            "seconds": c.seconds,
            "cut_off": c.cut_off,
            "tokens": list(c.tokens),
            "sim": c.scores["sim"].value,
            "whisper": c.scores["wer"].value,
            "whisper_logp": c.scores["wer"].evidence.get("logp", -100.0),
            "whisper_heard": c.scores["wer"].evidence.get("heard", ""),
        }
        for c in result.candidates
    ]
    return {
        "list": group,
        "text": text,
        "prompt": prompt,
        "voice": voice.voice,
        "style": voice.style,
        "candidates": candidates,
    }


def _judge(record: Record) -> Record:
    """The same record, heard by the judges that did not search."""
    from search.backends.local import CONTEXT_CODES
    from verifiers.base import Target

    codec = _state["codec"]
    context = codec.encode(_state["corpus"].samples(record["prompt"]))[-CONTEXT_CODES:]
    waves = codec.decode([c["tokens"] for c in record["candidates"]], context=context)
    for name, verifier in _state["judges"].items():
        scores = verifier.score(waves, Target(record["text"]))
        for c, score in zip(record["candidates"], scores, strict=True):
            c[name], c[f"{name}_logp"] = score.value, score.evidence.get("logp", -100.0)
            c[f"{name}_heard"] = score.evidence.get("heard", "")
    for c, wave in zip(record["candidates"], waves, strict=True):
        c["sphinx_heard"] = _state["sphinx"].transcribe(wave)
        c["sphinx"] = jiwer.wer(record["text"], c["sphinx_heard"])
    return record


def search(
    work: Path, generator: str, codec: str, path: Path, sentences: int, seed: int, workers: int
) -> list[Record]:
    """Search every sentence; finished ones are appended to ``path`` and not done again."""
    work_items = list(jobs(Corpus(work / "corpus"), sentences))
    return _append(_search, work_items, path, workers, (work, generator, codec, seed), lambda job: job[:2])


def judge(work: Path, codec: str, records: list[Record], path: Path, seed: int, workers: int) -> list[Record]:
    """Let the judges hear every candidate; finished records are appended to ``path`` and not done again."""
    return _append(_judge, records, path, workers, (work, "", codec, seed), _key)


def _key(record: Record) -> tuple[str, str]:
    return record["list"], record["text"]


def _append(
    function: Callable[[Any], Record],
    items: Sequence[Any],
    path: Path,
    workers: int,
    state: tuple[Path, str, str, int],
    key: Callable[[Any], tuple[str, str]],
) -> list[Record]:
    records = [record for _, record in read_log(path, "records")] if path.exists() else []
    done = {_key(record) for record in records}
    left = [item for item in items if key(item) not in done]
    if left:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, _open, state) as pool, Log(path) as log:
            for record in track(pool.map(function, left), path.stem, total=len(left)):
                log.append(record)
                records.append(record)
    return records


CHOOSERS: dict[str, Callable[[Record], tuple[float, ...]]] = {
    "whisper": lambda c: (c["whisper"], -c["whisper_logp"]),
    "hubert-ctc": lambda c: (c["hubert-ctc"], -c["hubert-ctc_logp"]),
    "sim": lambda c: (-c["sim"],),
    "sphinx": lambda c: (c["sphinx"],),
}
"""By what a candidate is chosen; "sphinx" picks with the held-out pocketsphinx itself: a bound, not a
result.
"""
TITLES = {
    "whisper": "WER by whisper",
    "hubert-ctc": "WER by hubert-ctc",
    "sphinx": "WER by pocketsphinx",
    "sim": "SIM to the prompt",
}


def measured(records: list[Record]) -> list[str]:
    """The names in ``TITLES`` that the records hold: the preset's judges decide."""
    return [name for name in TITLES if name in records[0]["candidates"][0]]


def figures(records: list[Record]) -> dict[str, Any]:
    """For each list, chooser, N and metric: mean, 95 % interval; and the paired change from one sample."""
    out: dict[str, Any] = {}
    names = measured(records)
    for group in LISTS:
        rows = [r["candidates"] for r in records if r["list"] == group]
        if not rows:
            continue
        table: dict[str, Any] = {"sentences": len(rows), "metrics": names}
        for chooser in names:
            key = CHOOSERS[chooser]
            for n in NS:
                chosen = [
                    min(enumerate(row[:n]), key=lambda item: (*key(item[1]), item[0]))[1] for row in rows
                ]
                for metric in names:
                    values = [c[metric] for c in chosen]
                    change = paired_difference(values, [row[0][metric] for row in rows])
                    table[f"{chooser}/{n}/{metric}"] = {
                        "interval": str(bootstrap_mean(values)),
                        "change": f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]",
                    }
        out[group] = table
    return out


def markdown(found: dict[str, Any]) -> str:
    """The figures as tables, for a model card."""
    lines: list[str] = []
    for group, table in found.items():
        names = table["metrics"]
        for chooser in names:
            lines += [
                f"\n**{group}**, {table['sentences']} sentences, chosen by {chooser}: mean [95 % interval]\n",
                "| N | " + " | ".join(TITLES[name] for name in names) + " |",
                "|---" * (len(names) + 1) + "|",
            ]
            for n in NS:
                cells = (table[f"{chooser}/{n}/{metric}"]["interval"].split(" (")[0] for metric in names)
                lines.append(f"| {n} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
