"""Lists of seed-tts-eval: the four forms of a line, missing files, and the mean over utterances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.runs.meta_list import Item, evaluate_wer, generated_wavs, read_meta_list, truth_wavs
from llasa_core.audio import Waveform, write_audio
from llasa_core.errors import UserError
from llasa_core.voices import shipped_voices
from verifiers import VerifierError, load
from verifiers.base import Score, Target
from verifiers.shared.wer import average, word_errors
from verifiers.stats import bootstrap_mean


def beep(path: Path, hertz: float = 300.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, (0.2 * np.sin(np.arange(16_000) * hertz / 2546)).astype(np.float32))
    return path


def test_each_form_of_a_line_is_read(tmp_path: Path) -> None:
    prompt, absolute = beep(tmp_path / "set/prompts/a.wav"), beep(tmp_path / "other/b.wav")
    path = tmp_path / "set/meta.lst"
    path.write_text(
        "\ufeffu1|Said before.|prompts/a.wav|To be said.|truth/u1.wav\n"
        f"u2|你好\u3002|{absolute}|世界\u3002\n\n"
        "u3.wav|To be said.|prompts/a.wav\n"
        "u4|It's 5 o'clock.\n",
        "utf-8",
    )
    assert read_meta_list(path) == [
        Item("u1", "To be said.", "Said before.", prompt, tmp_path / "set/truth/u1.wav"),
        Item("u2", "世界\u3002", "你好\u3002", absolute),
        Item("u3", "To be said.", None, prompt),
        Item("u4", "It's 5 o'clock."),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("u1\n", r"line 1 of .*meta\.lst has 1 fields: write utt\|prompt_text"),
        ("u1|a\n\nu2|a|b|c|d|e\n", "line 3 of .* has 6 fields"),
        ("u1|text|nowhere.wav\nu2|p|gone.wav|t", r"nowhere\.wav does not exist and 1 more"),
        ("\n", "is empty"),
    ],
)
def test_bad_lists_are_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "meta.lst"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        read_meta_list(path)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the list"):
        read_meta_list(tmp_path / "meta.lst")


def test_a_missing_wav_is_an_error_that_names_it(tmp_path: Path) -> None:
    items = [Item("u1", "a"), Item("u2", "b"), Item("u3", "c")]
    first = beep(tmp_path / "u1.wav")
    with pytest.raises(UserError, match=r"u2\.wav does not exist and 1 more"):
        generated_wavs(items, tmp_path)
    assert generated_wavs(items[:1], tmp_path) == [first]
    with pytest.raises(UserError, match="no recording of u1"):
        truth_wavs(items)
    with pytest.raises(UserError, match=r"gone\.wav does not exist"):
        truth_wavs([Item("u1", "a", truth_wav=tmp_path / "gone.wav")])
    assert truth_wavs([Item("u1", "a", truth_wav=first)]) == [first]


class Hears:
    """A recogniser that hears what it is told to, file by file."""

    name, spec, higher_is_better, min_seconds = "wer", "hears", False, 0.0

    def __init__(self, *transcripts: str | None) -> None:
        self.transcripts = list(transcripts)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        heard = self.transcripts.pop(0)
        if heard is None:
            return [Score(1.0, {}, False, "the audio is silent")]
        found = word_errors(target.text or "", heard, target.language)
        return [Score(found.rate, found.evidence())]


def test_the_figure_is_the_mean_over_utterances(tmp_path: Path) -> None:
    items = [Item("u1", "One two three four."), Item("u2", "Yes."), Item("u3", "No no.")]
    wavs = [beep(tmp_path / f"{item.utt}.wav") for item in items]
    done: list[int] = []
    found = evaluate_wer(items, wavs, Hears("one two three", "yes yes", None), "en", done.append)
    # A long utterance weighs as much as a short one: (1/4 + 1 + 1) / 3, not (1 + 1 + 2) / 7.
    assert found.rates.rate.mean == pytest.approx((0.25 + 1.0 + 1.0) / 3)
    assert found.rates.deletions == pytest.approx((0.25 + 0.0 + 1.0) / 3)
    assert found.rates.insertions == pytest.approx((0.0 + 1.0 + 0.0) / 3)
    assert found.rates.substitutions == 0.0
    assert found.rates.rate == bootstrap_mean([0.25, 1.0, 1.0])
    assert [errors.rate for errors in found.errors] == [0.25, 1.0, 1.0]
    assert done == [1, 2, 3]
    with pytest.raises(VerifierError, match="no values to average"):
        average([])


def test_chinese_is_counted_by_character(tmp_path: Path) -> None:
    items = [Item("u1", "你好\uff0c世界\u3002")]
    found = evaluate_wer(items, [beep(tmp_path / "u1.wav")], Hears("你好视界"), "zh")
    assert found.rates.rate.mean == 0.25


def test_other_verifiers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="signal is no recogniser"):
        evaluate_wer([Item("u1", "a")], [beep(tmp_path / "u1.wav")], load("signal"), "en")


@pytest.mark.models
def test_the_shipped_voices_by_the_packaged_recogniser(tmp_path: Path) -> None:
    """From the list to the figure with a real recogniser."""
    voices = shipped_voices()[:3]
    path = tmp_path / "meta.lst"
    path.write_text("".join(f"{v.name}|{v.text}|{v.path}|{v.text}|{v.path}\n" for v in voices))
    items = read_meta_list(path)
    found = evaluate_wer(items, truth_wavs(items), load("whisper"), "en")
    assert found.rates.rate.n == 3
    assert found.rates.rate.mean < 0.2
