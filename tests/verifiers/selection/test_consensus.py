"""Consensus by hand, its place among the other rules, and what it does with what cannot be judged."""

import itertools

import pytest

from verifiers import Score, VerifierError, parse_selection
from verifiers.selection.consensus import apart, mean_distances, words_of

METRICS = {"wer": False, "sim": True, "length": False, "mos": True}


def heard(text: str, value: float = 0.5, **more: float) -> Score:
    return Score(value, {"transcript": text, **more})


def voice(*vector: float) -> Score:
    return Score(0.9, {"embedding": list(vector), "seconds": 1.0})


def lasting(seconds: float) -> Score:
    return Score(0.1, {"seconds": seconds})


SPOKEN = [heard("a b x d"), heard("a b c d"), heard("a b c e"), heard("q b c d")]


def rank(rule: str, **scores: list[Score]) -> tuple[int, ...]:
    return parse_selection(rule, METRICS).rank(scores).order


def test_the_transcript_that_the_others_agree_with_is_best() -> None:
    assert rank("consensus(wer)", wer=SPOKEN)[0] == 1
    means = [score.value for score in mean_distances("wer", SPOKEN)]
    assert means == pytest.approx([(1 + 2 + 2) / 12, 3 / 12, (2 + 1 + 2) / 12, (2 + 1 + 2) / 12])


def test_it_does_not_depend_on_the_order_of_the_candidates() -> None:
    for order in itertools.permutations(range(4)):
        found = rank("consensus(wer)", wer=[SPOKEN[i] for i in order])
        assert order[found[0]] == 1


def test_it_belongs_to_the_set() -> None:
    others = [heard("q r s"), heard("q r s t"), heard("q r s")]
    assert rank("consensus(wer)", wer=[heard("a b"), *others])[0] in (1, 3)
    assert rank("consensus(wer)", wer=[heard("a b"), heard("a b"), others[0]])[0] == 0


def test_voices_agree_by_their_embeddings_and_lengths_by_their_ratio() -> None:
    assert rank("consensus(sim)", sim=[voice(1, 0), voice(0.7, 0.7), voice(0, 1), voice(0.6, 0.8)])[0] in (
        1,
        3,
    )
    assert rank("consensus(length)", length=[lasting(1.0), lasting(4.0), lasting(2.0)])[0] == 2
    values = [score.value for score in mean_distances("sim", [voice(1, 0), voice(0, 2)])]
    assert values == pytest.approx([1.0, 1.0])


def test_several_metrics_are_joined_by_their_ranks() -> None:
    lengths = [lasting(9.0), lasting(2.0), lasting(2.1), lasting(1.9)]
    assert rank("consensus(wer,length)", wer=SPOKEN, length=lengths)[0] == 1
    assert parse_selection("consensus(wer=2,length)", METRICS).spec == "consensus(wer=2,length)"
    assert parse_selection("wer<=0,consensus(wer)", METRICS).spec == "wer<=0,consensus(wer)"
    assert parse_selection("mos>=2,consensus(wer,sim)", METRICS).metrics == ("mos", "wer", "sim")


def test_bounds_are_on_the_metric_itself() -> None:
    scores = [heard("a b x d", 0.0), heard("a b c d", 0.25), heard("a b c e", 0.0), heard("q b c d", 0.5)]
    ranking = parse_selection("wer<=0,consensus(wer)", METRICS).rank({"wer": scores})
    assert ranking.satisfied and ranking.order[0] in (0, 2) and ranking.order[-1] == 3


def test_what_cannot_be_judged_has_no_vote_and_comes_last() -> None:
    silent = Score(1.0, {}, False, "the audio is silent")
    assert rank("consensus(wer)", wer=[silent, *SPOKEN]) == tuple(
        [i + 1 for i in rank("consensus(wer)", wer=SPOKEN)] + [0]
    )
    alone = parse_selection("consensus(wer)", METRICS).rank({"wer": [silent, heard("a")]})
    assert alone.order == (1, 0) and alone.satisfied


def test_equal_candidates_are_told_apart_by_the_likelihood_then_by_their_order() -> None:
    scores = [heard("a b", logp=-2.0), heard("a b", logp=-1.0), heard("a b", logp=-2.0)]
    assert rank("consensus(wer)", wer=scores) == (1, 0, 2)


def test_metrics_without_anything_to_agree_in_are_refused() -> None:
    with pytest.raises(VerifierError, match=r"consensus\(mos\).*no transcript"):
        rank("consensus(mos)", mos=[Score(3.0), Score(3.1)])
    with pytest.raises(VerifierError, match="no scores of wer"):
        rank("consensus(wer)", sim=[voice(1, 0)])
    with pytest.raises(VerifierError, match="which no verifier measures"):
        parse_selection("consensus(noise)", METRICS)


def test_words_are_compared_without_punctuation_and_characters_of_chinese() -> None:
    assert words_of("Don't stop, please!") == ["don't", "stop", "please"]
    assert words_of("今天 ok") == ["今", "天", "ok"]
    assert apart([], []) == 0.0 and apart(["a"], []) == 1.0 and apart(["a", "b"], ["a"]) == 0.5
    spoken = [Score(0.0, {"transcript": "21", "heard": "twenty one"}), heard("twenty one")]
    assert [score.value for score in mean_distances("wer", spoken)] == [0.0, 0.0]
