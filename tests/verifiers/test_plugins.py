"""Verifiers of other packages: a good one in a few lines, and bad ones that get one line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from llasa_core.audio import Waveform, loudness_dbfs
from llasa_core.errors import UserError
from tests.verifiers.example_plugin import Loudness
from tests.verifiers.plugins import install
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import About, BaseVerifier, Score, Target, VerifierError, check, directions, load, registry
from verifiers.registry import BUILT_IN, kinds
from verifiers.spec import Spec

WAVE = speechlike(1.0)
TARGET = Target(text="a word", reference=WAVE)


def test_the_example_is_a_verifier_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, loudness="tests.verifiers.example_plugin:Loudness")
    judge = load("loudness?level=-20")
    assert (judge.name, judge.spec, judge.higher_is_better) == ("loudness", "loudness?level=-20", False)
    assert (judge.needs, judge.min_seconds) == ((), 0.1)
    good, silent = judge.score([WAVE, np.zeros(16_000, np.float32)], TARGET)
    assert good == Score(abs(loudness_dbfs(WAVE) + 20), {"dbfs": loudness_dbfs(WAVE)})
    assert (silent.value, silent.usable, silent.reason) == (100.0, False, "the audio is silent")
    assert directions("loudness", "loudness?name=level") == {"loudness": False, "level": False}
    with pytest.raises(VerifierError, match="loudness has no option 'levle': did you mean 'level'"):
        check("loudness?levle=1")
    with pytest.raises(VerifierError, match="level=loud of loudness: could not convert"):
        check("loudness?level=loud")
    with pytest.raises(VerifierError, match=r"loudness has no source 'folder': write loudness"):
        check("loudness:folder")


def test_a_plugin_does_not_replace_a_built_in_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, whisper="tests.verifiers.example_plugin:Loudness")
    assert kinds()["whisper"] == BUILT_IN["whisper"]


class Needs(Loudness):
    """Says what is missing without a line of its own."""

    about = About(measures="nothing", needs=("emotion_reference",))


def test_a_target_that_lacks_what_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, needs=f"{__name__}:Needs")
    assert registry.needs("needs") == load("needs").needs == ("emotion_reference",)
    with pytest.raises(VerifierError, match="needs needs the target's emotion reference"):
        load("needs").score([], TARGET)


class Bare:
    """Keeps the protocol by itself."""

    about = About(measures="nothing", needs=("text",))
    name, spec, higher_is_better, min_seconds = "bare", "bare", True, 0
    result: ClassVar[Any] = None

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        pass

    @classmethod
    def metric(cls, spec: Spec) -> Any:
        return "bare", True

    @classmethod
    def from_spec(cls, spec: Spec, device: str) -> Any:
        return cls()

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> Any:
        return [Score(1.0) for _ in candidates] if self.result is None else self.result


def test_the_protocol_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, bare=f"{__name__}:Bare")
    assert registry.needs("bare") == load("bare").needs == ("text",)
    assert load("bare").score([WAVE], TARGET) == [Score(1.0)]


def raising(*_: Any, **__: Any) -> Any:
    raise KeyError("out of\norder")


def leaving(*_: Any, **__: Any) -> Any:
    raise SystemExit(3)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no about": ({"about": None}, "has no `about`"),
    "no check_spec": ({"check_spec": None}, "lacks check_spec: subclass verifiers.BaseVerifier"),
    "no metric": ({"metric": 5}, "lacks metric"),
    "no from_spec": ({"from_spec": None}, "lacks from_spec"),
    "no score": ({"score": None}, "lacks score"),
    "check_spec raises": ({"check_spec": raising}, "failed in check_spec: KeyError: 'out of"),
    "metric raises": ({"metric": raising}, "failed in metric: KeyError"),
    "needs_of raises": ({"needs_of": raising}, "failed in needs_of: KeyError"),
    "from_spec raises": ({"from_spec": raising}, "failed in from_spec: KeyError"),
    "from_spec leaves": ({"from_spec": leaving}, "failed in from_spec: SystemExit"),
    "score raises": ({"score": raising}, "failed in score: KeyError"),
    "metric is a name": ({"metric": lambda *_: "bare"}, "metric gave 'bare', not"),
    "metric is turned": ({"metric": lambda *_: (True, "bare")}, "metric gave"),
    "needs a word": ({"needs_of": lambda *_: "text"}, "needs 'text', not a tuple"),
    "needs no field": (
        {"needs_of": lambda *_: ("txt",)},
        r"needs \('txt',\), not a tuple of fields of Target",
    ),
    "no name": ({"name": None}, "name is None, of the type NoneType"),
    "bad length": ({"min_seconds": "1"}, "min_seconds is '1', of the type str"),
    "bad direction": ({"higher_is_better": 1}, "higher_is_better is 1, of the type int"),
    "no verifier": ({"from_spec": lambda *_: None}, "failed in name: AttributeError"),
    "too few": ({"result": []}, r"score gave \[\] for 2 candidates"),
    "too many": ({"result": [Score(1.0)] * 3}, "for 2 candidates"),
    "one": ({"result": Score(1.0)}, "for 2 candidates"),
    "nothing": ({"score": lambda *_: None}, "score gave None for 2 candidates"),
    "a generator": ({"score": lambda *_: (Score(1.0) for _ in range(2))}, "score gave <generator"),
    "numbers": ({"result": [1.0, 1.0]}, "score gave 1.0, of the type float, not a Score"),
    "odd": ({"result": [Unprintable()] * 2}, "score gave something whose repr fails"),
    "a word": ({"result": [Score("high")] * 2}, "the value 'high', of the type str"),  # type: ignore[arg-type]
    "an array": ({"result": [Score(np.ones(2))] * 2}, "the value array"),  # type: ignore[arg-type]
    "float32": ({"result": [Score(np.float32(1))] * 2}, "of the type float32"),  # type: ignore[arg-type]
    "nan": ({"result": [Score(float("nan"))] * 2}, "the value nan"),
    "inf": ({"result": [Score(-float("inf"))] * 2}, "the value -inf"),
    "evidence": ({"result": [Score(1.0, {"a": np.ones(2)})] * 2}, "evidence that is no plain JSON"),
    "evidence nan": ({"result": [Score(1.0, {"a": float("nan")})] * 2}, "evidence that is no plain JSON"),
    "evidence none": ({"result": [replace(Score(1.0), evidence=None)] * 2}, "evidence that is no plain JSON"),
    "usable": ({"result": [Score(1.0, {}, "yes")] * 2}, "`usable` 'yes', not a bool"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plugin_gets_one_line_that_names_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes, says = BAD[case]
    install(monkeypatch, bad=f"{__name__}:Bad")
    monkeypatch.setattr(f"{__name__}.Bad", type("Bad", (Bare,), attributes), raising=False)
    with pytest.raises(VerifierError, match=says) as caught:
        directions("bad")
        registry.needs("bad")
        load("bad").score([WAVE, WAVE], TARGET)
    assert "plugin 'bad'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_plugin_says_to_the_user_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise UserError("the moon is down: come back tomorrow")

    install(monkeypatch, bad=f"{__name__}:Bad")
    monkeypatch.setattr(f"{__name__}.Bad", type("Bad", (Bare,), {"check_spec": refuse}), raising=False)
    with pytest.raises(UserError, match=r"^the moon is down: come back tomorrow$"):
        check("bad")


class Idle(BaseVerifier):
    about = About(measures="nothing")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no_such_module:Thing", "cannot import the verifier 'bad' from no_such_module:Thing"),
        (f"{__name__}:Missing", "cannot import the verifier 'bad' .*Missing"),
        (f"{__name__}:", "cannot import the verifier 'bad'"),
        (f"{__name__}:WAVE", "the verifier plugin 'bad' .* has no `about`"),
        (f"{__name__}:Idle", "failed in score: NotImplementedError: Idle writes neither"),
    ],
)
def test_a_bad_entry_point_gets_one_line(target: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, bad=target)
    with pytest.raises(VerifierError, match=says) as caught:
        load("bad").score([WAVE], TARGET)
    assert "\n" not in str(caught.value)
