"""Training documents of the generator: the prompt format of Llasa, and for each position what the aids ask
for.

A document holds one utterance, or two of the same voice and style: the first then is a voice prompt for the
second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.nano.data.alignment import NULL, LetterAligner, Phonemes
from experiments.nano.data.corpus import Utterance
from experiments.nano.data.tokenizer import CHARACTERS, INSTRUCTION, build

IGNORE = -100
LOOKAHEAD = 2
"""A frame attends this many tokens after its letter: a causal model knows a letter's sound from the ones
after it.
"""
MAX_WORDS = 40
IDS = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """One utterance, aligned. Positions in ``letter`` count characters of ``text``."""

    text: str
    codes: IDS
    letter: IDS  # [codes] character that each code speaks
    state: IDS  # [codes] HMM state
    word: IDS  # [codes] word number
    sound: IDS  # [characters] phoneme id of each character, n_phonemes where it is silent


@dataclass(frozen=True)
class Document:
    """Token ids and targets, all [length]; IGNORE where nothing is asked."""

    ids: IDS
    target: IDS  # next token, on speech positions only
    attend: IDS  # [2, length]: tokens that the guided heads should attend to
    sound: IDS  # text positions: the sound of the letter LOOKAHEAD back; speech: state of the current code
    next_state: IDS  # speech positions: state of the next code
    next_word: IDS  # speech positions: word number of the next code; text positions: word number of the token
    speech_start: int


class DocumentBuilder:
    """Builds documents for one tokenizer and phoneme inventory."""

    def __init__(self, letters: LetterAligner, phonemes: Phonemes, n_codes: int) -> None:
        self.letters, self.phonemes = letters, phonemes
        self.tokenizer = build(n_codes)
        ids = self.tokenizer.convert_tokens_to_ids
        self.characters = {c: ids(c) for c in CHARACTERS}
        self.head = [
            ids(t) for t in ("<|begin_of_text|>", "<|user|>", INSTRUCTION, "<|TEXT_UNDERSTANDING_START|>")
        ]
        self.tail = [
            ids(t)
            for t in (
                "<|TEXT_UNDERSTANDING_END|>",
                "<|eot_id|>",
                "<|assistant|>",
                "<|SPEECH_GENERATION_START|>",
            )
        ]
        self.first_code, self.end = ids("<|s_0|>"), ids("<|SPEECH_GENERATION_END|>")
        self.n_sounds = len(phonemes.ids) + 1

    def piece(self, utterance: Utterance, codes: IDS, path: IDS) -> Piece:
        """An utterance with its path through ``phonemes.states(text)``."""
        text, states = utterance.text, self.phonemes.states(utterance.text)
        silent = len(self.phonemes.ids)
        sound = np.full(len(text), silent)
        starts, owners, cursor = [], [], 0
        for word in text.split():
            owner, spoken = self.letters.letters(word)
            starts.append(cursor)
            owners.append(owner)
            for k, phoneme in enumerate(spoken):
                if phoneme != NULL:
                    sound[cursor + k] = self.phonemes.ids[phoneme]
            cursor += len(word) + 1
        # silence belongs to the space before the word that follows (to the first letter at the start)
        at_state = np.array(
            [
                starts[w] + owners[w][p]
                if w >= 0
                else (max(starts[p] - 1, 0) if p < len(starts) else len(text))
                for w, p in zip(states.word, states.phoneme, strict=True)
            ]
        )
        word_of_state = np.where(states.word >= 0, states.word, np.minimum(states.phoneme, len(starts) - 1))
        return Piece(text, codes, at_state[path], states.state[path], word_of_state[path], sound)

    def document(self, pieces: list[Piece], drop_text: bool = False) -> Document:
        """One document of one or more pieces; ``drop_text`` leaves the text empty, so that speech alone is
        learned.
        """
        text = "" if drop_text else " ".join(p.text for p in pieces)
        start, n = len(self.head), len(text)
        codes = np.concatenate([p.codes for p in pieces])
        ids = np.array(
            [
                *self.head,
                *(self.characters[c] for c in text),
                *self.tail,
                *(codes + self.first_code),
                self.end,
            ]
        )
        length, speech = len(ids), len(self.head) + n + len(self.tail)
        target, next_state, next_word, sound = (np.full(length, IGNORE) for _ in range(4))
        attend = np.full((2, length), IGNORE)
        target[speech - 1 : -1] = ids[speech:]
        state = np.concatenate([p.state for p in pieces])
        sound[speech:-1] = state + self.n_sounds
        next_state[speech - 1 : -1] = np.r_[state, self.phonemes.silence]
        if not drop_text:
            offsets = np.cumsum([0, *(len(p.text) + 1 for p in pieces)])
            words = np.cumsum([0, *(len(p.text.split()) for p in pieces)])
            letter = np.concatenate([p.letter + o for p, o in zip(pieces, offsets, strict=False)])
            letter = np.r_[letter, n]  # the end token is spoken by what follows the text
            last = start + n + 1
            attend[0, speech - 1 : -1] = np.minimum(letter + start + LOOKAHEAD, last)
            attend[1, speech - 1 : -1] = np.minimum(letter + start + LOOKAHEAD + 1, last)
            word = np.concatenate([p.word + w for p, w in zip(pieces, words, strict=False)])
            next_word[speech - 1 : -1] = np.minimum(np.r_[word, word[-1] + 1], MAX_WORDS - 1)
            silent = np.array([self.n_sounds - 1])
            sounds = np.concatenate([np.r_[p.sound, silent] for p in pieces])[:-1]
            sound[start + LOOKAHEAD : start + LOOKAHEAD + n] = sounds
            number = np.cumsum([c == " " for c in text])
            next_word[start : start + n] = np.minimum(number, MAX_WORDS - 1)
        return Document(ids, target, attend, sound, next_state, next_word, speech)
