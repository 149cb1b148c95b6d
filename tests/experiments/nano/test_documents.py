"""Training documents have the prompt format of the product, and their aids point where they should."""

import numpy as np
import pytest

from experiments.nano.data.alignment import LetterAligner, Phonemes
from experiments.nano.data.corpus import Utterance
from experiments.nano.data.documents import IGNORE, LOOKAHEAD, DocumentBuilder, Piece
from llasa_core.prompt import build_prompt
from tests.experiments.nano.test_alignment import WORDS

CODES = 32


@pytest.fixture(scope="module")
def builder() -> DocumentBuilder:
    return DocumentBuilder(LetterAligner(WORDS), Phonemes(WORDS), CODES)


def piece(builder: DocumentBuilder, text: str) -> Piece:
    states = builder.phonemes.states(text)
    path = np.repeat(np.flatnonzero(~states.optional), 2)
    codes = np.arange(len(path)) % CODES
    return builder.piece(Utterance(text, "sentence", "slt", "neutral", "train", 0, 0), codes, path)


def test_a_document_is_the_prompt_of_the_product_and_its_codes(builder):
    first, second = piece(builder, "make cake"), piece(builder, "sit")
    document = builder.document([first, second])
    prompt = build_prompt(builder.tokenizer, "sit", "make cake", first.codes.tolist())
    assert document.ids[: len(prompt)].tolist() == prompt
    rest = document.ids[len(prompt) :]
    assert (rest[:-1] - builder.first_code).tolist() == second.codes.tolist()
    assert rest[-1] == builder.end


def test_targets_ask_for_every_code_and_the_end_and_for_nothing_else(builder):
    document = builder.document([piece(builder, "make cake")])
    asked = np.flatnonzero(document.target != IGNORE)
    assert asked.tolist() == list(range(document.speech_start - 1, len(document.ids) - 1))
    assert (document.target[asked] == document.ids[asked + 1]).all()


def test_guided_heads_point_behind_the_letter_that_is_spoken_next(builder):
    text = "sit"
    document = builder.document([piece(builder, text)])
    start = len(builder.head)
    # codes: 2 of silence, then 4 for each of S, IH, T (two states, two frames each), then 2 of silence
    first_of_t = 2 + 2 * 4
    position = document.speech_start - 1 + first_of_t
    assert document.attend[0, position] == start + text.index("t") + LOOKAHEAD
    assert (document.attend[:, : document.speech_start - 1] == IGNORE).all()
    asked = document.attend[0][document.attend[0] != IGNORE]
    assert (np.diff(asked) >= 0).all()
    assert (document.attend[1] >= document.attend[0]).all()
    # a causal model can attend only to what is before
    positions = np.flatnonzero(document.attend[1] != IGNORE)
    assert (document.attend[1][positions] <= positions).all()


def test_sounds_are_asked_for_a_little_after_their_letter(builder):
    document = builder.document([piece(builder, "sit")])
    start, ids = len(builder.head), builder.phonemes.ids
    expected = [ids["S"], ids["IH"], ids["T"]]
    assert document.sound[start + LOOKAHEAD : start + LOOKAHEAD + 3].tolist() == expected
    assert document.sound[start + LOOKAHEAD - 1] == IGNORE


def test_dropping_the_text_leaves_no_aid_that_needs_it(builder):
    document = builder.document([piece(builder, "make cake")], drop_text=True)
    assert (document.attend == IGNORE).all()
    assert (document.next_word == IGNORE).all()
    assert document.speech_start == len(builder.head) + len(builder.tail)
