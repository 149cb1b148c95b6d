"""Word error rate by Paraformer (funasr): the recogniser of seed-tts-eval for Chinese."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llasa_core.audio import Waveform
from verifiers.base import About, Score, Target
from verifiers.errors import VerifierError
from verifiers.models import paraformer_model
from verifiers.shared import recogniser as transcription
from verifiers.shared.gate import gated
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_device, require
from verifiers.shared.recogniser import LOWEST_LOGP, WORST_WER
from verifiers.shared.wer import NORMALIZERS, base_language, seed_tts_eval
from verifiers.shared.windows import equal_lengths
from verifiers.spec import Spec, one_of, word

if TYPE_CHECKING:
    from torch import Tensor

_OPTIONS = {**transcription.OPTIONS, "hub": one_of(*paraformer_model.HUBS), "language": word}
_PIECE = re.compile(r"[a-z0-9']+|\S")
"""What Paraformer's tokenizer takes as a word: a run of Latin letters, or any other character."""
_ABOVE = 1e-3
"""Added to a number of tokens, so that rounding never keeps the last one from firing."""


class Paraformer:
    """What Paraformer hears against the text of the target. Metric "wer": seed-tts-eval's, a share of words,
    which are characters in Chinese ("cer" with `unit=character`).

    Greedy, without hotwords, voice activity detection and punctuation; features without dither. Batches hold
    equal lengths only, because padding changes what is heard.

    Evidence beside the alignment (`verifiers.shared.wer`): logp, the mean log-likelihood of a token of the text. As
    in training, the weights that integrate frames into tokens are scaled to the length of the text, and the
    decoder judges all tokens at once (Gao et al. 2022, arXiv 2206.08317, without the sampler).
    """

    about = About(
        measures="word error rate of what Paraformer hears (Chinese: by character)",
        needs=("text",),
        released={
            "paraformer:paraformer-zh": "Apache-2.0",
            "paraformer:funasr/paraformer-zh?hub=hf": "Apache-2.0",
        },
        min_seconds=transcription.MIN_SECONDS,
        extra="funasr",
        modules=("funasr",),
    )
    higher_is_better = False
    min_seconds = transcription.MIN_SECONDS

    def __init__(
        self,
        loaded: Any,
        *,
        spec: str,
        name: str = "wer",
        normalizer: str = "seed-tts-eval",
        unit: str = "word",
        batch: int = transcription.DEFAULT_BATCH,
        language: str = "zh",
    ) -> None:
        """loaded: as from `verifiers.models.paraformer_model.load`. language: of its training."""
        self.name = name
        self.spec = spec
        self._model = loaded.model
        self._frontend = loaded.kwargs["frontend"]
        self._tokenizer = loaded.kwargs["tokenizer"]
        self._device = loaded.kwargs["device"]
        self._normalize = NORMALIZERS[normalizer]
        self._unit = unit
        self._batch = batch
        self._language = base_language(language)
        # cif_v1 of this one fails if the last of several rows fires nothing.
        self._row_by_row = type(self._model.predictor).__name__ == "CifPredictorV2"

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        options = spec.values(_OPTIONS)
        require(spec.kind, cls.about)
        paraformer_model.find(spec.source, options.get("hub", "ms"), revision=options.get("revision"))

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return transcription.metric_of(spec)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "Paraformer":
        """`paraformer:SOURCE?batch=&hub=ms|hf&language=&name=&normalizer=&revision=&unit=`; SOURCE: a folder,
        a hub id, or funasr's `paraformer-zh`, `paraformer`, `paraformer-en`."""
        options = {**spec.values(_OPTIONS), "name": cls.metric(spec)[0]}
        hub, revision = options.pop("hub", "ms"), options.pop("revision", None)
        require(spec.kind, cls.about)
        found = paraformer_model.find(spec.source, hub, revision=revision)
        with isolated():
            loaded = paraformer_model.load(found, check_device(device), hub, revision=revision)
        return cls(loaded, spec=str(spec), **options)

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`. value: WER, of the best prefix of the text if `partial`."""
        transcription.check_text(target, self._normalize)
        if base_language(target.language) != self._language:
            raise VerifierError(
                f"{self.spec} knows {self._language!r} only: use a verifier for {target.language!r}, "
                "such as whisper:large-v3"
            )

        def judge(waveforms: list[Waveform]) -> list[Score]:
            import torch

            scores: dict[int, Score] = {}
            with isolated(), torch.inference_mode():
                for rows in equal_lengths(waveforms, self._batch):
                    found = self._judge([waveforms[row] for row in rows], target, partial)
                    scores.update(zip(rows, found, strict=True))
            return [scores[row] for row in range(len(waveforms))]

        return gated(candidates, self.min_seconds, WORST_WER, judge)

    def _judge(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        """waveforms: of one length."""
        frames, lengths = self._encode(waveforms)
        heard = [
            transcription.compare(self._write(ids), target, partial, self._normalize, self._unit)
            for ids in self._greedy(frames, lengths)
        ]
        text, language = transcription.text_of(target), target.language
        texts = [
            transcription.text_between(text, language, 0, h.position) if partial else text for h in heard
        ]
        logp = self._likelihoods(frames, lengths, [self._ids(part) for part in texts])
        return [transcription.scored(h, {"logp": value}) for h, value in zip(heard, logp, strict=True)]

    def _encode(self, waveforms: list[Waveform]) -> tuple["Tensor", "Tensor"]:
        """Frames [waveforms, frames, size] of 60 ms and their numbers [waveforms]."""
        import torch

        speech = torch.from_numpy(np.stack(waveforms))
        features, lengths = self._frontend(speech, torch.full((len(speech),), speech.shape[1]))
        frames, lengths = self._model.encode(features.to(self._device), lengths.to(self._device))
        return frames, lengths

    def _greedy(self, frames: "Tensor", lengths: "Tensor") -> list[list[int]]:
        """The likeliest token at each place that fires; [] for audio in which none does."""
        logp = self._decode(frames, lengths, self._integrate(frames, lengths))
        return [row.argmax(-1).tolist() for row in logp]

    def _likelihoods(self, frames: "Tensor", lengths: "Tensor", texts: list[list[int]]) -> list[float]:
        """Mean log-likelihood of the tokens of each text."""
        import torch

        counts = torch.tensor([max(len(ids), 1) for ids in texts], device=frames.device)
        logp = self._decode(frames, lengths, self._integrate(frames, lengths, counts))
        found = []
        for row, ids in zip(logp, texts, strict=True):
            taken = row[range(len(ids)), ids] if ids else row.new_full((1,), LOWEST_LOGP)
            found.append(max(float(taken.double().mean()), LOWEST_LOGP))
        return found

    def _integrate(
        self, frames: "Tensor", lengths: "Tensor", counts: "Tensor | None" = None
    ) -> list["Tensor"]:
        """What the predictor makes of the frames: for each row [tokens, size], or `counts` tokens [rows]."""
        import torch
        from funasr.models.transformer.utils.nets_utils import make_pad_mask

        mask = (~make_pad_mask(lengths, maxlen=frames.shape[1])[:, None, :]).to(frames.device)
        tokens: list[Tensor] = []
        for rows in range(len(frames)) if self._row_by_row else [slice(None)]:
            some = slice(rows, rows + 1) if isinstance(rows, int) else rows
            wanted = None if counts is None else counts[some].float() + _ABOVE
            embeds, fired = self._model.predictor(
                frames[some], None, mask[some], self._model.ignore_id, None, wanted
            )[:2]
            numbers = fired.round().long() if counts is None else counts[some]
            padded = torch.nn.functional.pad(embeds, (0, 0, 0, max(0, int(numbers.max()) - embeds.shape[1])))
            tokens += [row[:number] for row, number in zip(padded, numbers.tolist(), strict=True)]
        return tokens

    def _decode(self, frames: "Tensor", lengths: "Tensor", tokens: list["Tensor"]) -> list["Tensor"]:
        """Log-probabilities [tokens, vocabulary] for each row of integrated tokens [tokens, size]."""
        import torch

        found = [row.new_zeros(0, self._model.vocab_size) for row in tokens]
        rows = [index for index, row in enumerate(tokens) if len(row)]
        if not rows:
            return found
        numbers = torch.tensor([len(tokens[row]) for row in rows], device=frames.device)
        padded = torch.nn.utils.rnn.pad_sequence([tokens[row] for row in rows], batch_first=True)
        logits = self._model.decoder(frames[rows], lengths[rows], padded, numbers)[0]
        for row, values, number in zip(rows, logits.float().log_softmax(-1), numbers.tolist(), strict=True):
            found[row] = values[:number].cpu()
        return found

    def _write(self, ids: Sequence[int]) -> str:
        """The tokens as text, as funasr writes it where it has no times."""
        from funasr.utils.postprocess_utils import sentence_postprocess

        unwritten = {self._model.sos, self._model.eos, self._model.blank_id}
        tokens = self._tokenizer.ids2tokens([number for number in ids if number not in unwritten])
        return str(sentence_postprocess(tokens)[0])

    def _ids(self, text: str) -> list[int]:
        """Tokens of a text, with the end token where the model was trained with one; what the vocabulary
        lacks is left out. [] for a text without any."""
        pieces = _PIECE.findall(seed_tts_eval(text, "en"))
        tokens = self._tokenizer.text2tokens(" ".join(pieces))
        ids = [number for number in self._tokenizer.tokens2ids(tokens) if number != self._tokenizer.unk_id]
        return ids + [self._model.eos] * self._model.predictor_bias if ids else []
