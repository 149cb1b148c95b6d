"""Which letter is being spoken in which frame: the training aid without which so small a model does not read.

Two steps: letters are aligned with the phonemes of the CMU dictionary (hard EM), and phonemes with the
codec's codes (a discrete hidden Markov model, two states a phoneme, Viterbi training from a linear start).
Nothing of this is needed, or left, in the trained model.
"""

from __future__ import annotations

import collections
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

NULL = ""


class LetterAligner:
    """Aligns a word's letters with its phonemes; every letter speaks none, one or two of them."""

    def __init__(self, words: dict[str, list[str]], rounds: int = 6) -> None:
        """``words`` maps a word to its phonemes."""
        self.words = words
        self._cost: dict[tuple[str, tuple[str, ...]], float] = {}
        for _ in range(rounds):
            counts: collections.Counter[tuple[str, tuple[str, ...]]] = collections.Counter()
            for word, phonemes in words.items():
                spans = self._spans(word, phonemes)
                counts.update((c, tuple(phonemes[a:b])) for c, (a, b) in zip(word, spans, strict=True))
            totals: collections.Counter[str] = collections.Counter()
            for (letter, _), count in counts.items():
                totals[letter] += count
            self._cost = {key: -math.log(count / totals[key[0]]) for key, count in counts.items()}

    def letters(self, word: str) -> tuple[list[int], list[str]]:
        """(letter index of each phoneme, phoneme of each letter or NULL)."""
        phonemes = self.words[word]
        owner, spoken = [0] * len(phonemes), [NULL] * len(word)
        for letter, (a, b) in enumerate(self._spans(word, phonemes)):
            if b > a:
                spoken[letter] = phonemes[a]
            for k in range(a, b):
                owner[k] = letter
        return owner, spoken

    def _spans(self, word: str, phonemes: list[str]) -> list[tuple[int, int]]:
        n, m = len(word), len(phonemes)
        best: list[list[float]] = [[math.inf] * (m + 1) for _ in range(n + 1)]
        back = [[0] * (m + 1) for _ in range(n + 1)]
        best[0][0] = 0.0
        for i, letter in enumerate(word):
            for j in range(m + 1):
                if best[i][j] == math.inf:
                    continue
                for take in range(min(3, m - j) + 1):
                    cost = best[i][j] + self._emit(
                        letter, tuple(phonemes[j : j + take]), i / n, j / max(m, 1)
                    )
                    if cost < best[i + 1][j + take]:
                        best[i + 1][j + take], back[i + 1][j + take] = cost, take
        spans, j = [], m
        for i in range(n, 0, -1):
            take = back[i][j]
            spans.append((j - take, j))
            j -= take
        return spans[::-1]

    def _emit(self, letter: str, phonemes: tuple[str, ...], x: float, y: float) -> float:
        penalty = {0: 2.0, 1: 0.0, 2: 3.0, 3: 7.0}[len(phonemes)]
        if not self._cost:  # first round: near the diagonal
            return penalty + 4 * abs(x - y)
        return self._cost.get((letter, phonemes), 9.0 + penalty)


@dataclass(frozen=True)
class States:
    """HMM states of one text: ``state`` id, the ``word`` it belongs to (-1: silence), ``phoneme`` index,
    optional.
    """

    state: NDArray[np.int64]
    word: NDArray[np.int64]
    phoneme: NDArray[np.int64]
    optional: NDArray[np.bool_]


class Phonemes:
    """The inventory: two states for each phoneme and one for silence, the last."""

    def __init__(self, words: dict[str, list[str]]) -> None:
        self.words = words
        self.ids = {p: i for i, p in enumerate(sorted({p for ps in words.values() for p in ps}))}

    @cached_property
    def n_states(self) -> int:
        return 2 * len(self.ids) + 1

    @property
    def silence(self) -> int:
        return self.n_states - 1

    def states(self, text: str) -> States:
        """Silence, the words with optional silence between them, silence."""
        rows: list[tuple[int, int, int, bool]] = [(self.silence, -1, 0, False)]
        for index, spelled in enumerate(text.split()):
            if index:
                rows.append((self.silence, -1, index, True))
            for k, sound in enumerate(self.words[spelled]):
                rows += [(2 * self.ids[sound] + half, index, k, False) for half in (0, 1)]
        rows.append((self.silence, -1, len(text.split()), False))
        state, word, phoneme, optional = (np.array(column) for column in zip(*rows, strict=True))
        return States(state, word, phoneme, optional)


def align_codes(
    texts: list[str], codes: list[NDArray[np.int64]], phonemes: Phonemes, n_codes: int, rounds: int = 12
) -> list[NDArray[np.int64]]:
    """For each utterance the index into ``phonemes.states(text)`` of every code: [codes] each.

    The first rounds use a quarter of the utterances in turn, the last half of them all.
    """
    sequences = [phonemes.states(text) for text in texts]
    lengths = np.array([len(s.state) for s in sequences])
    times = np.array([len(c) for c in codes])
    paths = [np.minimum(np.arange(t) * n // t, n - 1) for t, n in zip(times, lengths, strict=True)]
    order = np.argsort(times, kind="stable")
    for turn in track(range(rounds), "aligning codes with phonemes"):
        emit, stay, leave = _estimate(sequences, codes, paths, phonemes.n_states, n_codes)
        chosen = order[turn % 4 :: 4] if turn < rounds // 2 else order
        for start in range(0, len(chosen), 1000):
            ids = chosen[start : start + 1000]
            for i, path in zip(ids, _viterbi(sequences, codes, ids, emit, stay, leave), strict=True):
                paths[i] = path
    return paths


def _estimate(
    sequences: list[States],
    codes: list[NDArray[np.int64]],
    paths: list[NDArray[np.int64]],
    n_states: int,
    n_codes: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Log emission [states, codes], log stay [states], log leave [states] of the current paths."""
    state = np.concatenate([s.state[p] for s, p in zip(sequences, paths, strict=True)])
    changed = np.concatenate([np.r_[True, p[1:] != p[:-1]] for p in paths])
    flat = np.concatenate(codes)
    counts = (
        np.bincount(state * n_codes + flat, minlength=n_states * n_codes).reshape(n_states, n_codes) + 0.05
    )
    overall = counts.sum(0) / counts.sum()
    emit = np.log((counts + 5 * overall) / (counts.sum(1, keepdims=True) + 5)).astype(np.float32)
    frames = np.bincount(state, minlength=n_states)
    visits = np.bincount(state[changed], minlength=n_states) + 1
    leave = np.clip(visits / np.maximum(frames, 1), 0.05, 0.95)
    return emit, np.log(1 - leave).astype(np.float32), np.log(leave).astype(np.float32)


def _viterbi(
    sequences: list[States],
    codes: list[NDArray[np.int64]],
    ids: NDArray[np.int64],
    emit: NDArray[np.float32],
    stay: NDArray[np.float32],
    leave: NDArray[np.float32],
) -> list[NDArray[np.int64]]:
    """Best left-to-right paths of a batch; optional states may be skipped."""
    n, width = len(ids), max(len(sequences[i].state) for i in ids)
    times = np.array([len(codes[i]) for i in ids])
    state = np.zeros((n, width), np.int64)
    optional, beyond = np.zeros((n, width), bool), np.ones((n, width), bool)
    frames = np.zeros((n, times.max()), np.int64)
    for row, i in enumerate(ids):
        length = len(sequences[i].state)
        state[row, :length], optional[row, :length] = sequences[i].state, sequences[i].optional
        beyond[row, :length] = False
        frames[row, : times[row]] = codes[i]
    low = np.float32(-1e9)
    score = np.full((n, width), low, np.float32)
    score[:, 0] = emit[state[:, 0], frames[:, 0]]
    score[:, 1] = emit[state[:, 1], frames[:, 0]] - 1
    back = np.zeros((times.max(), n, width), np.int8)
    last = np.zeros(n, np.int64)
    stay_cost, leave_cost = stay[state], leave[state]
    skippable = np.zeros_like(optional)
    skippable[:, 1:] = optional[:, :-1]

    def finish(t: int) -> None:
        for row in np.flatnonzero(times == t + 1):
            end = len(sequences[ids[row]].state)
            last[row] = end - 1 if score[row, end - 1] >= score[row, end - 2] else end - 2

    finish(0)
    for t in range(1, times.max()):
        options = np.full((3, n, width), low, np.float32)
        options[0] = score + stay_cost
        options[1, :, 1:] = score[:, :-1] + leave_cost[:, :-1]
        options[2, :, 2:] = np.where(skippable[:, 2:], score[:, :-2] + leave_cost[:, :-2], low)
        back[t] = options.argmax(0)
        score = options.max(0) + emit[state, frames[:, t : t + 1]]
        score[beyond] = low
        finish(t)
    paths = []
    for row in range(n):
        path, s = np.zeros(times[row], np.int64), last[row]
        for t in range(times[row] - 1, -1, -1):
            path[t] = s
            s -= back[t, row, s]
        paths.append(path)
    return paths
