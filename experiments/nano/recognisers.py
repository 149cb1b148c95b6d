"""Training of the two nano recognisers: one as openai-whisper loads it, one as transformers' ``HubertForCTC``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import HubertConfig, HubertForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor
from whisper.audio import mel_filters
from whisper.model import ModelDimensions, Whisper, disable_sdpa
from whisper.tokenizer import get_tokenizer

from experiments.nano.corpus import Corpus
from experiments.nano.listening import SAMPLE_RATE, Clip, ClipBatches
from experiments.nano.training import Muon, Schedule, rng, train

DIMENSIONS = ModelDimensions(
    n_mels=80,
    n_audio_ctx=500,
    n_audio_state=128,
    n_audio_head=4,
    n_audio_layer=5,
    n_vocab=51_864,
    n_text_ctx=64,
    n_text_state=128,
    n_text_head=4,
    n_text_layer=2,
)
"""The English-only vocabulary and windows of 10 s; half of the parameters are rows of tokens that are never used."""
WHISPER_BATCH, HUBERT_BATCH = 40, 24
FULL_WINDOW_EVERY = 8
MEL_WEIGHT = 3.0
NOTHING_HEARD = "."
"""openai-whisper does not let a transcript end before its first token, so this stands for an empty one."""
LETTERS = "abcdefghijklmnopqrstuvwxyz'"
SHARES = (0.55, 0.30, 0.15)
"""Shares of the corpus, its resynthesis and the extra voices."""


class WordPieces:
    """The tokens that the texts use, numbered densely, so that the softmax of training is as small as they are few."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.tokenizer = get_tokenizer(multilingual=False)
        special = [
            self.tokenizer.sot,
            self.tokenizer.no_timestamps,
            self.tokenizer.no_speech,
            self.tokenizer.eot,
        ]
        used = {token for text in {*texts, ""} for token in self.encode(text)}
        self.ids = sorted(used | set(special))
        self.rows = {token: row for row, token in enumerate(self.ids)}
        self.unused = DIMENSIONS.n_vocab - len(self.ids)

    def encode(self, text: str) -> list[int]:
        """Tokens as openai-whisper writes them: with a space in front of the first word."""
        tokens: list[int] = self.tokenizer.encode(f" {text}" if text else NOTHING_HEARD)
        return tokens

    def sequence(self, text: str) -> tuple[list[int], list[int]]:
        """(inputs, targets) as rows; where nobody speaks, the first target is the token for that."""
        t = self.tokenizer
        tokens = self.encode(text)
        inputs = [t.sot, t.no_timestamps, *tokens]
        targets = [t.no_timestamps if text else t.no_speech, *tokens, t.eot]
        return [self.rows[k] for k in inputs], [self.rows[k] for k in targets]


def log_mel(waves: torch.Tensor) -> torch.Tensor:
    """[batch, samples] -> [batch, 80, samples / 160], each item as ``whisper.audio.log_mel_spectrogram`` has it."""
    stft = torch.stft(waves, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = stft[..., :-1].real.square() + stft[..., :-1].imag.square()
    log = torch.clamp(mel_filters("cpu", 80) @ power, min=1e-10).log10()
    log = torch.maximum(log, log.amax((1, 2), keepdim=True) - 8.0)
    return (log + 4.0) / 4.0


def build_whisper(n_rows: int, seed: int) -> Whisper:
    """A Whisper with ``n_rows`` tokens.

    The stock sinusoids swamp the features of so small a network, hence the factors on the convolutions.
    """
    torch.manual_seed(seed)
    model = Whisper(ModelDimensions(**{**vars(DIMENSIONS), "n_vocab": n_rows}))
    with torch.no_grad():
        model.encoder.conv1.weight.mul_(2)
        model.encoder.conv2.weight.mul_(4)
        torch.nn.init.normal_(model.decoder.token_embedding.weight, std=DIMENSIONS.n_text_state**-0.5)
        torch.nn.init.normal_(model.decoder.positional_embedding, std=0.02)
    return model


def encode_audio(model: Whisper, mels: torch.Tensor) -> torch.Tensor:
    """The encoder on windows of any length: [batch, 80, frames] -> [batch, frames / 2, state]."""
    encoder = model.encoder
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mels)))).mT.float()
    x = x + encoder.positional_embedding[: x.shape[1]]
    for block in encoder.blocks:
        x = block(x)
    hidden: torch.Tensor = encoder.ln_post(x)
    return hidden


def decode_text(model: Whisper, rows: torch.Tensor, audio: torch.Tensor, unused: int) -> torch.Tensor:
    """Logits [batch, tokens, rows]; the last row stands for ``unused`` tokens with one and the same logit."""
    decoder = model.decoder
    x = decoder.token_embedding(rows) + decoder.positional_embedding[: rows.shape[1]]
    for block in decoder.blocks:
        x = block(x, audio, mask=decoder.mask)
    logits: torch.Tensor = (decoder.ln(x) @ decoder.token_embedding.weight.T).float()
    return torch.cat([logits[..., :-1], logits[..., -1:] + math.log(unused)], -1)


def windows(clips: Sequence[Clip], padding: int) -> torch.Tensor:
    """[batch, samples] with zeros after each clip, as ``pad_or_trim`` puts them; whole codes of 320 samples."""
    longest = min(max(len(c.wave) for c in clips) + padding, DIMENSIONS.n_audio_ctx * 320)
    waves = np.zeros((len(clips), -(-longest // 320) * 320), np.float32)
    for row, clip in zip(waves, clips, strict=True):
        row[: len(clip.wave)] = clip.wave[: len(row)]
    return torch.from_numpy(waves)


def characters(texts: Sequence[str], first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(all targets in a row, their counts) for CTC: letters from ``first + 1`` on, ``first`` between words."""
    numbers = {letter: first + 1 + k for k, letter in enumerate(LETTERS)} | {" ": first}
    return torch.tensor([numbers[c] for t in texts for c in t]), torch.tensor([len(t) for t in texts])


def ctc_loss(logits: torch.Tensor, lengths: torch.Tensor, texts: Sequence[str], first: int) -> torch.Tensor:
    """Mean CTC loss a character of logits [batch, frames, symbols]; symbol 0 is the blank."""
    targets, counts = characters(texts, first)
    log_probs = logits.float().log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probs, targets, lengths, counts, zero_infinity=True)


def _optimizers(modules: Sequence[torch.nn.Module], muon: float, adam: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for all other parameters."""
    named = [(name, p) for module in modules for name, p in module.named_parameters() if p.requires_grad]
    in_layers = [p for name, p in named if p.ndim == 2 and ("blocks." in name or "encoder.layers." in name)]
    chosen = {id(p) for p in in_layers}
    others = [p for _, p in named if id(p) not in chosen]
    return [
        Muon(in_layers, muon, 0.02),
        torch.optim.AdamW(others, adam, (0.9, 0.98), weight_decay=0.01, fused=True),
    ]


def _sources(corpus: Corpus, resynthesis: Corpus | None, extra: Corpus | None) -> list[tuple[Corpus, float]]:
    candidates = zip((corpus, resynthesis, extra), SHARES, strict=True)
    return [(source, share) for source, share in candidates if source is not None]


def train_whisper(
    corpus: Corpus,
    resynthesis: Corpus | None,
    folder: Path,
    steps: int,
    seed: int,
    extra: Corpus | None = None,
) -> None:
    """Train the Whisper; exports ``folder/model``.

    A character CTC on the encoder helps the training and is dropped. Windows are as short as their clips, but 10 s
    long in some steps, as they are when the model is used. A run that ended can go on with more ``steps``,
    also once there is a resynthesis.
    """
    sources = _sources(corpus, resynthesis, extra)
    # a run that goes on must find the same tokens: resynthesis adds none, and extra voices are there from the start
    pieces = WordPieces([u.text for source, _ in sources for u in source.utterances])
    model = build_whisper(len(pieces.ids) + 1, seed).train()
    ctc = torch.nn.Linear(DIMENSIONS.n_audio_state, len(LETTERS) + 2)
    batches = ClipBatches(sources, WHISPER_BATCH, seed)

    def losses(step: int) -> dict[str, torch.Tensor]:
        clips, padding = batches.draw(step), int(rng(seed, step).uniform(0, 0.6) * SAMPLE_RATE)
        if step % FULL_WINDOW_EVERY == 0:
            clips, padding = clips[: WHISPER_BATCH // 4], 10 * SAMPLE_RATE
        texts = [c.text for c in clips]
        pairs = [pieces.sequence(t) for t in texts]
        longest = max(len(inputs) for inputs, _ in pairs)
        inputs = torch.tensor([i + [0] * (longest - len(i)) for i, _ in pairs])
        targets = torch.tensor([t + [-1] * (longest - len(t)) for _, t in pairs])
        mels = log_mel(windows(clips, padding))
        # on a CPU the fused attention's backward pass is several times slower than the plain products
        with torch.autocast("cpu", torch.bfloat16), disable_sdpa():
            audio = encode_audio(model, mels)
            logits = decode_text(model, inputs, audio, pieces.unused)
            frames = ctc(audio)
        cross_entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
        counts = torch.full((len(clips),), frames.shape[1])
        character = ctc_loss(frames, counts, texts, first=1)
        return {"loss": cross_entropy + 0.5 * character, "tokens": cross_entropy, "characters": character}

    optimizers = _optimizers([model, ctc], muon=4e-3, adam=2e-3)
    train(folder, Schedule(steps), {"model": model, "ctc": ctc}, optimizers, losses, save_every=200)
    export_whisper(model, pieces, folder / "model")


def export_whisper(model: Whisper, pieces: WordPieces, folder: Path) -> None:
    """Write the network with all 51,864 tokens in bf16; unused ones get the row that stood for them all."""
    folder.mkdir(parents=True, exist_ok=True)
    state = dict(model.state_dict())
    small = state["decoder.token_embedding.weight"]
    full = small[-1].repeat(DIMENSIONS.n_vocab, 1)
    full[torch.tensor(pieces.ids)] = small[:-1]
    state["decoder.token_embedding.weight"] = full
    tensors = {name: value.detach().to(torch.bfloat16).contiguous() for name, value in state.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(
        json.dumps({"dims": vars(DIMENSIONS), "orthography": "plain"}, indent=2) + "\n"
    )


def hubert_config() -> HubertConfig:
    """1.9M parameters: hidden 192, four layers; the released hubert-large-ls960-ft in small."""
    return HubertConfig(
        vocab_size=5 + len(LETTERS),
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        conv_dim=(32, 32, 64, 64, 64, 96, 96),
        num_feat_extract_layers=7,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=8,
        feat_extract_norm="layer",
        feat_extract_activation="relu",
        do_stable_layer_norm=True,
        conv_bias=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        ctc_loss_reduction="mean",
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def build_hubert(seed: int) -> HubertForCTC:
    """A network in torch's default initialisation, with plain attention: its backward pass is faster on a CPU."""
    torch.manual_seed(seed)
    model = HubertForCTC._from_config(hubert_config(), attn_implementation="eager")
    for module in model.modules():
        # the positional convolution is weight-normalised: its initialisation is kept
        if isinstance(module, torch.nn.Linear) or type(module) is torch.nn.Conv1d:
            module.reset_parameters()
    return model


def normalised(clips: Sequence[Clip]) -> tuple[torch.Tensor, torch.Tensor]:
    """(waveforms of zero mean and unit variance, padded with zeros; mask), both [batch, samples]."""
    length = max(len(c.wave) for c in clips)
    waves, mask = np.zeros((len(clips), length), np.float32), np.zeros((len(clips), length), np.int64)
    for row, masked, clip in zip(waves, mask, clips, strict=True):
        row[: len(clip.wave)] = (clip.wave - clip.wave.mean()) / np.sqrt(clip.wave.var() + 1e-7)
        masked[: len(clip.wave)] = 1
    return torch.from_numpy(waves), torch.from_numpy(mask)


def train_hubert(
    corpus: Corpus,
    resynthesis: Corpus | None,
    folder: Path,
    steps: int,
    seed: int,
    extra: Corpus | None = None,
) -> None:
    """Train the HuBERT by CTC on letters; exports ``folder/model``. Goes on with more ``steps`` as the Whisper does.

    A linear layer on the convolutions is to give the log-mel spectrum as well: that brings them to features of
    speech long before the CTC would. It is dropped.
    """
    model = build_hubert(seed).train()
    mel = torch.nn.Linear(model.config.conv_dim[-1], 2 * DIMENSIONS.n_mels)
    features: list[torch.Tensor] = []
    hook = model.hubert.feature_projection.register_forward_pre_hook(
        lambda _, inputs: features.append(inputs[0])
    )
    batches = ClipBatches(_sources(corpus, resynthesis, extra), HUBERT_BATCH, seed + 10)

    def losses(step: int) -> dict[str, torch.Tensor]:
        clips = batches.draw(step)
        waves, mask = normalised(clips)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_values=waves, attention_mask=mask).logits
            spectrum = mel(features.pop())
        lengths = model._get_feat_extract_output_lengths(mask.sum(-1))
        character = ctc_loss(logits, lengths, [c.text for c in clips], first=4)
        # a frame of the network, 25 ms in every 20, has two frames of the spectrum in it
        frames = F.pad(log_mel(waves), (0, 2))[..., 1 : 1 + 2 * spectrum.shape[1]].mT.reshape(spectrum.shape)
        distance = (spectrum.float() - frames).abs().mean()
        return {"loss": character + MEL_WEIGHT * distance, "characters": character, "mel": distance}

    optimizers = _optimizers([model, mel], muon=4e-3, adam=2e-3)
    train(folder, Schedule(steps), {"model": model, "mel": mel}, optimizers, losses, save_every=200)
    hook.remove()
    export_hubert(model, folder / "model")


def export_hubert(model: HubertForCTC, folder: Path) -> None:
    """Write the network in bf16, the letters and the configuration of its input, as ``from_pretrained`` reads them."""
    copy = HubertForCTC(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).eval().save_pretrained(folder)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}
    vocabulary |= {letter.upper(): 5 + k for k, letter in enumerate(LETTERS)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=1) + "\n")
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
