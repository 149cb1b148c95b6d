"""Training data of a sweep: its columns are TRL's, its tokens those of the search."""

import json
from pathlib import Path
from typing import Any

import pandas
import pytest

from experiments.cli import main as cli
from experiments.studies import table
from experiments.studies.nano_eval import nano_eval
from llasa_core.codec.codec import Codec
from llasa_core.loading import load_tokenizer
from llasa_core.presets import find_preset, resolve_source
from llasa_core.prompt import SpeechVocabulary, build_prompt

pytestmark = pytest.mark.models

GRID = """\
limit: 3
n: [1, 4]
verifiers: ["whisper:nano", "wavlm-sv:nano"]
judge: none
strategies:
  - {name: best, spec: "best-of-n?select=wer<=0.5,sim"}
  - {name: again, spec: "best-of-n?n=2&wide=1&select=wer,sim&verifiers=wer,sim"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("distil")
    (place / "grid.yaml").write_text(GRID)
    assert cli.main(["sweep", str(place / "grid.yaml"), "--out", str(place / "out")]) == 0
    return place / "out"


def exported(folder: Path, out: Path, *options: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    assert cli.main(["distil", str(folder), "--out", str(out), *options]) == 0
    sft, pairs = (
        [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
        for name in ("sft", "preference")
    )
    return sft, pairs


def test_the_tokens_are_those_of_the_search(folder: Path, tmp_path: Path) -> None:
    sft, pairs = exported(folder, tmp_path)
    preset = find_preset("nano")
    tokenizer = load_tokenizer(preset.generator)
    codec, vocabulary = (
        Codec.from_source(resolve_source(preset.codec)),
        SpeechVocabulary.from_tokenizer(tokenizer),
    )
    requests = {row.id: row.request() for row in nano_eval(3)}
    assert {row["utterance"] for row in sft} <= set(requests) and sft and pairs
    for row in [
        *sft,
        *({**pair, "completion": pair["rejected"], "codes": pair["rejected_codes"]} for pair in pairs),
    ]:
        request = requests[row["utterance"]]
        assert request.prompt_audio is not None
        voice = codec.encode(request.prompt_audio)
        prompt = build_prompt(tokenizer, request.spoken.spoken, request.spoken_prompt.spoken, voice)
        # as TRL tokenizes the standard format
        assert tokenizer(row["prompt"]).input_ids == prompt
        whole = tokenizer(row["prompt"] + row["completion"]).input_ids
        assert whole == [*prompt, *vocabulary.ids(row["codes"]), vocabulary.end_id]


def test_winners_and_losers(folder: Path, tmp_path: Path) -> None:
    frame = table.read(folder)
    runs = frame[frame["subsampled"] == 0]
    sft, pairs = exported(folder, tmp_path / "a", "--losers", "9")
    assert len({(row["prompt"], row["completion"]) for row in sft}) == len(sft) <= runs["search"].nunique()
    assert len({(row["prompt"], row["chosen"], row["rejected"]) for row in pairs}) == len(pairs)
    won = {tuple(codes) for codes in table.winners(runs)["codes"]}
    assert {tuple(row["codes"]) for row in sft} == won
    assert all(tuple(row["chosen_codes"]) in won for row in pairs)
    assert all(row["rejected_wer"] > row["chosen_wer"] for row in pairs)
    _, fewer = exported(folder, tmp_path / "b", "--losers", "9", "--margin", "0.2")
    assert fewer == [row for row in pairs if row["rejected_wer"] - row["chosen_wer"] >= 0.2]
    _, voices = exported(folder, tmp_path / "c", "--by", "sim")
    assert all(row["rejected_sim"] < row["chosen_sim"] for row in voices)
    best, _ = exported(folder, tmp_path / "d", "--series", "nano best")
    assert {row["series"] for row in best} == {"nano best"}


def test_parquet_has_the_same_rows(folder: Path, tmp_path: Path) -> None:
    sft, pairs = exported(folder, tmp_path)
    assert cli.main(["distil", str(folder), "--out", str(tmp_path), "--format", "parquet"]) == 0
    for name, rows in (("sft", sft), ("preference", pairs)):
        found = pandas.read_parquet(tmp_path / f"{name}.parquet")
        assert list(found.columns) == list(rows[0])
        assert found["prompt"].tolist() == [row["prompt"] for row in rows]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "smi"], "--by 'smi': no verifier of the sweep measures it: did you mean 'sim'?"),
        (["--series", "nano bets"], "--series 'nano bets': did you mean 'nano best'?"),
        (["--margin", "-1"], "give a number of at least 0"),
        (["--losers", "0"], "give a whole number of at least 1"),
    ],
)
def test_bad_input(
    options: list[str], says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["distil", str(folder), "--out", str(tmp_path / "out"), *options]) == 2
    shown = capsys.readouterr().err
    assert says in shown and shown.count("\n") == 1, shown


def test_what_is_no_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["distil", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no candidates.parquet: give the folder of a sweep" in capsys.readouterr().err
