"""Letters to phonemes, phonemes to codes."""

import numpy as np

from experiments.nano.data import lexicon
from experiments.nano.data.alignment import NULL, LetterAligner, Phonemes, align_codes
from experiments.nano.data.cmudict import pronunciations

WORDS = {
    word: phonemes.split()
    for word, phonemes in {
        "cake": "K EY K", "lake": "L EY K", "make": "M EY K", "ship": "SH IH P", "shop": "SH AA P",
        "cash": "K AE SH",
        "sit": "S IH T", "pit": "P IH T", "six": "S IH K S", "tap": "T AE P", "lip": "L IH P",
        "mop": "M AA P",
        "kiss": "K IH S", "pal": "P AE L",
    }.items()
}  # fmt: skip


def test_every_phoneme_is_spoken_by_one_letter_in_order():
    aligner = LetterAligner(WORDS)
    for word, phonemes in WORDS.items():
        owner, spoken = aligner.letters(word)
        assert len(owner) == len(phonemes) and len(spoken) == len(word)
        assert owner == sorted(owner)
        for k, letter in enumerate(owner):
            assert spoken[letter] == phonemes[owner.index(letter)], (word, k)


def test_silent_letters_are_found():
    entries = pronunciations()
    aligner = LetterAligner({word: entries[word][0].split() for word in lexicon.vocabulary()})
    assert aligner.letters("lake") == ([0, 1, 2], ["L", "EY", "K", NULL])
    assert aligner.letters("six")[0] == [0, 1, 2, 2]
    assert aligner.letters("knife")[1] == [NULL, "N", "AY", "F", NULL]


def test_codes_are_aligned_with_the_phonemes_that_made_them():
    # every HMM state has two codes of its own and lasts a few frames: the path can be known exactly
    generator = np.random.default_rng(0)
    phonemes = Phonemes(WORDS)
    texts = [" ".join(generator.choice(sorted(WORDS), 3)) for _ in range(300)]
    codes, truth = [], []
    for text in texts:
        states = phonemes.states(text)
        row, path = [], []
        for index, state in enumerate(states.state):
            if states.optional[index]:
                continue
            for _ in range(generator.integers(1, 5)):
                row.append(2 * state + generator.integers(2))
                path.append(index)
        codes.append(np.array(row))
        truth.append(np.array(path))
    found = align_codes(texts, codes, phonemes, n_codes=2 * phonemes.n_states, rounds=12)
    right = np.mean(np.concatenate(found) == np.concatenate(truth))
    assert right > 0.95, right
    assert all((np.diff(path) >= 0).all() for path in found)
