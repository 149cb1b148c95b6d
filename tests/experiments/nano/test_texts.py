"""The texts of the corpus."""

from experiments.nano.data import lexicon, texts

RARE = ["quartz", "zephyr", "walrus"]


def test_the_vocabulary_is_large_and_plain():
    words = lexicon.vocabulary()
    assert len(words) >= 1500
    assert all(word.isalpha() and word == word.lower() for word in words)
    assert {*lexicon.UNITS, *lexicon.TENS, "hundred", "thousand"} <= set(words)


def test_inflections():
    assert [lexicon.plural(n) for n in ("wolf", "city", "box", "boy", "watch")] == [
        "wolves", "cities", "boxes", "boys", "watches"
    ]  # fmt: skip
    assert [lexicon.gerund(v) for v in ("stop", "make", "see", "die", "walk")] == [
        "stopping", "making", "seeing", "dying", "walking"
    ]  # fmt: skip
    assert dict(lexicon.verbs(["buy:bought", "carry", "stop", "love"])) == {
        "buy": "bought", "carry": "carried", "stop": "stopped", "love": "loved"
    }  # fmt: skip


def test_numbers_in_words():
    assert lexicon.number_words(7) == "seven"
    assert lexicon.number_words(342) == "three hundred forty two"
    assert lexicon.number_words(90_010) == "ninety thousand ten"


def test_sentences_use_the_vocabulary_only():
    words = set(lexicon.vocabulary())
    for text in texts.held_out_sentences(300, seed=3):
        assert set(text.split()) <= words, text


def test_writing_is_reproducible_in_the_stated_shares_and_keeps_held_out_sentences_out():
    held_out = set(texts.held_out_sentences(50, seed=1))
    written = texts.write(400, seed=0, rare_words=RARE, exclude=held_out)
    assert written == texts.write(400, seed=0, rare_words=RARE, exclude=held_out)
    assert not held_out & {t.text for t in written}
    for kind, share in texts.SHARES.items():
        assert sum(t.kind == kind for t in written) == round(400 * share)
    assert all(set(t.text.split()) & set(RARE) for t in written if t.kind == "rare")


def test_sentences_differ():
    sentences = [t.text for t in texts.write(400, seed=0, rare_words=RARE) if t.kind == "sentence"]
    assert len(set(sentences)) == len(sentences)
