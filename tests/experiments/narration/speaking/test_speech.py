"""What a search came to, as the certificate has it: alignments, doubts, parts that are joined."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from experiments.narration.speaking.hearing import alignment, heard_by, never_heard, word_doubts
from experiments.narration.speaking.speech import Speech, flac_bytes, joined
from experiments.narration.speaking.unheard import respelling, unheard_words
from experiments.narration.takes import Doubt, Heard, Measures
from llasa_core.audio import SAMPLE_RATE
from llasa_core.text.compare import compare
from search.cost.ledger import Ledger
from search.results.candidate import Candidate
from tests.experiments.narration.speaking.test_ladder import attempt, chunk, take
from verifiers.base import Score

TEXT = "She put the letter back in the drawer."
HEARD = [
    "She put the letter back in the drawer",
    "He put the letter in the drawer",
    "She put put the letter back in a draw or",
    "",
    "completely other words here now",
    "She put the letter back in the drawer and then some",
]


@pytest.mark.parametrize("heard", HEARD)
def test_an_alignment_holds_each_word_of_the_text_and_each_that_was_heard(heard: str) -> None:
    found = compare(TEXT, heard)
    words = alignment(found.evidence())
    assert " ".join(word.expected for word in words if word.expected) == " ".join(found.reference)
    wrong = [word for word in words if word.kind != "equal"]
    assert len(wrong) == found.errors
    assert sum(word.kind == "inserted" for word in wrong) == found.insertions
    assert sum(word.kind == "missing" for word in wrong) == found.deletions


def candidate(first: str, second: str) -> Candidate:
    scores = {
        name: Score(found.rate, {"transcript": heard, **found.evidence()})
        for name, heard in (("wer", first), ("wer-2", second))
        for found in [compare(TEXT, heard)]
    }
    return Candidate(0, 0, (), (), np.zeros(10, np.float32), scores)


def test_never_heard_is_what_all_ears_miss_in_all_candidates() -> None:
    both = [
        candidate("She put a letter back in the drawer", "Put the letter back in the door"),
        candidate("She put the letter back in the dresser", "She put the letter in the door"),
    ]
    assert never_heard(both, ["wer", "wer-2"]) == ()
    assert never_heard([both[1]], ["wer", "wer-2"]) == ("drawer",)


def speech(seconds: float, *doubts: Doubt, begin: float = 0.5) -> Speech:
    waveform = np.full(round(seconds * SAMPLE_RATE), begin, np.float32)
    heard = Heard(ear="sphinx", family="HMM", transcript="a word", errors=0, words=2, alignment=[])
    measures = Measures(
        pace=4.0, dbfs=-20, peak=-3, length_ratio=1.0, similarity=0.9, speaker_ear="ge2e", embedding=[1, 0]
    )
    return Speech(waveform, doubts, (heard,), measures, 2, Ledger(tokens_generated=50), (), ({"a": 1},))


def test_parts_are_joined_with_a_pause_and_without_a_step() -> None:
    click = Doubt(kind="click", says="There is a click at 0.50 s.", at=0.5)
    whole = joined([speech(1.0), speech(2.0, click)])
    assert len(whole.waveform) == round(3.15 * SAMPLE_RATE)
    assert np.abs(np.diff(whole.waveform)).max() < 0.01
    assert whole.joined == (pytest.approx(1.15),)
    assert [doubt.at for doubt in whole.doubts] == [pytest.approx(1.65)]
    assert not whole.passed
    assert whole.heard[0].transcript == "a word a word"
    assert (whole.heard[0].words, whole.candidates, whole.ledger.tokens_generated) == (4, 4, 100)
    assert whole.measures.embedding == [1, 0]
    assert len(whole.manifests) == 2


def test_flac_is_the_same_bytes_and_the_same_samples() -> None:
    draw = np.random.default_rng(0)
    waveform = (draw.standard_normal(5000) * 0.1).astype(np.float32)
    content = flac_bytes(waveform)
    assert content == flac_bytes(waveform)
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert rate == SAMPLE_RATE
    assert np.abs(samples - waveform).max() <= 1 / 32768


def test_words_that_are_never_heard_get_a_line_of_a_lexicon() -> None:
    one = chunk(0).model_copy(update={"written": "Phaedra came."})
    never = attempt(0).model_copy(update={"never": ["phaedra", "came"]})
    once = attempt(1).model_copy(update={"never": ["phaedra"]})
    found = unheard_words([(one, take(one, never, once)), (chunk(1), None)])
    assert [(word.word, word.places, word.line) for word in found] == [("Phaedra", 1, "Phaedra\tfaed ra")]


def test_a_respelling_has_every_syllable() -> None:
    assert respelling("Sokolova") == "so ko lo va"
    assert respelling("Riga") == "ri ga"


def test_a_stretch_of_wrong_words_is_one_doubt() -> None:
    one = candidate("She put letters in the drawer", TEXT).scores["wer"]
    doubts = list(word_doubts(heard_by(one, "an ear", "a family")))
    assert [doubt.says for doubt in doubts] == [
        "an ear heard 'letters' for 'the letter back'.",
    ]
    assert doubts[0].word == "the letter back"
