"""Test sets in the format of seed-tts-eval (meta.lst), and the word error rate of the speech made for them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llasa_core.audio import read_audio
from llasa_core.errors import UserError
from verifiers.base import Score, Target, Verifier
from verifiers.shared.wer import ErrorRates, WordErrors, align, average, word_errors


@dataclass(frozen=True, slots=True)
class Item:
    """One utterance. text: what is to be said. prompt_text, prompt_wav: the voice. truth_wav: a recording of
    the text. None: not in the list."""

    utt: str
    text: str
    prompt_text: str | None = None
    prompt_wav: Path | None = None
    truth_wav: Path | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """rates: the figures of the set; errors: of each utterance, in the order of the list."""

    rates: ErrorRates
    errors: tuple[WordErrors, ...]


def read_meta_list(path: Path) -> list[Item]:
    """The lines of a meta.lst, in their order; paths are relative to the folder of the list.

    Fields as get_wav_res_ref_text.py of BytedanceSpeech/seed-tts-eval reads them: `utt|text`,
    `utt[.wav]|text|prompt_wav`, `utt|prompt_text|prompt_wav|text`, and the same with `|truth_wav`.
    Raises UserError for a list that cannot be read, a line of another form, and a prompt that is not there.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list {path} ({error}): give a meta.lst in UTF-8") from None
    items = [_item(line.strip(), path, number) for number, line in enumerate(lines, start=1) if line.strip()]
    if not items:
        raise UserError(f"the list {path} is empty: give one utterance a line, as in utt|text")
    _check((item.prompt_wav for item in items if item.prompt_wav), f"prompts of {path}")
    return items


def generated_wavs(items: Sequence[Item], folder: Path) -> list[Path]:
    """`<utt>.wav` in the folder for each item. Raises UserError that names what is missing: seed-tts-eval
    leaves such utterances out, and its mean is then that of another set."""
    found = [folder / f"{item.utt}.wav" for item in items]
    _check(found, f"generated speech in {folder}")
    return found


def truth_wavs(items: Sequence[Item]) -> list[Path]:
    """The recording of each item. Raises UserError if the list names none or one is missing."""
    without = [item.utt for item in items if item.truth_wav is None]
    if without:
        raise UserError(f"the list has no recording of {without[0]}: only lines of five fields name one")
    found = [item.truth_wav for item in items if item.truth_wav is not None]
    _check(found, "recordings")
    return found


def evaluate_wer(
    items: Sequence[Item],
    wavs: Sequence[Path],
    recogniser: Verifier,
    language: str,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """The word error rate of seed-tts-eval (of Chinese: by character), one file for each item.

    recogniser: whisper:large-v3 for English and paraformer:paraformer-zh for Chinese give the published
    figures. Audio that cannot be judged (silent, say) counts as all words missed. progress: called with the
    number of utterances done.
    """
    errors = []
    for done, (item, wav) in enumerate(zip(items, wavs, strict=True), start=1):
        target = Target(text=item.text, language=language)
        errors.append(_errors(recogniser.score([read_audio(wav)], target)[0], item, language, recogniser))
        progress(done)
    return Evaluation(average(errors), tuple(errors))


def _errors(score: Score, item: Item, language: str, recogniser: Verifier) -> WordErrors:
    if not score.usable:
        return word_errors(item.text, "", language)
    if not {"reference", "heard"} <= score.evidence.keys():
        raise UserError(f"{recogniser.spec} is no recogniser: give whisper, paraformer or hubert-ctc")
    return align(score.evidence["reference"], score.evidence["heard"])


def _item(line: str, path: Path, number: int) -> Item:
    fields = line.split("|")
    if len(fields) == 2:
        utt, text = fields
        return Item(utt, text)
    if len(fields) == 3:
        utt, text, wav = fields
        return Item(utt.removesuffix(".wav"), text, None, path.parent / wav)
    if len(fields) in (4, 5):
        utt, prompt_text, wav, text = fields[:4]
        truth = path.parent / fields[4] if len(fields) == 5 else None
        return Item(utt, text, prompt_text, path.parent / wav, truth)
    raise UserError(
        f"line {number} of {path} has {len(fields)} fields: write utt|prompt_text|prompt_wav|text[|truth_wav], "
        "utt|text|prompt_wav or utt|text"
    )


def _check(files: Iterable[Path], what: str) -> None:
    missing = [file for file in files if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{what}: {missing[0]} does not exist{more}: every file of the list is needed")
