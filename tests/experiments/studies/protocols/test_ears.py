"""Which ears score, and what the table says of those that are not the protocol's."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.studies.protocols.ears import EarOptions, Ears, _same, choose_ears, shown
from experiments.studies.protocols.protocol import Utterance
from experiments.studies.protocols.registry import find
from llasa_core.errors import UserError

ONE = [Utterance("line 1", "a", "Hello.", "en", Path("p.wav"), "a prompt")]
NANO = EarOptions(ear="whisper:nano", sim="wavlm-sv:nano")


def test_other_ears_are_named(tmp_path: Path) -> None:
    ears = choose_ears(find("seed-tts-en"), NANO, ONE, tmp_path)
    assert ears.words == "whisper:nano?normalizer=seed-tts-eval" and shown(ears.words) == "whisper:nano"
    assert ears.replaced == (
        "whisper:nano in place of whisper:large-v3",
        "wavlm-sv:nano in place of wavlm-large-sv:wavlm_large_finetune.pth",
    )
    assert ears.searched(["whisper:nano?window=auto", "ge2e"]) == (ears.words,)


def test_the_protocols_own_weights_may_lie_anywhere(tmp_path: Path) -> None:
    """Only where they are is looked at here: no model is loaded."""
    data, elsewhere = tmp_path / "data", tmp_path / "sv.pth"
    data.mkdir()
    elsewhere.touch()
    (tmp_path / "large-v3.pt").touch()
    given = EarOptions(ear=f"whisper:{tmp_path / 'large-v3.pt'}", sim=f"wavlm-large-sv:{elsewhere}")
    assert choose_ears(find("seed-tts-en"), given, ONE, data).replaced == ()
    (data / "wavlm_large_finetune.pth").touch()
    found = choose_ears(find("seed-tts-en"), EarOptions(ear="none"), ONE, data)
    assert found.sim == f"wavlm-large-sv:{data}" and found.replaced == () and found.words == ""


def test_a_variant_is_the_protocols_unless_it_is_given(tmp_path: Path) -> None:
    assert choose_ears(find("librispeech-pc"), NANO, ONE, tmp_path).variant == "f5"
    given = EarOptions(ear="whisper:nano", sim="none", variant="whisper")
    assert "normalizer=whisper" in choose_ears(find("librispeech-pc"), given, ONE, tmp_path).words
    with pytest.raises(UserError, match="English only"):
        choose_ears(find("minimax-french"), given, [Utterance("", "a", "Oui.", "fr", Path(), "Non.")], None)
    japanese = [Utterance("", "a", "はい。", "ja", Path(), "いいえ。")]
    assert "unit=character" in choose_ears(find("minimax-japanese"), NANO, japanese, None).words


def test_what_stands_in_for_an_ear_is_not_the_protocols() -> None:
    """The shipped list has ears for those who lack its own."""
    given = EarOptions(ear="hubert-ctc:nano", sim="wavlm-sv:nano")
    assert choose_ears(find("nano-eval"), given, ONE, None).replaced == (
        "hubert-ctc:nano in place of whisper:base",
        "wavlm-sv:nano in place of ge2e",
    )


def test_the_shipped_list_takes_what_is_here() -> None:
    found = choose_ears(find("nano-eval"), EarOptions(), ONE, None)
    assert found.words.partition("?")[0] in ("whisper:base", "hubert-ctc:nano")
    assert found.sim in ("ge2e", "wavlm-sv:nano")


@pytest.mark.parametrize(
    ("given", "own", "same"),
    [
        ("emotion2vec:x/plus", "emotion2vec:iic/plus", True),
        ("emotion2vec:x/plus?measure=label", "emotion2vec:iic/plus", False),
        ("emotion2vec:x/plus", "emotion2vec:iic/plus?measure=label", False),
        ("paraformer:paraformer-zh?hub=hf", "paraformer:paraformer-zh", False),
        ("whisper:large-v3?window=auto", "whisper:large-v3", False),
        ("whisper:large-v3?batch=4", "whisper:large-v3", True),
    ],
)
def test_what_measures_something_else_is_not_the_protocols(given: str, own: str, same: bool) -> None:
    assert _same(given, own) == same


def test_accuracy_is_told_by_the_option_and_not_by_the_path() -> None:
    assert Ears("", "", "emotion2vec:x?measure=label", "f5").labels
    assert not Ears("", "", "emotion2vec:/relabelled/x", "f5").labels
