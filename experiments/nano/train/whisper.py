"""Training of the nano Whisper, as openai-whisper loads it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from whisper.model import ModelDimensions, Whisper, disable_sdpa
from whisper.tokenizer import get_tokenizer

from experiments.nano.data.corpus import Corpus, n_states
from experiments.nano.train.listening import Clip, ClipBatches
from experiments.nano.train.recognisers import LETTERS, N_MELS, ctc_loss, log_mel, optimizers, sound_loss
from experiments.nano.train.training import Schedule, rng, train
from llasa_core.audio import SAMPLE_RATE
from llasa_core.codec.features import HOP

DIMENSIONS = ModelDimensions(
    n_mels=N_MELS,
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
"""The English-only vocabulary and windows of 10 s; half of the parameters are rows of tokens that are never
used.
"""
BATCH = 40
FULL_WINDOW_EVERY = 8
NOTHING_HEARD = "."
"""openai-whisper does not let a transcript end before its first token, so this stands for an empty one."""


class WordPieces:
    """The tokens that the texts use, numbered densely, so that the softmax of training is as small as they
    are few.
    """

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
    """[batch, samples] with zeros after each clip, as ``pad_or_trim`` puts them; whole codes of 320
    samples.
    """
    longest = min(max(len(c.wave) for c in clips) + padding, DIMENSIONS.n_audio_ctx * HOP)
    waves = np.zeros((len(clips), -(-longest // HOP) * HOP), np.float32)
    for row, clip in zip(waves, clips, strict=True):
        row[: len(clip.wave)] = clip.wave[: len(row)]
    return torch.from_numpy(waves)


def train_whisper(sources: Sequence[tuple[Corpus, float]], folder: Path, steps: int, seed: int) -> None:
    """Train the Whisper on aligned corpora with their shares; exports ``folder/model``.

    A character CTC and the names of the sounds on the encoder help the training and are dropped. Windows are
    as short as their clips, but 10 s long in some steps, as they are when the model is used. A run that ended
    can go on with more ``steps``, also once there is a resynthesis.
    """
    # a run that goes on must find the same tokens: resynthesis adds none, and extra voices are there from the
    # start
    pieces = WordPieces([u.text for source, _ in sources for u in source.utterances])
    model = build_whisper(len(pieces.ids) + 1, seed).train()
    ctc = torch.nn.Linear(DIMENSIONS.n_audio_state, len(LETTERS) + 2)
    sound = torch.nn.Linear(DIMENSIONS.n_audio_state, n_states(sources[0][0]))
    batches = ClipBatches(sources, BATCH, seed)

    def losses(step: int) -> dict[str, torch.Tensor]:
        clips, padding = batches.draw(step), int(rng(seed, step).uniform(0, 0.6) * SAMPLE_RATE)
        if step % FULL_WINDOW_EVERY == 0:
            clips, padding = clips[: BATCH // 4], 10 * SAMPLE_RATE
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
            frames, sounds = ctc(audio), sound(audio)
        cross_entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
        counts = torch.full((len(clips),), frames.shape[1])
        character, named = ctc_loss(frames, counts, texts, first=1), sound_loss(sounds, clips)
        loss = cross_entropy + 0.5 * character + 0.5 * named
        return {"loss": loss, "tokens": cross_entropy, "characters": character, "sounds": named}

    modules = {"model": model, "ctc": ctc, "sound": sound}
    train(folder, Schedule(steps), modules, optimizers([model, ctc, sound]), losses, save_every=200)
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
