"""Verifiers of speech tokens, and of the length of speech: values by hand, what they refuse."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import verifiers
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import Target, VerifierError, registry
from verifiers.base import TOKENS, Codes
from verifiers.models.likelihood import GeneratorLikelihood, window_means
from verifiers.models.loops import longest_loop
from verifiers.shared.tokens import BaseTokenVerifier

TEXT = Target(text="the train is late")


class Opinion:
    """Finds code c so likely: -c with the text, -2c without; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool, bool]] = []

    def __call__(
        self, candidates: Sequence[Codes], *, with_text: bool = True, partial: bool = False
    ) -> list[NDArray[np.float32]]:
        self.asked.append((with_text, partial))
        factor = 1.0 if with_text else 2.0
        return [-factor * np.array(codes, np.float32) for codes in candidates]


def scored(spec: str, *candidates: Codes, partial: bool = False) -> list[verifiers.Score]:
    verifier = verifiers.load(spec)
    assert isinstance(verifier, BaseTokenVerifier)
    return verifier.score_tokens(candidates, TEXT, Opinion(), partial)


def test_the_mean_log_likelihood_of_the_tokens() -> None:
    first, second = scored("likelihood", [1] * 10, [1, 3] * 5)
    assert (first.value, second.value) == (-1.0, -2.0)
    assert second.evidence == {"logp": -2.0}


def test_the_margin_is_what_the_text_is_worth() -> None:
    (score,) = scored("likelihood?measure=margin", [2] * 50 + [1] * 50)
    assert score.value == pytest.approx(1.5)
    assert score.evidence["logp"] == pytest.approx(-1.5)
    assert score.evidence["lowest_margin"] == pytest.approx(1.0)
    assert score.evidence["lowest_at_seconds"] == 1.0


def test_the_lowest_margin_finds_lost_text_and_says_where() -> None:
    codes = [4] * 100
    codes[60:85] = [0] * 25
    (score,) = scored("likelihood?measure=lowest", codes)
    assert (score.value, score.evidence["lowest_at_seconds"]) == (0.0, 1.2)
    (wide,) = scored("likelihood?measure=lowest&window=1", codes)
    assert wide.value == pytest.approx(2.0)
    (short,) = scored("likelihood?measure=lowest", [3] * 10)  # shorter than the window
    assert short.value == 3.0


def test_only_a_margin_costs_a_second_pass_and_beams_are_told_to_be_partial() -> None:
    mean, margin = GeneratorLikelihood(), GeneratorLikelihood(measure="margin")
    for verifier, asked in ((mean, [(True, True)]), (margin, [(True, True), (False, True)])):
        opinion = Opinion()
        verifier.score_tokens([[1] * 10], TEXT, opinion, partial=True)
        assert opinion.asked == asked


def test_each_measure_has_a_name_of_its_own() -> None:
    specs = ("likelihood", "likelihood?measure=margin", "likelihood?measure=lowest", "loops", "length")
    assert verifiers.directions(*specs) == {
        "logp": True,
        "margin": True,
        "lowest-margin": True,
        "loops": False,
        "length": False,
    }
    assert verifiers.directions("likelihood?measure=margin&name=gain") == {"gain": True}
    assert registry.needs("likelihood") == ("text", TOKENS)
    assert registry.needs("loops") == (TOKENS,)


@pytest.mark.parametrize(
    "spec",
    ["likelihood?measure=sum", "likelihood?window=0", "loops?period=nan", "likelihood:nano/x", "length:fast"],
)
def test_a_wrong_spec_is_refused(spec: str) -> None:
    with pytest.raises(VerifierError):
        verifiers.load(spec)


@pytest.mark.parametrize("spec", ["likelihood", "loops"])
def test_audio_has_no_tokens_and_targets_are_checked(spec: str) -> None:
    verifier = verifiers.load(spec)
    assert verifier.score([], TEXT) == []
    with pytest.raises(VerifierError, match="speech tokens of a search"):
        verifier.score([speechlike(1.0, 1)], TEXT)
    if "text" in verifier.needs:
        with pytest.raises(VerifierError, match="needs the target's text"):
            verifier.score([], Target())


def test_too_few_tokens_and_wrong_numbers_are_unusable() -> None:
    short, empty, good = scored("likelihood", [1] * 4, [], [1] * 5)
    assert not short.usable and not empty.usable and good.usable
    assert short.value == empty.value == -100.0 and "too short" in short.reason
    assert not short.short  # what is too short to hold words says none of them
    loops = scored("loops", [1] * 4)[0]
    assert not loops.usable and loops.short  # the others decide
    (nan,) = scored("likelihood?measure=margin", [float("nan")] * 10)  # type: ignore[list-item]
    assert not nan.usable and nan.value == -100.0


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        ([], (0, 0, 0)),
        ([1], (0, 0, 0)),
        ([1, 2, 3, 4], (0, 0, 0)),
        ([5, 7, 7, 7, 7, 2], (3, 2, 1)),
        ([1, 2, 3, 1, 2, 3, 1, 2, 9], (5, 3, 3)),
        ([1, 1, 2, 2], (1, 1, 1)),
        ([*range(30), *range(30)], (0, 0, 0)),  # the period is longer than what is looked for
    ],
)
def test_the_longest_loop(codes: list[int], found: tuple[int, int, int]) -> None:
    assert longest_loop(codes, 20) == found


def test_loops_in_seconds() -> None:
    looped, held, clean = scored("loops", [*range(50)] * 3, [8] * 26, [*range(100)])
    assert looped.value == 2.0 and looped.evidence == {"starts_seconds": 1.0, "period_seconds": 1.0}
    assert held.value == 0.5 and clean.value == 0.0 and not clean.evidence


def test_means_of_windows() -> None:
    assert window_means(np.array([1.0, 3.0, 5.0]), 2).tolist() == [2.0, 4.0]
    assert window_means(np.array([1.0, 3.0]), 9).tolist() == [2.0]


def test_the_length_of_speech_against_that_of_its_text() -> None:
    length = verifiers.load("length:nano")
    half, whole, double = (length.score([speechlike(seconds, 3)], TEXT)[0] for seconds in (0.6, 1.2, 2.4))
    predicted = whole.evidence["predicted_seconds"]
    for score in (half, whole, double):
        assert score.value == pytest.approx(abs(math.log(score.evidence["seconds"] / predicted)), abs=1e-3)
    assert whole.value < half.value and whole.value < double.value
    early, late = (length.score([speechlike(s, 3)], TEXT, partial=True)[0] for s in (0.6, 2.4))
    assert early.value == 0.0 and late.value == pytest.approx(double.value)
    padded = np.concatenate([np.zeros(16_000, np.float32), speechlike(1.2, 3), np.zeros(16_000, np.float32)])
    assert length.score([padded], TEXT)[0].evidence["seconds"] == pytest.approx(
        whole.evidence["seconds"], abs=0.05
    )
    assert verifiers.load("length:llasa").score([speechlike(1.2, 3)], TEXT)[0].evidence != whole.evidence
