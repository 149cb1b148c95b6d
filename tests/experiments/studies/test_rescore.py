"""`rescore` with the shipped models: its scores are those of the verifiers, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main as cli
from experiments.studies.nano_eval import nano_eval
from experiments.studies.rescore.perturb import perturbed
from experiments.studies.rescore.records import BEGINNING, NAME, Known, read_rescored
from experiments.studies.sweep_log import read_searches
from search.engine import Searcher
from verifiers import registry
from verifiers.base import Target

pytestmark = pytest.mark.models

VERIFIERS = ("whisper:nano", "wavlm-sv:nano")
GRID = """\
limit: 3
verifiers: ["whisper:nano", "wavlm-sv:nano"]
judges: ["hubert-ctc:nano"]
n: [1, 4]
strategies:
  - {name: wer, spec: "best-of-n?select=wer,sim"}
  - {name: sim, spec: "best-of-n?select=sim"}
  - {name: beam, spec: "beam?prm=sim&select=sim&beams=2&n=2"}
"""
ARGUMENTS = ["--seconds", "0.6", "--seconds", "1.2", "--draws", "2", "--losers", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rescore")
    (path / "grid.yaml").write_text(GRID)
    out = path / "out"
    assert cli.main(["sweep", str(path / "grid.yaml"), "--out", str(out)]) == 0
    assert cli.main(["rescore", str(out), *ARGUMENTS]) == 0
    return out


@pytest.fixture(scope="module")
def found(folder: Path) -> Known:
    return read_rescored(folder)


def test_scores_are_those_of_the_verifiers_on_what_the_codec_says(folder: Path, found: Known) -> None:
    requests = {row.id: row.request() for row in nano_eval(3)}
    searches = {search.key: search for search in read_searches(folder)}
    backend = Searcher.from_preset("nano", verifiers=VERIFIERS, judges=()).backend
    by_name = {one.name: one for one in map(registry.load, VERIFIERS)}
    kinds = set()
    for piece, scores in found.items():
        request, search = requests[piece.search[1]], searches[piece.search]
        target = Target(request.spoken.spoken, request.language, request.prompt_audio, written=request.text)
        begins = piece.kind == BEGINNING
        for number, score in scores.items():
            codes = search.candidates[number].codes
            codes = codes[: round(50 * piece.at)] if begins else codes
            (audio,) = backend.decode(request, [codes])
            audio = audio if begins else perturbed(audio, int(piece.at))
            (direct,) = by_name[piece.metric].score([audio], target, begins)
            assert score.value == pytest.approx(direct.value, abs=1e-4)
            assert (score.unusable == "") == direct.usable
            kinds.add((piece.metric, piece.kind))
    assert len(kinds) == 4
    backend.close()


def test_what_is_measured(folder: Path, found: Known) -> None:
    searches = {search.key: search for search in read_searches(folder) if "n=4" in search.cell}
    assert {piece.search for piece in found} == searches.keys()  # of best-of-n, at its widest
    for piece, scores in found.items():
        search = searches[piece.search]
        if piece.kind == BEGINNING:
            longer = [n for n, one in enumerate(search.candidates) if len(one.codes) > 50 * piece.at]
            assert sorted(scores) == longer
        else:
            winners = {one.order[0] for one in search.chosen.values()}
            assert winners <= scores.keys() and len(scores) == len(winners) + 1


def test_nothing_is_measured_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / NAME).read_bytes()
    assert cli.main(["rescore", str(folder), *ARGUMENTS]) == 0
    assert "0 calls of verifiers" in capsys.readouterr().out
    assert (folder / NAME).read_bytes() == before


def test_a_killed_one_goes_on_with_the_same_scores(
    folder: Path, found: Known, capsys: pytest.CaptureFixture[str]
) -> None:
    log = folder / NAME
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-3]) + lines[-3][: len(lines[-3]) // 2])
    assert cli.main(["rescore", str(folder), *ARGUMENTS]) == 0
    assert "3 calls of verifiers" in capsys.readouterr().out
    again = read_rescored(folder)
    assert again.keys() == found.keys()
    for piece, scores in again.items():
        values = [[own[number].value for number in scores] for own in (scores, found[piece])]
        assert np.allclose(*map(np.array, values), atol=1e-6)
    log.write_bytes(whole)


def test_more_draws_are_added(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = folder / NAME
    whole = log.read_bytes()
    assert cli.main(["rescore", str(folder), "--no-beginnings", "--draws", "3", "--losers", "1"]) == 0
    assert "6 calls of verifiers" in capsys.readouterr().out  # of three searches by two verifiers
    added = log.read_bytes()
    assert added.startswith(whole)
    assert {json.loads(line)["at"] for line in added[len(whole) :].splitlines()} == {2.0}
    log.write_bytes(whole)


def test_study_shows_what_was_found(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, figures = tmp_path / "study.html", tmp_path / "figures"
    assert cli.main(["study", str(folder), "--figures", str(figures), "--report", str(page)]) == 0
    shown, text = capsys.readouterr().out, page.read_text()
    for caption in ("Partial verifiers: rank correlation", "Verifier noise: scores", "Luck: how much of the"):
        assert caption in shown and caption in text
    assert "was luck" in shown and "surely above 0.5" in shown
    assert {"luck.png", "luck.svg"} <= {path.name for path in figures.iterdir()}
    # the table alone has no log beside it, and says nothing of all that
    (tmp_path / "candidates.parquet").write_bytes((folder / "candidates.parquet").read_bytes())
    assert cli.main(["study", str(tmp_path / "candidates.parquet")]) == 0
    assert "Verifier noise" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{folder}", "--draws", "1"], "1 draw: the spread of scores needs at least 2"),
        (["{folder}", "--draws", "0", "--no-beginnings"], "leaves nothing to do here"),
        (["{folder}", "--seconds", "0"], "--seconds 0: give a number of more than 0"),
        (["{empty}"], "holds no sweep.json: give the folder of a sweep"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [one.format(folder=folder, empty=tmp_path) for one in arguments]
    assert cli.main(["rescore", *given]) == 2
    shown = capsys.readouterr().err
    assert says in shown and shown.count("\n") == 1


def test_other_models_and_recordings_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = folder / "sweep.json"
    whole = own.read_text()
    told = json.loads(whole)
    hashed = told["models"][0]["codec"]["sha256"]
    voice = told["texts"]["nano-000"]["prompt_sha256"]
    for before, after, says in (
        (hashed, "0" * 64, "restore that of the sweep"),
        (voice, "0" * 64, "is not the recording of the sweep"),
    ):
        own.write_text(whole.replace(before, after))
        assert cli.main(["rescore", str(folder), *ARGUMENTS, "--draws", "4"]) == 2
        assert says in capsys.readouterr().err
    own.write_text(whole)
