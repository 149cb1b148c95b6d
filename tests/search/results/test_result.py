"""Results show, save and play themselves."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from llasa_core.audio import read_audio
from llasa_core.errors import UserError
from search.cost.budget import Budget
from search.results.result import SearchResult
from search.strategies.registry import build
from tests.search.fake_world import METRICS, TreeWorld, searched
from verifiers.base import Score


def some_result(**more: object) -> SearchResult:
    world = TreeWorld(
        lambda lineage: 40,
        lambda verifier, beam, _: (
            Score(0.9, {"transcript": "hi"}, bool(beam.lineage), "<silent>") if verifier == "sim" else 0.25
        ),
    )
    return searched(world, build("best-of-n?n=30", METRICS), **more)  # type: ignore[arg-type]


def test_it_is_shown_in_a_line() -> None:
    result = some_result(text="A text of very many words, " * 20)
    assert repr(result) == (
        "<speech of 'A text of very many words, A text of very many words, A...': 0.80 s, the best of 30, "
        "wer 0.250, sim 0.900, constraints not met>"
    )
    assert repr(result.candidates[0]) == "<candidate 0: 0.80 s, wer 0.250, sim ?>"
    stopped = some_result(budget=Budget(candidates=2))
    assert repr(stopped).endswith("constraints not met, stopped: the budget of 2 candidates is spent>")


def test_it_knows_which_way_is_better() -> None:
    result = some_result()
    assert result.directions == {"wer": False, "sim": True, "judge:nano": True}
    assert result.as_dict()["directions"] == result.directions


def test_it_says_which_schema_it_has() -> None:
    assert some_result().as_dict()["schema"] == some_result().manifest["schema"] == 1


def test_it_is_shown_in_a_notebook() -> None:
    page = some_result(text="<b>Hi</b> & bye")._repr_html_()
    assert "&lt;b&gt;Hi&lt;/b&gt; &amp; bye" in page and "<b>" not in page
    assert len(re.findall("<tr>", page)) == 21 and "and 10 more" in page
    assert "wer \N{DOWNWARDS ARROW}" in page and "judge:nano \N{UPWARDS ARROW}" in page
    assert page.count("data:audio/wav;base64,") == 1
    assert "&lt;silent&gt;" not in page, "the candidate that cannot be judged is the last"
    few = searched(
        TreeWorld(lambda _: 40, lambda *_: Score(0.5, {}, False, "<silent>")), build("best-of-n?n=1", METRICS)
    )
    assert "&lt;silent&gt;" in few._repr_html_()


def test_it_is_saved(tmp_path: Path) -> None:
    result = some_result()
    result.save(tmp_path / "out.wav")
    assert len(read_audio(tmp_path / "out.wav")) == len(result.waveform)
    result.save(str(tmp_path / "result.json"))
    assert json.loads((tmp_path / "result.json").read_text()) == result.as_dict()


def test_it_plays_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    display = ModuleType("IPython.display")
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)

    class Audio(SimpleNamespace):
        def __init__(self, data: object, **rest: object) -> None:
            super().__init__(data=data, **rest)

    display.Audio = Audio  # type: ignore[attr-defined]
    result = some_result()
    played = result.play()
    assert played.data is result.waveform and played.rate == 16000
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(UserError, match="pip install ipython, or use save"):
        result.play()
