"""Word error rate by Whisper (openai-whisper), greedy, with the likelihood of the text as a finer measure."""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from llasa_core.audio import Waveform, is_silent
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.models import whisper_model
from verifiers.shared import recogniser as transcription
from verifiers.shared.gate import gated
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_device
from verifiers.shared.recogniser import LOWEST_LOGP, WORST_WER
from verifiers.shared.wer import NORMALIZERS, base_language, is_chinese, seed_tts_eval
from verifiers.shared.windows import split_windows
from verifiers.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
_LOGITS = 1 << 26
"""Values of logits held at once when a text is scored (256 MB): rows are scored in groups below it."""
_OPTIONS = {name: read for name, read in transcription.OPTIONS.items() if name != "revision"}


class WhisperASR:
    """What Whisper hears against the text of the target. Metric "wer": seed-tts-eval's, a share of words
    ("cer" with `unit=character`).

    Temperature 0 and no fallback to sampling, no timestamps, the number of tokens capped by the text's, so
    that hallucinated loops end. Audio longer than the window (30 s as released) is cut where it is quiet.

    Evidence beside the alignment (`verifiers.shared.wer`): no_speech_prob, avg_logprob, compression_ratio as Whisper
    defines them, and logp: the mean log-likelihood of a token of the text given the audio, teacher-forced.
    """

    about = About(
        measures="word error rate of what Whisper hears",
        needs=("text",),
        released={"whisper:nano": "Apache-2.0", "whisper:large-v3": "MIT"},
        min_seconds=transcription.MIN_SECONDS,
    )
    higher_is_better = False
    min_seconds = transcription.MIN_SECONDS

    def __init__(
        self,
        model: Any,
        *,
        spec: str = "whisper:nano",
        name: str = "wer",
        normalizer: str = "seed-tts-eval",
        unit: str = "word",
        batch: int = transcription.DEFAULT_BATCH,
        orthography: str = "written",
    ) -> None:
        """model: whisper.model.Whisper. orthography: "plain" if it writes lower case without punctuation."""
        self.name = name
        self.spec = spec
        self._model = model
        self._normalize = NORMALIZERS[normalizer]
        self._unit = unit
        self._batch = batch
        self._plain = orthography == "plain"

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values(_OPTIONS)
        whisper_model.orthography(whisper_model.find(spec.source))

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return transcription.metric_of(spec)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "WhisperASR":
        """`whisper:SOURCE?batch=&name=&normalizer=&unit=`; SOURCE: nano, folder, .pt file, official name."""
        options = {**spec.values(_OPTIONS), "name": cls.metric(spec)[0]}
        found = whisper_model.find(spec.source)
        with isolated():
            model = whisper_model.load(found, check_device(device))
        return cls(model, spec=str(spec), orthography=whisper_model.orthography(found), **options)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. value: WER, of the best prefix of the text if `partial`."""
        self._check(target)

        def judge(waveforms: list[Waveform]) -> list[Score]:
            import torch

            with isolated(), torch.inference_mode():
                return [
                    score
                    for group in self._groups(waveforms)
                    for score in self._judge(group, target, partial)
                ]

        return gated(candidates, self.min_seconds, WORST_WER, judge)

    def _check(self, target: Target) -> None:
        from whisper.tokenizer import LANGUAGES

        transcription.check_text(target, self._normalize)
        known = LANGUAGES if self._model.is_multilingual else {"en": "english"}
        if base_language(target.language) not in known:
            which = "knows English only" if len(known) == 1 else f"does not know {target.language!r}"
            raise VerifierError(
                f"{self.spec} {which}: use a verifier for {target.language!r}, such as whisper:large-v3"
            )

    def _groups(self, waveforms: list[Waveform]) -> Iterator[list[list[Waveform]]]:
        """Candidates as lists of windows, so many at a time that they fill a batch; none is torn apart."""
        limit = self._model.dims.n_audio_ctx * 2 * 160
        group: list[list[Waveform]] = []
        for waveform in waveforms:
            windows = [w for w in split_windows(waveform, limit) if not is_silent(w)] or [waveform[:limit]]
            if group and sum(map(len, group)) + len(windows) > self._batch:
                yield group
                group = []
            group.append(windows)
        if group:
            yield group

    def _judge(self, group: list[list[Waveform]], target: Target, partial: bool) -> list[Score]:
        from whisper.decoding import DecodingOptions, decode

        language = base_language(target.language)
        tokenizer = self._tokenizer(language)
        start = len(tokenizer.sot_sequence_including_notimestamps)
        text_tokens = len(self._tokens(self._orthography(transcription.text_of(target), language), language))
        options = DecodingOptions(
            language=language,
            temperature=0.0,
            without_timestamps=True,
            fp16=self._half,
            sample_len=max(1, min(self._model.dims.n_text_ctx - start, 2 * text_tokens + 16)),
        )
        counts = [len(windows) for windows in group]
        features = self._encode([window for windows in group for window in windows])
        results = _regroup(decode(self._model, features, options), counts)
        joint = "" if is_chinese(language) else " "
        heard = [
            transcription.compare(
                joint.join(r.text for r in found), target, partial, self._normalize, self._unit
            )
            for found in results
        ]
        texts = [
            text
            for h, found in zip(heard, results, strict=True)
            for text in self._texts(target, h.position if partial else None, found)
        ]
        totals = _regroup(self._likelihoods(features, texts, language, whole=not partial), counts)
        return [
            transcription.scored(h, {**_confidence(found), "logp": _mean(own)})
            for h, found, own in zip(heard, results, totals, strict=True)
        ]

    def _texts(self, target: Target, position: int | None, results: Sequence[Any]) -> list[str]:
        """What each window of a candidate should hold, as the model would write it: of the whole text, or of
        its first `position` words."""
        text, language = transcription.text_of(target), target.language
        if position is None and len(results) == 1:
            return [self._orthography(text, language)]
        words = seed_tts_eval(text, language).split()[:position]
        ends = transcription.boundaries(words, [seed_tts_eval(r.text, language).split() for r in results])
        return [
            self._orthography(transcription.text_between(text, language, first, last), language)
            for first, last in pairwise([0, *ends])
        ]

    def _orthography(self, text: str, language: str) -> str:
        """With the space in front that Whisper's transcripts start with; "" for no text."""
        written = " ".join(seed_tts_eval(text, language).split()) if self._plain else text.strip()
        return f" {written}" if written else ""

    def _encode(self, windows: list[Waveform]) -> "Tensor":
        """[windows, n_audio_ctx, n_audio_state]. The log-mel range is that of each window alone."""
        import torch
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        dims, device = self._model.dims, self._model.device
        mels = [
            log_mel_spectrogram(pad_or_trim(window, dims.n_audio_ctx * 2 * 160), dims.n_mels, device=device)
            for window in windows
        ]
        stacked = torch.stack(mels)
        features: Tensor = self._model.encoder(stacked.half() if self._half else stacked)
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
