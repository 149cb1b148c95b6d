"""Word error rate by HuBERT with a CTC head (transformers): a recogniser that cannot invent sentences."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.loading import check_device
from llasa_core.text import base_language
from verifiers.base import About, Target
from verifiers.errors import VerifierError
from verifiers.shared.isolation import isolated
from verifiers.shared.loading import check_sample_rate, from_hub, from_pretrained, locate_transformers
from verifiers.shared.recogniser import LOWEST_LOGP, MIN_SECONDS, Recogniser, Transcribed, text_of
from verifiers.shared.wer import seed_tts_eval
from verifiers.shared.windows import equal_lengths, pad_on, similar_lengths
from verifiers.spec import Readers, Spec, word

if TYPE_CHECKING:
    from torch import Tensor

FILES = ("vocab.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Letters:
    """The output alphabet. by_id: a character, " " between words, or "" for what is not written."""

    by_id: Mapping[int, str]
    blank: int

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, vocab_size: int, blank: int) -> "Letters":
        """From a Wav2Vec2CTCTokenizer. Raises VerifierError if it does not name every output of the model."""
        names = {number: token for token, number in tokenizer.get_vocab().items() if number < vocab_size}
        if sorted(names) != list(range(vocab_size)) or tokenizer.pad_token_id != blank:
            raise VerifierError(
                f"vocab.json names {len(names)} of the model's {vocab_size} outputs and has the blank at "
                f"{tokenizer.pad_token_id}, the model at {blank}: give the vocab.json that belongs to it"
            )
        unwritten = set(tokenizer.all_special_tokens)
        space = tokenizer.word_delimiter_token
        written = {i: " " if t == space else "" if t in unwritten else t for i, t in names.items()}
        return cls(written, blank)

    def ids(self, words: Sequence[str]) -> list[int]:
        """Outputs that spell the words, in the alphabet's own case; characters that it lacks are left out."""
        known = {character: number for number, character in self.by_id.items() if character}
        cased = " ".join(words)
        cased = cased.upper() if "A" in known else cased.lower()
        return [known[character] for character in cased if character in known]

    def spell(self, path: Sequence[int], frame_seconds: float) -> list[tuple[str, float, float]]:
        """(word, start, end) in seconds of the best path [frames]: repeats are one, blanks are none."""
        words: list[tuple[str, float, float]] = []
        new = True
        frame = 0
        for number, run in groupby(path):
            start, frame = frame, frame + sum(1 for _ in run)
            character = self.by_id[number]
            if number == self.blank or not character:
                continue
            if character == " ":
                new = True
                continue
            text, began, _ = ("", start * frame_seconds, 0.0) if new else words.pop()
            words.append((text + character, began, frame * frame_seconds))
            new = False
        return words


class HubertCTC(Recogniser):
    """What HuBERT-CTC hears against the text of the target.

    Greedy CTC without a language model. Audio is normalised as the model's preprocessor_config.json says.
    Batches hold equal lengths; on a GPU similar ones, with a mask, of models that give the same then.

    Evidence beside the alignment (`verifiers.shared.wer`): heard_at, [word, start, end] in seconds; and logp:
    the CTC log-likelihood of the text (over all alignments) for each of its characters.
    """

    about = About(
        measures="word error rate of what HuBERT-CTC hears, letter by letter",
        needs=("text",),
        released={"hubert-ctc:nano": "Apache-2.0", "hubert-ctc:facebook/hubert-large-ls960-ft": "Apache-2.0"},
        min_seconds=MIN_SECONDS,
    )
    options: ClassVar[Readers] = {**Recogniser.options, "language": word, "revision": word}

    def __init__(
        self,
        model: Any,
        extractor: Any,
        letters: Letters,
        *,
        spec: str = "hubert-ctc:nano",
        language: str = "en",
        padded: bool = False,
        **settings: Any,
    ) -> None:
        """model: HubertForCTC. extractor: its Wav2Vec2FeatureExtractor. language: of its training. padded:
        whether batches hold similar lengths. settings: of `Recogniser`."""
        super().__init__(spec=spec, **settings)
        self._padded = padded
        self._model = model
        self._extractor = extractor
        self._letters = letters
        self._language = base_language(language)
        self._frame_seconds = model.config.inputs_to_logits_ratio / SAMPLE_RATE

    @classmethod
    def locate(cls, spec: Spec) -> Path | str:
        return locate_transformers("hubert-ctc", spec.source, "hubert", FILES)

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "HubertCTC":
        """`hubert-ctc:SOURCE?batch=&language=&name=&normalizer=&revision=&unit=`; SOURCE: nano, folder, hub
        id."""
        options, found = cls.read(spec, device), cls.locate(spec)
        revision = options.pop("revision", None)
        with isolated():
            from transformers import HubertForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

            check_device(device)
            extractor = from_hub(Wav2Vec2FeatureExtractor, found, revision=revision)
            tokenizer = from_hub(Wav2Vec2CTCTokenizer, found, revision=revision)
            model = from_pretrained(HubertForCTC, found, revision=revision).to(device)
        check_sample_rate(extractor, str(found))
        letters = Letters.from_tokenizer(tokenizer, model.config.vocab_size, model.config.pad_token_id)
        padded = pad_on(device, model.config)
        return cls(model, extractor, letters, spec=str(spec), padded=padded, **options)

    @property
    def languages(self) -> Collection[str]:
        return (self._language,)

    def transcribe(self, waveforms: list[Waveform], target: Target) -> Transcribed:
        logp = self._log_probabilities(waveforms)
        spelled = [self._letters.spell(own.argmax(-1).tolist(), self._frame_seconds) for own in logp]
        return Transcribed(
            [" ".join(text for text, _, _ in words) for words in spelled],
            [
                {"heard_at": [[w, round(start, 3), round(end, 3)] for w, start, end in words]}
                for words in spelled
            ],
            logp,
        )

    def batches(self, waveforms: list[Waveform]) -> Iterator[list[int]]:
        return (similar_lengths if self._padded else equal_lengths)(waveforms, self._batch)

    def _log_probabilities(self, waveforms: list[Waveform]) -> "list[Tensor]":
        """[frames, outputs] of each waveform, on the CPU."""
        inputs = self._extractor(
            waveforms,
            sampling_rate=SAMPLE_RATE,
            return_tensors="pt",
            padding=self._padded,
            return_attention_mask=self._padded,
        ).to(self._model.device)
        logp = self._model(**inputs).logits.float().log_softmax(-1).cpu()
        if not self._padded:
            return list(logp)
        frames = self._model._get_feat_extract_output_lengths(inputs.attention_mask.sum(-1)).tolist()
        return [own[:count] for own, count in zip(logp, frames, strict=True)]

    def likelihoods(
        self, heard: Transcribed, target: Target, reached: Sequence[int | None]
    ) -> Sequence[float]:
        words = seed_tts_eval(text_of(target), target.language).split()
        return [self._likelihood(logp, words[:end]) for logp, end in zip(heard.state, reached, strict=True)]

    def _likelihood(self, logp: "Tensor", words: Sequence[str]) -> float:
        """The text's log-likelihood for each of its characters. logp: [frames, outputs]."""
        import torch
        from torch.nn.functional import ctc_loss

        ids = self._letters.ids(words)
        if not ids:
            return LOWEST_LOGP
        frames = torch.tensor([len(logp)])
        loss = ctc_loss(
            logp[:, None].double(),
            torch.tensor([ids]),
            frames,
            torch.tensor([len(ids)]),
            self._letters.blank,
            "none",
        )
        return max(-float(loss) / len(ids), LOWEST_LOGP)
