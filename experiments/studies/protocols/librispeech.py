"""LibriSpeech test-clean: continuation as in VALL-E (arXiv 2301.02111), and F5-TTS's cross-sentence list.

The two are different protocols. Continuation: the first 3 s of each utterance and its whole transcript are
the prompt, and the model goes on; words are counted in prompt and continuation together, over the whole set,
and the voice of the continuation alone is compared with the 3 s (keonlee9420/evaluate-zero-shot-tts,
`evaluate.py -t wav_c`). Cross-sentence: the prompt is another utterance of the same speaker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.documents import read_lines
from experiments.studies.protocols.protocol import (
    POOLED,
    Missing,
    Protocol,
    Scoring,
    Utterance,
    need_file,
    need_folder,
)
from experiments.studies.protocols.seed_tts import SIM, WHISPER
from llasa_core.audio import AudioError
from llasa_core.errors import UserError, first_line
from llasa_core.paths import regular_file, shown

CORPUS = ("LibriSpeech/test-clean", "test-clean")
SOURCE = "LibriSpeech/test-clean, which openslr.org/12 serves as test-clean.tar.gz"
SHORTEST, LONGEST = 4.0, 10.0
"""Seconds of the utterances that are taken, both included."""
PROMPT_SECONDS = 3.0
TRIALS = 3
LIST = "librispeech_pc_test_clean_cross_sentence.lst"


def read_continuation(data: Path) -> Iterator[Utterance | UserError]:
    """The utterances of 4 to 10 s, by their ids, each TRIALS times as `ID_wav_c_TRIAL`.

    Transcripts are in lower case, as evaluate-zero-shot-tts gives them to models. The prompt text is the
    whole transcript here: how many of its words are in the first 3 s is heard when the prompt is cut.
    """
    corpus = need_folder(data, *CORPUS)
    found = 0
    for transcripts in sorted(corpus.glob("*/*/*.trans.txt")):
        for number, line in read_lines(transcripts, "the transcripts"):
            if not line.strip():
                continue
            where = f"line {number} of {shown(transcripts)}"
            id, _, text = line.strip().partition(" ")
            recording = transcripts.parent / f"{id}.flac"
            try:
                length = _seconds(recording)
            except (UserError, AudioError) as error:
                yield UserError(f"{where}: {error}")
                continue
            found += 1
            if not SHORTEST <= length <= LONGEST:
                continue
            text = text.lower()
            for trial in range(TRIALS):
                name = f"{id}_wav_c_{trial}"
                yield Utterance(where, name, text, "en", recording, text, truth=recording, group=id)
    if not found:
        raise Missing(f"{shown(corpus)} holds no SPEAKER/CHAPTER/*.trans.txt")


def read_cross_sentence(data: Path) -> Iterator[Utterance | UserError]:
    """Lines of six fields between tabs: prompt's id, seconds and text, target's id, seconds and text."""
    listed = need_file(data / LIST)
    corpus = need_folder(data, *CORPUS)
    for number, line in read_lines(listed, "the list"):
        if not line.strip():
            continue
        where, fields = f"line {number} of {shown(listed)}", line.split("\t")
        if len(fields) != 6:
            yield UserError(
                f"{where} has {len(fields)} fields: write ref_utt, ref_dur, ref_txt, gen_utt, gen_dur and "
                "gen_txt with tabs between them"
            )
            continue
        prompt, _, prompt_text, id, _, text = (field.strip() for field in fields)
        try:
            audio, truth = _recording(corpus, prompt), _recording(corpus, id)
        except UserError as error:
            yield UserError(f"{where}: {error}")
            continue
        yield Utterance(where, id, text, "en", audio, prompt_text, truth=truth)


def _recording(corpus: Path, id: str) -> Path:
    """SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac."""
    parts = id.split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise UserError(f"the id {id[:60]!r} is none of LibriSpeech: write it as 4992-41806-0009")
    return corpus / parts[0] / parts[1] / f"{id}.flac"


def _seconds(path: Path) -> float:
    """Duration by the header."""
    import soundfile

    file = regular_file(path, "recording")
    try:
        found = soundfile.info(file)
        return float(found.frames / found.samplerate)
    except (OSError, RuntimeError, ZeroDivisionError) as error:
        raise AudioError(f"recording {shown(path)} cannot be read ({first_line(error)})") from None


PROTOCOLS = (
    Protocol(
        "librispeech-continuation",
        "going on from the first 3 s, LibriSpeech test-clean, 4 to 10 s",
        SOURCE,
        read_continuation,
        Scoring(
            ("hubert-ctc:facebook/hubert-large-ls960-ft",),
            SIM,
            variant="f5",
            average=POOLED,
            prompt_seconds=PROMPT_SECONDS,
        ),
        1237,
        TRIALS,
    ),
    Protocol(
        "librispeech-pc",
        "zero-shot voices across sentences, LibriSpeech-PC test-clean as F5-TTS lists it",
        f"{LIST} (data/ of github.com/SWivid/F5-TTS) and {SOURCE}",
        read_cross_sentence,
        Scoring(WHISPER, SIM, variant="f5"),
        1127,
    ),
)
