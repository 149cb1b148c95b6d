"""Word error rate by Paraformer (funasr): the recogniser of seed-tts-eval for Chinese."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.text import base_language
from verifiers.base import About, Target
from verifiers.errors import VerifierError
from verifiers.shared.funasr import HUBS, FunASRModel, fetch_funasr, load_funasr, locate_funasr
from verifiers.shared.isolation import isolated
from verifiers.shared.recogniser import (
    LOWEST_LOGP,
    MIN_SECONDS,
    Recogniser,
    Transcribed,
    text_between,
    text_of,
)
from verifiers.shared.wer import seed_tts_eval
from verifiers.spec import Readers, Spec, one_of, word

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = ("Paraformer", "BiCifParaformer", "SeacoParaformer")
"""Classes of funasr that decode alike as long as there are no hotwords."""
NEEDED = ("token_list", "cmvn_file")
NAMES = {
    "ms": {
        "paraformer-zh": "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        "paraformer": "iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        "paraformer-en": "iic/speech_paraformer-large-vad-punc_asr_nat-en-16k-common-vocab10020",
    },
    "hf": {
        "paraformer-zh": "funasr/paraformer-zh",
        "paraformer": "funasr/paraformer-zh",
        "paraformer-en": "funasr/paraformer-en",
    },
}
"""funasr's short names, which are other models on the other hub: `paraformer-zh` is SeACo on ModelScope
only."""
_PIECE = re.compile(r"[a-z0-9']+|\S")
"""What Paraformer's tokenizer takes as a word: a run of Latin letters, or any other character."""
_ABOVE = 1e-3
"""Added to a number of tokens, so that rounding never keeps the last one from firing."""


class Paraformer(Recogniser):
    """What Paraformer hears against the text of the target; the words of Chinese are its characters.

    Greedy, without hotwords, voice activity detection and punctuation; features without dither. Batches hold
    equal lengths only, because padding changes what is heard.

    Evidence beside the alignment (`verifiers.shared.wer`): logp, the mean log-likelihood of a token of the
    text. As in training, the weights that integrate frames into tokens are scaled to the length of the text,
    and the decoder judges all tokens at once (Gao et al. 2022, arXiv 2206.08317, without the sampler).
    """

    about = About(
        measures="word error rate of what Paraformer hears (Chinese: by character)",
        needs=("text",),
        released={
            "paraformer:paraformer-zh": "Apache-2.0",
            "paraformer:funasr/paraformer-zh?hub=hf": "Apache-2.0",
        },
        min_seconds=MIN_SECONDS,
        extra="funasr",
        modules=("funasr",),
    )
    options: ClassVar[Readers] = {
        **Recogniser.options,
        "hub": one_of(*HUBS),
        "language": word,
        "revision": word,
    }

    def __init__(self, loaded: FunASRModel, *, spec: str, language: str = "zh", **settings: Any) -> None:
        """language: of its training. settings: of `Recogniser`."""
        super().__init__(spec=spec, **settings)
        self._model = loaded.model
        self._frontend = loaded.frontend
        self._tokenizer = loaded.tokenizer
        self._device = loaded.device
        self._language = base_language(language)
        # cif_v1 of this one fails if the last of several rows fires nothing.
        self._row_by_row = type(self._model.predictor).__name__ == "CifPredictorV2"

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        hub, revision = spec.options.get("hub", "ms"), spec.options.get("revision")
        return locate_funasr("paraformer", spec.source, CLASSES, hub, revision, NEEDED, NAMES[hub])

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "Paraformer":
        """`paraformer:SOURCE?batch=&hub=ms|hf&language=&name=&normalizer=&revision=&unit=`; SOURCE: a folder,
        a hub id, or funasr's `paraformer-zh`, `paraformer`, `paraformer-en`."""
        options = cls.read(spec, device)
        folder = fetch_funasr(cls.locate(spec), options.pop("hub", "ms"), options.pop("revision", None))
        with isolated():
            loaded = load_funasr("paraformer", folder, device, CLASSES, needed=NEEDED)
        if loaded.frontend is None or loaded.frontend.fs != SAMPLE_RATE:
            raise VerifierError(
                f"{folder} has no frontend for {SAMPLE_RATE} Hz audio: give a complete model folder"
            )
        if loaded.tokenizer is None or len(loaded.tokenizer.token_list) != loaded.model.vocab_size:
            raise VerifierError(f"{folder} has no tokens of its model: give a complete model folder")
        return cls(loaded, spec=str(spec), **options)

    @property
    def languages(self) -> Collection[str]:
        return (self._language,)

    def transcribe(self, waveforms: list[Waveform], target: Target) -> Transcribed:
        frames, lengths = self._encode(waveforms)
        transcripts = [self._write(ids) for ids in self._greedy(frames, lengths)]
        return Transcribed(transcripts, [{}] * len(transcripts), (frames, lengths))

    def likelihoods(
        self, heard: Transcribed, target: Target, reached: Sequence[int | None]
    ) -> Sequence[float]:
        text, language = text_of(target), target.language
        texts = [text if end is None else text_between(text, language, 0, end) for end in reached]
        frames, lengths = heard.state
        return self._text_likelihoods(frames, lengths, [self._ids(part) for part in texts])

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

    def _text_likelihoods(self, frames: "Tensor", lengths: "Tensor", texts: list[list[int]]) -> list[float]:
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
