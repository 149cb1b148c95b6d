"""The leak check of one search: rewarding mimicry is told from hearing the emotion."""

from collections.abc import Sequence

import numpy as np
import pytest

from llasa_core.audio import Waveform
from search.results.candidate import Candidate
from search.results.leak import CLIP, HELD_OUT, PROMPT, SEARCHED, WORDS, Leak, Line, leak_of
from tests.plain_verifiers import Crossings
from verifiers import registry
from verifiers.base import About, Score, Target


class Mimic(Crossings):
    """Rewards nothing but likeness to the speaker of the emotion clip: the mean of the samples stands for the
    voice."""

    about = About(measures="mimicry", needs=("emotion_reference",), released={}, min_seconds=0.0)
    name = "emo-sim"
    higher_is_better = True

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        assert target.emotion_reference is not None
        voice = float(target.emotion_reference.mean())
        return [Score(1 - abs(float(candidate.mean()) - voice)) for candidate in candidates]


class Honest(Mimic):
    """A held-out ear that hears the emotion: the spread of the samples."""

    about = About(measures="emotion", needs=("emotion",), released={}, min_seconds=0.0)
    name = "emo"

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        return [Score(float(candidate.std())) for candidate in candidates]


KINDS = {"mimic": f"{__name__}:Mimic", "honest": f"{__name__}:Honest"}
MODELS = {"verifiers": [{"spec": "mimic"}, {"spec": "wavlm-sv:nano"}, {"spec": "whisper:nano"}]}
TARGET = Target(emotion="sad", emotion_reference=np.full(16000, 0.5, np.float32))


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, **KINDS})


def search(voices: Sequence[float], spreads: Sequence[float], clip: Sequence[float]) -> Leak:
    """Candidates of these voices and emotions, chosen by the mimic. clip: likeness to the clip's speaker."""
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    noise = (noise - noise.mean()) / noise.std()
    waves = [
        np.float32(voice) + np.float32(spread) * noise for voice, spread in zip(voices, spreads, strict=True)
    ]
    mimic, honest = (kind(name).score(waves, TARGET) for kind, name in ((Mimic, "mimic"), (Honest, "honest")))
    order = sorted(range(len(waves)), key=lambda i: -mimic[i].value)
    candidates = [
        Candidate(
            i,
            order.index(i),
            ((0, i),),
            (1,),
            wave,
            {"emo-sim": mimic[i], "sim": Score(0.9 - 0.01 * i), "wer": Score(0.0)},
            {"honest": honest[i], "ge2e?reference=emotion": Score(clip[i]), "ge2e": Score(0.8)},
        )
        for i, wave in enumerate(waves)
    ]
    directions = {"emo-sim": True, "sim": True, "wer": False, "honest": True, "ge2e": True}
    found = leak_of(candidates, MODELS, directions)
    assert found is not None
    return found


def test_a_gain_by_mimicry_is_said_not_to_be_seen_by_the_held_out_ear() -> None:
    leak = search(voices=[0.0, 0.1, 0.2, 0.45], spreads=[0.3, 0.2, 0.3, 0.2], clip=[0.4, 0.5, 0.6, 0.8])
    assert [(line.role, line.by) for line in leak.lines] == [
        (SEARCHED, "emo-sim"),
        (HELD_OUT, "honest"),
        (CLIP, "ge2e?reference=emotion"),
        (PROMPT, "sim"),
        (PROMPT, "ge2e"),
        (WORDS, "wer"),
    ]
    assert "is NOT seen by the held-out honest" in leak.sentence
    assert "moved towards the emotion clip's speaker (ge2e?reference=emotion +0.225)" in leak.sentence
    assert leak.as_dict()["sentence"] == leak.sentence


def test_a_gain_that_the_held_out_ear_hears_is_said_to_be_heard() -> None:
    leak = search(voices=[0.0, 0.1, 0.2, 0.45], spreads=[0.1, 0.2, 0.3, 0.5], clip=[0.5, 0.5, 0.5, 0.5])
    assert "is heard by the held-out honest" in leak.sentence and "moved" not in leak.sentence


def test_a_score_that_is_no_number_is_left_out() -> None:
    scores = {"emo-sim": Score(0.5), "wer": Score(float("inf"))}
    found = leak_of([Candidate(0, 0, (), (1,), np.zeros(1), scores)], MODELS, {"wer": False})
    assert found is not None and [line.by for line in found.lines] == ["emo-sim"]


def test_what_cannot_be_told_is_not_told() -> None:
    assert search([0.0, 0.4], [0.1, 0.3], [0.5, 0.5]).sentence == ""
    lines = tuple(Line(role, role, True, 0.9, 0.5, 0.2, 8) for role in (SEARCHED, CLIP, PROMPT, WORDS))
    assert "checked by no held-out ear" in Leak(lines).sentence
    assert leak_of([Candidate(0, 0, (), (1,), np.zeros(1), {"wer": Score(0.0)})], {}, {}) is None
