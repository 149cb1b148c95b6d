"""Word error rate by Whisper (openai-whisper), greedy, with the likelihood of the text as a finer measure."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from llasa_core.audio import SAMPLE_RATE, Waveform, is_silent
from llasa_core.loading import check_device
from llasa_core.text import base_language
from verifiers.base import About, Target
from verifiers.models import whisper_ct2, whisper_model
from verifiers.shared.isolation import isolated
from verifiers.shared.recogniser import (
    LOWEST_LOGP,
    MIN_SECONDS,
    Recogniser,
    Transcribed,
    boundaries,
    text_between,
    text_of,
)
from verifiers.shared.wer import is_chinese, seed_tts_eval
from verifiers.shared.wheels import Wheel
from verifiers.shared.windows import split_windows
from verifiers.spec import Readers, Spec

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
AUTO = "auto"
SHORTEST_WINDOW, LONGEST_WINDOW = 1.0, 30.0
"""Seconds that the option `window` may give."""
MARGIN, STEP = 6.0, 1.0
"""Seconds. With window=auto: silence behind the audio, and what the sum is rounded up to a multiple of, so
that audio of similar length shares a batch."""
SAMPLES = 320
"""Of a position of the encoder: two frames of the log-mel spectrogram."""
_LOGITS = 1 << 26
"""Values of logits held at once when a text is scored (256 MB): rows are scored in groups below it."""


def _window(text: str) -> float | str:
    """Reads the option `window`."""
    if text == AUTO:
        return text
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
        raise ValueError(f"has to be {AUTO}, or from {SHORTEST_WINDOW:g} to {LONGEST_WINDOW:g} seconds")
    return seconds


def _positions(seconds: float) -> int:
    """Of the encoder, that hold so many seconds: 50 a second, rounded up."""
    return math.ceil(seconds * SAMPLE_RATE / SAMPLES)


@dataclass(frozen=True, slots=True)
class _State:
    """features: [windows, positions, n_audio_state]. transcripts: of the windows of each candidate."""

    features: "Tensor"
    transcripts: list[list[str]]


class WhisperASR(Recogniser):
    """What Whisper hears against the text of the target.

    Temperature 0 and no fallback to sampling, no timestamps, the number of tokens capped by the text's, so
    that hallucinated loops end; with a benchmark's normaliser all of them are counted, as benchmarks do.
    Audio longer than the window (30 s as released) is cut where it is quiet.

    The encoder computes its whole window however short the audio is. `window=SECONDS` makes it shorter, by as
    many of its positions and frames, and `window=auto` as short as each audio allows: faster, and now and
    then another reading, as the model was trained on 30 s.

    Evidence beside the alignment (`verifiers.shared.wer`): no_speech_prob, avg_logprob, compression_ratio as
    Whisper defines them, and logp: the mean log-likelihood of a token of the text given the audio,
    teacher-forced.
    """

    about = About(
        measures="word error rate of what Whisper hears",
        needs=("text",),
        released={
            "whisper:nano": "Apache-2.0",
            "whisper:tiny.en": "MIT",
            "whisper:base": "MIT",
            "whisper:large-v3": "MIT",
        },
        min_seconds=MIN_SECONDS,
    )
    max_seconds = math.inf
    options: ClassVar[Readers] = {**Recogniser.options, "window": _window}

    def __init__(
        self,
        model: Any,
        *,
        spec: str = "whisper:nano",
        orthography: str = "written",
        window: float | Literal["auto"] | None = None,
        **settings: Any,
    ) -> None:
        """model: whisper.model.Whisper. orthography: "plain" if it writes lower case without punctuation.
        window: seconds, at most those that the model was made with, which None stands for. settings: of
        `Recogniser`."""
        super().__init__(spec=spec, **settings)
        self._model = model
        self._plain = orthography == "plain"
        self._auto = window == AUTO
        self._positions: int = model.dims.n_audio_ctx
        if isinstance(window, float):
            self._positions = min(self._positions, _positions(window))
        self._cut: dict[int, Any] = {}

    @classmethod
    def is_name(cls, spec: Spec) -> bool:
        return whisper_model.is_official(spec.source)

    @classmethod
    def canonical(cls, spec: Spec) -> str:
        return whisper_model.OFFICIAL[spec.source] if cls.is_name(spec) else super().canonical(spec)

    @classmethod
    def wheel(cls, spec: Spec) -> Wheel | None:
        return whisper_ct2.WHEELS.get(spec.source) if whisper_model.is_official(spec.source) else None

    @classmethod
    def origin(cls, spec: Spec) -> str:
        return "openai-whisper's cache" if isinstance(cls.locate(spec), str) else super().origin(spec)

    @classmethod
    def locate(cls, spec: Spec) -> Path | str | Wheel:
        found = whisper_model.find(spec.source)
        whisper_model.orthography(found)
        return found

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WhisperASR":
        """`whisper:SOURCE?batch=&name=&normalizer=&unit=&window=`; SOURCE: nano, folder, .pt file, official
        name."""
        options, found = cls.read(spec, device), cls.locate(spec)
        with isolated():
            check_device(device)
            model = whisper_model.load(found, device)
        if device.startswith("cuda") and "batch" not in spec.options:
            options["batch"] = min(options["batch"], whisper_model.windows_that_fit(model.dims, device))
        return cls(model, spec=str(spec), orthography=whisper_model.orthography(found), **options)

    @property
    def languages(self) -> Collection[str]:
        from whisper.tokenizer import LANGUAGES

        return LANGUAGES if self._model.is_multilingual else ("en",)

    def batches(self, waveforms: list[Waveform]) -> Iterator[list[int]]:
        """Candidates of equal positions in their order, as many at a time as their windows fill a batch; none
        is torn apart."""
        rows: dict[int, list[int]] = {}
        for row, waveform in enumerate(waveforms):
            rows.setdefault(self._positions_of(waveform), []).append(row)
        for own in rows.values():
            yield from self._filled(own, waveforms)

    def _filled(self, rows: list[int], waveforms: list[Waveform]) -> Iterator[list[int]]:
        group: list[int] = []
        filled = 0
        for row in rows:
            windows = len(self._windows(waveforms[row]))
            if group and filled + windows > self._batch:
                yield group
                group, filled = [], 0
            group.append(row)
            filled += windows
        if group:
            yield group

    def _positions_of(self, waveform: Waveform) -> int:
        """Of the encoder, for each window of a candidate."""
        if not self._auto:
            return self._positions
        seconds = STEP * math.ceil((len(waveform) / SAMPLE_RATE + MARGIN) / STEP)
        return min(self._positions, _positions(seconds))

    def _windows(self, waveform: Waveform) -> list[Waveform]:
        """The windows of a candidate that are not silent, at least one."""
        limit = self._positions * SAMPLES
        loud = [w for w in split_windows(waveform, limit) if not is_silent(w)]
        return loud or [waveform[:limit]]

    def _model_of(self, positions: int) -> Any:
        """The model with so many positions of the encoder."""
        if positions == self._model.dims.n_audio_ctx:
            return self._model
        if positions not in self._cut:
            self._cut[positions] = whisper_model.cut(self._model, positions)
        return self._cut[positions]

    def transcribe(self, waveforms: list[Waveform], target: Target) -> Transcribed:
        from whisper.decoding import DecodingOptions, decode

        language = base_language(target.language)
        tokenizer = self._tokenizer(language)
        start = len(tokenizer.sot_sequence_including_notimestamps)
        room = self._model.dims.n_text_ctx - start
        if self._normalize is None:
            text_tokens = len(self._tokens(self._orthography(text_of(target), language), language))
            room = min(room, 2 * text_tokens + 16)
        options = DecodingOptions(
            language=language,
            temperature=0.0,
            without_timestamps=True,
            fp16=self._half,
            sample_len=max(1, room),
        )
        model = self._model_of(self._positions_of(waveforms[0]))
        windows = [self._windows(waveform) for waveform in waveforms]
        features = self._encode([window for own in windows for window in own], model)
        results = _regroup(decode(model, features, options), [len(own) for own in windows])
        # Whisper's own text keeps special tokens such as <|notimestamps|> that the model happens to choose.
        transcripts = [
            [tokenizer.decode([t for t in r.tokens if t < tokenizer.eot]).strip() for r in own]
            for own in results
        ]
        joint = "" if is_chinese(language) else " "
        return Transcribed(
            [joint.join(own) for own in transcripts],
            [_confidence(own) for own in results],
            _State(features, transcripts),
        )

    def likelihoods(
        self, heard: Transcribed, target: Target, reached: Sequence[int | None]
    ) -> Sequence[float]:
        state: _State = heard.state
        texts = [
            text
            for end, own in zip(reached, state.transcripts, strict=True)
            for text in self._texts(target, end, own)
        ]
        whole = all(end is None for end in reached)
        totals = self._likelihoods(state.features, texts, base_language(target.language), whole=whole)
        return [_mean(own) for own in _regroup(totals, [len(own) for own in state.transcripts])]

    def _texts(self, target: Target, position: int | None, transcripts: Sequence[str]) -> list[str]:
        """What each window of a candidate should hold, as the model would write it: of the whole text, or of
        its first `position` words."""
        text, language = text_of(target), target.language
        if position is None and len(transcripts) == 1:
            return [self._orthography(text, language)]
        words = seed_tts_eval(text, language).split()[:position]
        ends = boundaries(words, [seed_tts_eval(part, language).split() for part in transcripts])
        return [
            self._orthography(text_between(text, language, first, last), language)
            for first, last in pairwise([0, *ends])
        ]

    def _orthography(self, text: str, language: str) -> str:
        """With the space in front that Whisper's transcripts start with; "" for no text."""
        written = " ".join(seed_tts_eval(text, language).split()) if self._plain else text.strip()
        return f" {written}" if written else ""

    def _encode(self, windows: list[Waveform], model: Any) -> "Tensor":
        """[windows, n_audio_ctx, n_audio_state]. The log-mel range is that of each window alone."""
        import torch
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        dims = model.dims
        mels = [
            log_mel_spectrogram(
                pad_or_trim(window, dims.n_audio_ctx * SAMPLES), dims.n_mels, device=model.device
            )
            for window in windows
        ]
        stacked = torch.stack(mels)
        features: Tensor = model.encoder(stacked.half() if self._half else stacked)
        return features

    def _likelihoods(
        self, features: "Tensor", texts: list[str], language: str, *, whole: bool
    ) -> list[tuple[float, int]]:
        """(log-likelihood, tokens) of each text given its row of features; with the end token if `whole`."""
        import torch

        tokenizer, dims = self._tokenizer(language), self._model.dims
        start = list(tokenizer.sot_sequence_including_notimestamps)
        end = [tokenizer.eot] if whole else []
        rows = [
            (self._tokens(text, language) + end if text else [])[: dims.n_text_ctx + 1 - len(start)]
            for text in texts
        ]
        longest = max(map(len, rows))
        if longest == 0:
            return [(0.0, 0)] * len(rows)
        found: list[tuple[float, int]] = []
        at_once = max(1, _LOGITS // (dims.n_vocab * (len(start) + longest - 1)))
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            padded = [start + row + [tokenizer.eot] * (longest - len(row)) for row in some]
            tokens = torch.tensor(padded, device=features.device)
            logits = self._model.decoder(tokens[:, :-1], features[first : first + at_once])
            logp = logits[:, len(start) - 1 :].float().log_softmax(-1)
            taken = logp.gather(-1, tokens[:, len(start) :, None])[..., 0].double().cpu()
            found += [(float(taken[i, : len(row)].sum()), len(row)) for i, row in enumerate(some)]
        return found

    def _tokens(self, text: str, language: str) -> list[int]:
        """Markers that a text happens to contain are letters like any others."""
        return list(self._tokenizer(language).encode(text, disallowed_special=()))

    def _tokenizer(self, language: str) -> Any:
        from whisper.tokenizer import get_tokenizer

        model = self._model
        return get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=language, task="transcribe"
        )

    @property
    def _half(self) -> bool:
        return bool(self._model.device.type == "cuda")


def _confidence(results: Sequence[Any]) -> dict[str, Any]:
    """Whisper's own signs of trouble: the worst of the windows, avg_logprob over all tokens."""
    counts = [len(result.tokens) + 1 for result in results]
    weighted = sum(result.avg_logprob * count for result, count in zip(results, counts, strict=True))
    return {
        "windows": len(results),
        "no_speech_prob": max(float(result.no_speech_prob) for result in results),
        "avg_logprob": float(weighted / sum(counts)),
        "compression_ratio": max(float(result.compression_ratio) for result in results),
    }


def _regroup(items: Sequence[T], counts: Sequence[int]) -> list[list[T]]:
    """The windows' items, candidate by candidate."""
    rest = iter(items)
    return [list(islice(rest, count)) for count in counts]


def _mean(totals: Sequence[tuple[float, int]]) -> float:
    """Of a token, over the windows."""
    tokens = sum(count for _, count in totals)
    return max(sum(total for total, _ in totals) / tokens, LOWEST_LOGP) if tokens else LOWEST_LOGP
