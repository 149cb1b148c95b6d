"""The figures of the nano verifiers' model cards, each with its sample size and a 95 % bootstrap interval.

Models are loaded and asked through the package's own adapters, as a search does it.

    python -m experiments.nano.evaluate.verifiers --work nano_work --out nano_work/verifiers.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.nano.data import texts, voices
from experiments.nano.data.corpus import Corpus
from experiments.nano.train.listening import NONSPEECH
from experiments.programs import guarded
from llasa_core.audio import Waveform
from verifiers.base import Target
from verifiers.registry import load
from verifiers.shared.wer import seed_tts_eval
from verifiers.stats import bootstrap_mean

RECOGNISERS = ("whisper", "hubert-ctc")
PACKAGED = Path(__file__).parents[3] / "verifiers" / "nano"
RESAMPLES = 300
PHRASES = 200
SENTENCES_A_VOICE = 25
SOUNDS_A_KIND = 25

Spoken = list[tuple[str, Waveform]]
"""Texts with their recordings."""


def speak(text: str, voice: voices.Voice, style: str, seed: int) -> Waveform:
    """A new recording, as float32."""
    samples = voices.speak(text, voice, style, seed=seed)
    return samples.astype(np.float32) / np.float32(32768)


def equal_error_rate(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """The error at the threshold where as many true pairs are refused as false ones are accepted."""
    scores = np.concatenate([same, different])
    true = np.concatenate([np.ones(len(same)), np.zeros(len(different))])[np.argsort(scores, kind="stable")]
    refused = np.cumsum(true) / len(same)
    accepted = 1 - np.cumsum(1 - true) / len(different)
    crossing = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[crossing] + accepted[crossing]) / 2)


def speaker_figure(
    first: NDArray[np.float64], second: NDArray[np.float64], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """EER over all pairs of two different recordings; the interval resamples recordings, not pairs.

    first, second: embeddings [recordings, size] of the same recordings, as enrolled and as tested.
    """
    cosines = first @ second.T
    labels = np.array(names)
    alike = labels[:, None] == labels[None]

    def eer(rows: NDArray[np.int64]) -> float:
        use = rows[:, None] != rows[None]
        values, equal = cosines[np.ix_(rows, rows)][use], alike[np.ix_(rows, rows)][use]
        return equal_error_rate(values[equal], values[~equal])

    everyone = np.arange(len(names))
    generator = np.random.default_rng(seed)
    drawn = [eer(generator.integers(len(names), size=len(names))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    off_diagonal = everyone[:, None] != everyone[None]
    return {
        "eer": round(eer(everyone), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "recordings": len(names),
        "voices": len(set(names)),
        "same": round(float(cosines[alike & off_diagonal].mean()), 3),
        "different": round(float(cosines[~alike].mean()), 3),
    }


def unseen_voices(seed: int, styles: bool) -> list[tuple[str, Waveform]]:
    """(voice, recording) of short sentences by voices that no model was trained on."""
    writer, found = texts.Writer(seed + 900), []
    for voice in voices.UNSEEN_VOICES:
        for k in range(SENTENCES_A_VOICE):
            style = (
                list(voices.STYLES)[k % len(voices.STYLES)]
                if styles and voice.engine == "espeak"
                else "neutral"
            )
            found.append((voice.name, speak(writer.sentence(), voice, style, seed=k)))
    return found


def evaluate_speaker(
    spec: str, corpus: Corpus, resynthesis: Corpus | None, extra: Corpus, seed: int
) -> dict[str, Any]:
    """EER on held-out recordings of voices that were trained on, and on voices that were not."""
    verifier: Any = load(spec)
    held_out = [i for i in corpus.split("test") if corpus.utterances[i].length > 16_000]
    names = [corpus.utterances[i].voice for i in held_out]
    originals = verifier.embed([corpus.samples(i) for i in held_out])
    figures = {"held-out recordings of the corpus' voices": speaker_figure(originals, originals, names, seed)}
    if resynthesis is not None:
        found = {resynthesis.utterances[i].text: i for i in resynthesis.split("test")}
        again = verifier.embed([resynthesis.samples(found[corpus.utterances[i].text]) for i in held_out])
        figures["the same, tested as the codec says them"] = speaker_figure(originals, again, names, seed)
    others = [i for i in extra.split("test") if extra.utterances[i].length > 16_000]
    embedded = verifier.embed([extra.samples(i) for i in others])
    label = "held-out recordings of the extra voices, all styles"
    figures[label] = speaker_figure(embedded, embedded, [extra.utterances[i].voice for i in others], seed)
    for label, styles in (("unseen voices, neutral", False), ("unseen voices, all styles", True)):
        recordings = unseen_voices(seed, styles)
        embedded = verifier.embed([wave for _, wave in recordings])
        figures[label] = speaker_figure(embedded, embedded, [name for name, _ in recordings], seed)
    return figures


def phrases(corpus: Corpus, seed: int) -> Spoken:
    """1 to 3 words by the corpus' voices; those of two words and more are not among the training texts."""
    writer, known = texts.Writer(seed + 901), {u.text for u in corpus.utterances}
    found: Spoken = []
    while len(found) < PHRASES:
        text = writer.salad(1, 3)
        if text not in known or " " not in text:
            voice = voices.TRAINING_VOICES[len(found) % len(voices.TRAINING_VOICES)]
            found.append((text, speak(text, voice, "neutral", seed=len(found))))
    return found


def hard_list() -> Spoken:
    """The harder list: tongue twisters, words that training never has, long sentences; each voice says a
    share.
    """
    speakers = voices.TRAINING_VOICES
    return [(t, speak(t, speakers[k % len(speakers)], "neutral", seed=k)) for k, t in enumerate(texts.HARD)]


def word_errors(verifier: Any, spoken: Iterable[tuple[str, Waveform]], seed: int) -> dict[str, Any]:
    """Mean WER over utterances (seed-tts-eval)."""
    rates = [verifier.score([wave], Target(text=text))[0].value for text, wave in spoken]
    interval = bootstrap_mean(rates, seed=seed)
    return {
        "wer": round(interval.mean, 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "utterances": interval.n,
        "without an error": round(float(np.mean(np.array(rates) == 0)), 3),
    }


def sounds(corpus: Corpus, seed: int) -> dict[str, list[Waveform]]:
    """Sounds without words, each made from a test recording and as long, at the loudness of speech or
    below.
    """
    generator, test = np.random.default_rng(seed + 902), corpus.split("test")
    picked = {kind: generator.choice(test, SOUNDS_A_KIND, replace=False) for kind in NONSPEECH}
    return {kind: [NONSPEECH[kind](corpus.samples(i), generator) for i in picked[kind]] for kind in NONSPEECH}


def words_in(verifier: Any, waves: Sequence[Waveform]) -> dict[str, Any]:
    """How many words the recogniser writes where there are none."""
    heard = []
    for wave in waves:
        score = verifier.score([wave], Target(text="nothing"))[0]
        heard.append(seed_tts_eval(str(score.evidence.get("transcript", ""))).strip())
    counts = [len(text.split()) for text in heard]
    return {
        "sounds": len(waves),
        "with words": sum(count > 0 for count in counts),
        "mean words": round(float(np.mean(counts)), 2),
        "most words": max(counts),
        "longest": max(heard, key=lambda text: len(text.split())),
    }


def evaluate_recogniser(
    verifier: Any, speech: dict[str, Spoken], noises: dict[str, list[Waveform]], seed: int
) -> dict[str, Any]:
    """WER on each set of recordings and words heard in each kind of sound."""
    errors = {name: word_errors(verifier, track(spoken, name), seed) for name, spoken in speech.items()}
    return {
        **errors,
        "sounds without words": {kind: words_in(verifier, waves) for kind, waves in noises.items()},
    }


def evaluate(
    corpus: Corpus, resynthesis: Corpus | None, extra: Corpus, models: Path, seed: int = 0
) -> dict[str, Any]:
    """All figures. models: the folder that holds ``whisper``, ``hubert-ctc`` and ``wavlm-sv``."""
    speech: dict[str, Spoken] = {
        "held-out sentences": [(corpus.utterances[i].text, corpus.samples(i)) for i in corpus.split("test")]
    }
    if resynthesis is not None:
        again = [(resynthesis.utterances[i].text, resynthesis.samples(i)) for i in resynthesis.split("test")]
        speech["held-out sentences as the codec says them"] = again
    speech["phrases of 1 to 3 words"] = phrases(corpus, seed)
    speech["the harder list"] = hard_list()
    noises = sounds(corpus, seed)
    figures: dict[str, Any] = {"seed": seed}
    for kind in RECOGNISERS:
        if (models / kind / "model.safetensors").exists():
            figures[kind] = evaluate_recogniser(load(f"{kind}:{models / kind}"), speech, noises, seed)
    if (models / "wavlm-sv" / "model.safetensors").exists():
        figures["wavlm-sv"] = evaluate_speaker(
            f"wavlm-sv:{models / 'wavlm-sv'}", corpus, resynthesis, extra, seed
        )
    return figures


@click.command(help=__doc__)
@click.option(
    "--work", type=click.Path(path_type=Path), default=Path("nano_work"), help="The recipe's work folder."
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=PACKAGED,
    help="Folder of the three models (shipped).",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option("--seed", type=int, default=0, help="Of what is drawn (0).")
def figures(work: Path, models: Path, out: Path, seed: int) -> None:
    folder = work / "resynthesis"
    resynthesis = Corpus(folder) if (folder / "utterances.jsonl").exists() else None
    found = evaluate(Corpus(work / "corpus"), resynthesis, Corpus(work / "extra"), models, seed)
    text = json.dumps(found, indent=1)
    print(text)
    out.write_text(text + "\n", encoding="utf-8")


main = guarded(figures)

if __name__ == "__main__":
    sys.exit(main())
