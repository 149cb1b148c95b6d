"""Emotion: the zero-shot set of CV3-Eval, and pairs of utterances out of ESD and RAVDESS.

The lists behind the emotion figures of the Llasa paper (arXiv 2502.04128) are not public. Those of ESD and
RAVDESS here are this project's: the prompt is a recording with the emotion, the text is another sentence
that the same speaker says with the same emotion, and the measure is the paper's, the cosine of emotion2vec
features of prompt and speech.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from experiments.documents import read_lines
from experiments.studies.protocols.protocol import (
    Missing,
    Protocol,
    Scoring,
    Utterance,
    need_file,
    need_folder,
)
from experiments.studies.protocols.seed_tts import PARAFORMER, SIM, WHISPER
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, shown

EMOTION2VEC = "emotion2vec:iic/emotion2vec_plus_large"

CV3_FOLDER = "data/emotion_zeroshot"
CV3_EMOTIONS = ("angry", "happy", "sad")
CV3_SOURCE = "data/emotion_zeroshot of github.com/FunAudioLLM/CV3-Eval"

ESD_EMOTIONS = {
    "Neutral": "neutral",
    "Angry": "angry",
    "Happy": "happy",
    "Sad": "sad",
    "Surprise": "surprised",
}
"""The folders of a speaker, in the order of their numbers: 350 utterances each, the same sentences."""
ESD_SENTENCES, ESD_TAKEN = 350, range(21, 51)
"""Sentences of an emotion, and those that are taken of them."""
ESD_SPEAKERS = {"zh": range(1, 11), "en": range(11, 21)}
ESD_SOURCE = (
    "the Emotional Speech Dataset, which github.com/HLTSingapore/Emotional-Speech-Data serves on request"
)

RAVDESS_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
RAVDESS_EMOTIONS = {
    "01": "neutral",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
"""By the third number of a name. Calm (02) is left out: emotion2vec has no such class."""
RAVDESS_SOURCE = "RAVDESS speech (Audio_Speech_Actors_01-24.zip of zenodo.org/records/1188976), unpacked"


def read_cv3(language: str, data: Path) -> Iterator[Utterance | UserError]:
    """Kaldi files `text`, `prompt_text` and `prompt_wav.scp` for each emotion: an id and its value. Paths are
    relative to `data`, the root of the repository."""
    need_folder(data, CV3_FOLDER)
    for emotion in CV3_EMOTIONS:
        folder = need_folder(data, f"{CV3_FOLDER}/{language}/{emotion}")
        texts, prompts, recordings = (
            dict(_kaldi(folder / name)) for name in ("text", "prompt_text", "prompt_wav.scp")
        )
        for id, (where, text) in texts.items():
            lacking = [
                name
                for name, found in (("prompt_text", prompts), ("prompt_wav.scp", recordings))
                if id not in found
            ]
            if lacking:
                yield UserError(f"{where}: {shown(folder / lacking[0])} has no line for {id[:60]!r}: add it")
                continue
            audio = data / recordings[id][1]
            yield Utterance(where, f"{emotion}_{id}", text, language, audio, prompts[id][1], emotion)


def _kaldi(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Lines `id value`, a space or a tab between: id -> (place, value). Raises UserError for an id that is
    there twice."""
    seen: set[str] = set()
    for number, line in read_lines(need_file(path), "the list"):
        if not line.strip():
            continue
        where = f"line {number} of {shown(path)}"
        id, *rest = line.split(maxsplit=1)
        if not rest:
            raise UserError(f"{where} holds an id alone: write the id, a space and its value")
        if id in seen:
            raise UserError(f"{where}: the id {id[:60]!r} is there twice: give each its own")
        seen.add(id)
        yield id, (where, rest[0].strip())


def read_esd(language: str, data: Path) -> Iterator[Utterance | UserError]:
    """For each speaker and emotion the sentences 21 to 50: each is said with the recording of the next one,
    in a circle, as the prompt. Files: SPEAKER/SPEAKER.txt, and SPEAKER/EMOTION/ with SPEAKER_NUMBER.wav in it
    or in folders of it."""
    speakers = [name for number in ESD_SPEAKERS[language] if (data / (name := f"{number:04d}")).is_dir()]
    if not speakers:
        raise Missing(f"there is no speaker {ESD_SPEAKERS[language][0]:04d} or another one in {shown(data)}")
    for speaker in speakers:
        transcript = need_file(data / speaker / f"{speaker}.txt")
        texts = _esd_texts(transcript, language)
        for place, (folder, emotion) in enumerate(ESD_EMOTIONS.items()):
            recordings = {path.stem: path for path in (data / speaker / folder).rglob("*.wav")}
            names = [f"{speaker}_{place * ESD_SENTENCES + number:06d}" for number in ESD_TAKEN]
            for name, prompt in zip(names, [*names[1:], names[0]], strict=True):
                where = f"{name} of {shown(transcript)}"
                lacking = [one for one in (name, prompt) if one not in texts]
                silent = [one for one in (name, prompt) if one not in recordings]
                if lacking:
                    yield UserError(f"{shown(transcript)} has no line for {lacking[0]}: repair it")
                elif silent:
                    yield UserError(
                        f"{shown(data / speaker / folder)} holds no {silent[0]}.wav: unpack it again"
                    )
                else:
                    yield Utterance(
                        where,
                        name,
                        texts[name],
                        language,
                        recordings[prompt],
                        texts[prompt],
                        emotion,
                        recordings[name],
                    )


def _esd_texts(path: Path, language: str) -> dict[str, str]:
    """Lines `NAME TEXT EMOTION` with tabs between. The files of the corpus are in several encodings: UTF-16
    with a byte order mark, UTF-8, or what was usual for the language."""
    content = regular_file(path, "the transcript").read_bytes()
    encodings = (
        ("utf-16",)
        if content[:2] in (b"\xff\xfe", b"\xfe\xff")
        else ("utf-8-sig", "gb18030" if language == "zh" else "latin-1")
    )
    for encoding in encodings:
        try:
            lines = content.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
        fields = [line.strip().split("\t") for line in lines]
        return {found[0].strip(): found[1].strip() for found in fields if len(found) == 3}
    raise UserError(f"the transcript {shown(path)} is neither UTF-8 nor {encodings[-1]}: convert it to UTF-8")


def read_ravdess(data: Path) -> Iterator[Utterance | UserError]:
    """Actor_NN/03-01-EMOTION-INTENSITY-SENTENCE-01-NN.wav, the first of the two repetitions: each of the two
    sentences is said with the recording of the other one as the prompt."""
    actors = sorted(data.glob("Actor_[0-9][0-9]"))
    if not actors:
        raise Missing(f"there is no folder Actor_01 or another one in {shown(data)}")
    for actor in actors:
        for code, emotion in RAVDESS_EMOTIONS.items():
            for intensity in ("01",) if emotion == "neutral" else ("01", "02"):
                names = {
                    sentence: f"03-01-{code}-{intensity}-{sentence}-01-{actor.name[-2:]}"
                    for sentence in RAVDESS_SENTENCES
                }
                for sentence, other in (("01", "02"), ("02", "01")):
                    prompt, truth = (actor / f"{names[one]}.wav" for one in (other, sentence))
                    yield Utterance(
                        f"{truth.name} of {shown(actor)}",
                        names[sentence],
                        RAVDESS_SENTENCES[sentence],
                        "en",
                        prompt,
                        RAVDESS_SENTENCES[other],
                        emotion,
                        truth,
                    )


EARS = {"en": WHISPER, "zh": PARAFORMER}
PROTOCOLS = (
    *(
        Protocol(
            f"cv3-emotion-{language}",
            f"voices with an emotion, emotion_zeroshot/{language} of CV3-Eval",
            f"{CV3_FOLDER}/{language}: {CV3_SOURCE}, whose root is DIR",
            partial(read_cv3, language),
            Scoring(EARS[language], SIM, (f"{EMOTION2VEC}?measure=label",)),
        )
        for language in EARS
    ),
    *(
        Protocol(
            f"esd-{language}",
            f"voices with an emotion, {name} speakers of ESD (this project's list)",
            f"its speakers: {ESD_SOURCE}",
            partial(read_esd, language),
            Scoring(EARS[language], SIM, (EMOTION2VEC,)),
            len(ESD_SPEAKERS[language]) * len(ESD_EMOTIONS) * len(ESD_TAKEN),
        )
        for language, name in (("en", "English"), ("zh", "Chinese"))
    ),
    Protocol(
        "ravdess",
        "voices with an emotion, RAVDESS (this project's list)",
        f"Actor_01 to Actor_24: {RAVDESS_SOURCE}",
        read_ravdess,
        Scoring(WHISPER, SIM, (EMOTION2VEC,)),
        24 * 2 * (1 + 2 * (len(RAVDESS_EMOTIONS) - 1)),
    ),
)
