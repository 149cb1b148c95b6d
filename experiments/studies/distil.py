"""What a search found as training data: (prompt, winner) for SFT, (prompt, winner, loser) for preferences.

The columns are those of TRL's standard format (https://huggingface.co/docs/trl/dataset_formats): `prompt` and
`completion`, or `prompt`, `chosen` and `rejected`, all text. The prompt is what the model continues: the chat
template with the text, and the speech tokens of the voice prompt. A completion is speech tokens and the end
token. TRL puts the tokenizer's beginning token in front of a prompt, so it is left out of ours where the
tokenizer does so; then the tokens are exactly those of the search. Further columns say what a row is of.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict

from experiments.documents import Schema, checked, read_json
from experiments.files import check_folder, check_version, file_hash, write_whole
from experiments.runs.records import Asked
from experiments.studies import table
from experiments.studies.sweep_table import SURROUNDINGS
from experiments.terminal import say
from llasa_core.audio import read_audio
from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError, nearest
from llasa_core.loading import load_tokenizer
from llasa_core.paths import shown
from llasa_core.presets import find_preset, resolve_source
from llasa_core.prompt import DATE, SPEECH_END, conversation
from llasa_core.request import Request
from llasa_core.voices import find_voice

if TYPE_CHECKING:
    import pandas

SFT, PREFERENCE = "sft", "preference"


@dataclass(frozen=True)
class DistilOptions:
    """by: the metric that losers are worse by; None: the first of the table, "wer" if it is there. margin: by
    how much at least. losers: pairs of each search, the worst first. met: only winners that meet the bounds
    of their selection. series: only searches of this series; None: of all."""

    output: Path
    by: str | None = None
    margin: float = 0.0
    losers: int = 1
    met: bool = False
    series: str | None = None
    format: Literal["jsonl", "parquet"] = "jsonl"


class Recordings(Schema):
    """As `Row.inputs`."""

    voice: str | None
    prompt_audio: str | None
    emotion_audio: str | None


class Texts(Schema):
    """sweep.json, as far as prompts need it."""

    model_config = ConfigDict(extra="ignore")
    texts: dict[str, Asked]
    input: dict[str, Recordings]


def distil(folder: Path, options: DistilOptions) -> int:
    """Writes the two files, and says how many rows each has. Raises UserError for whatever cannot work."""
    check_folder(options.output, "--out")
    frame = table.read(folder)
    directions: dict[str, bool] = frame.attrs["directions"]
    frame = frame[frame["subsampled"] == 0]
    if options.series is not None:
        known = sorted(set(frame["series"]))
        if options.series not in known:
            raise UserError(f"--series {options.series!r}{nearest(options.series, known)}")
        frame = frame[frame["series"] == options.series]
    by = metric_of(frame, options.by)
    higher = directions[by]
    prompts = Prompts(folder)
    sft: dict[tuple[str, str], dict[str, Any]] = {}
    pairs: dict[tuple[str, str, str], dict[str, Any]] = {}
    for _, rows in frame.groupby("search", sort=True):
        winner = rows[rows["winner"]].iloc[0]
        if not good(winner, by) or (options.met and not winner["satisfied"]):
            continue
        prompt, chosen = prompts(winner["preset"], winner["utterance"]), spoken(winner["codes"])
        about = {key: str(winner[key]) for key in ("utterance", "text", "voice", "preset", "series")}
        value = float(winner[f"score:{by}"])
        sft.setdefault(
            (prompt, chosen),
            {"prompt": prompt, "completion": chosen, **about, by: value, "codes": plain_codes(winner)},
        )
        for loser in losers(rows, winner, by, higher=higher, options=options):
            rejected = spoken(loser["codes"])
            pairs.setdefault(
                (prompt, chosen, rejected),
                {
                    "prompt": prompt,
                    "chosen": chosen,
                    "rejected": rejected,
                    **about,
                    f"chosen_{by}": value,
                    f"rejected_{by}": float(loser[f"score:{by}"]),
                    "chosen_codes": plain_codes(winner),
                    "rejected_codes": plain_codes(loser),
                },
            )
    if not sft:
        raise UserError(f"{shown(folder)} has no winner to learn from: leave out --met, or search wider")
    options.output.mkdir(parents=True, exist_ok=True)
    for name, found in ((SFT, sft.values()), (PREFERENCE, pairs.values())):
        path = options.output / f"{name}.{options.format}"
        write_whole(path, content_of(list(found), options.format))
        say(f"{len(found)} rows: {path}")
    return 0


def metric_of(frame: pandas.DataFrame, wanted: str | None) -> str:
    """The metric that losers are worse by. Raises UserError for one that the table does not have."""
    metrics = table.parts(frame, "score")
    if wanted is None:
        return "wer" if "wer" in metrics else metrics[0]
    if wanted not in metrics:
        raise UserError(f"--by {wanted!r}: no verifier of the sweep measures it{nearest(wanted, metrics)}")
    return wanted


def good(row: Any, by: str) -> bool:
    """Whether speech is whole, and was judged."""
    return not row["cut_off"] and row[f"unusable:{by}"] == "" and len(row["codes"]) > 0


def losers(
    rows: pandas.DataFrame, winner: Any, by: str, *, higher: bool, options: DistilOptions
) -> Iterator[Any]:
    """Candidates that are worse than the winner by the margin, the worst first; each sequence once."""
    worse = (winner[f"score:{by}"] - rows[f"score:{by}"]) * (1 if higher else -1)
    found = rows.assign(worse=worse)
    found = found[(found["worse"] > 0) & (found["worse"] >= options.margin) & (found[f"unusable:{by}"] == "")]
    found = found.sort_values(["worse", "candidate"], ascending=[False, True])
    seen: set[tuple[int, ...]] = set()
    for _, row in found.iterrows():
        codes = tuple(row["codes"])
        if codes and codes not in seen and len(seen) < options.losers:
            seen.add(codes)
            yield row


def plain_codes(row: Any) -> list[int]:
    return [int(code) for code in row["codes"]]


def spoken(codes: Sequence[int]) -> str:
    """A completion: speech tokens, and the end."""
    return "".join(f"<|s_{code}|>" for code in codes) + SPEECH_END


class Prompts:
    """The prompts of a sweep's texts, as the generator of a preset gets them."""

    def __init__(self, folder: Path) -> None:
        path = folder / SURROUNDINGS
        if not path.exists():
            raise UserError(f"{shown(folder)} holds no {SURROUNDINGS}: give the folder of a sweep")
        found = check_version(read_json(path, "the sweep"), shown(path))
        self.known = checked(Texts, found, f"the sweep {shown(path)}")
        self._codes: dict[tuple[str, str], list[int]] = {}
        self._of: dict[tuple[str, str], str] = {}

    def __call__(self, preset: str, utterance: str) -> str:
        """Raises UserError for a recording that is gone, or is another one now."""
        if (preset, utterance) not in self._of:
            self._of[preset, utterance] = self._prompt(preset, utterance)
        return self._of[preset, utterance]

    def _prompt(self, preset: str, utterance: str) -> str:
        asked, path = self.known.texts[utterance], self._recording(utterance)
        audio = None if path is None else read_audio(path)
        request = Request(
            asked.text,
            asked.language,
            prompt_audio=audio,
            prompt_text=asked.prompt_text,
            as_written=asked.as_written,
        )
        codes: list[int] = []
        if request.prompt_audio is not None:
            key = preset, str(asked.prompt_sha256)
            if key not in self._codes:
                self._codes[key] = codec_of(preset).encode(request.prompt_audio)
            codes = self._codes[key]
        tokenizer = tokenizer_of(preset)
        text: str = tokenizer.apply_chat_template(
            conversation(request.spoken.spoken, request.spoken_prompt.spoken, codes),
            tokenize=False,
            continue_final_message=True,
            date_string=DATE,
        )
        beginning = tokenizer.bos_token
        adds_it = beginning is not None and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
        return text.removeprefix(beginning) if adds_it else text

    def _recording(self, utterance: str) -> Path | None:
        """Of the voice prompt, as it was when the sweep was run."""
        asked, where = self.known.texts[utterance], self.known.input[utterance]
        if asked.prompt_sha256 is None:
            return None
        path = find_voice(where.voice).path if where.voice else Path(where.prompt_audio or "")
        if file_hash(path) != asked.prompt_sha256:
            raise UserError(f"{shown(path)} is not the recording that the sweep spoke from: put it back")
        return path


@cache
def tokenizer_of(preset: str) -> Any:
    return load_tokenizer(find_preset(preset).generator)


@cache
def codec_of(preset: str) -> Codec:
    return Codec.from_source(resolve_source(find_preset(preset).codec))


def content_of(rows: Sequence[Mapping[str, Any]], format: str) -> bytes:
    """The file: a line of JSON for each row, or Parquet."""
    if format == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
        return "".join(lines).encode()
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), file)
    return file.getvalue()
