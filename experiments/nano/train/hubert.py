"""Training of the nano HuBERT-CTC, as transformers loads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import HubertConfig, HubertForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

from experiments.nano.data.corpus import Corpus, n_states
from experiments.nano.train.listening import Clip, ClipBatches
from experiments.nano.train.recognisers import LETTERS, N_MELS, ctc_loss, log_mel, optimizers, sound_loss
from experiments.nano.train.training import Schedule, train

BATCH = 24
MEL_WEIGHT, SOUND_WEIGHT = 3.0, 1.0


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
    """A network in torch's default initialisation, with plain attention: its backward pass is faster on a
    CPU.
    """
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


def train_hubert(sources: Sequence[tuple[Corpus, float]], folder: Path, steps: int, seed: int) -> None:
    """Train the HuBERT by CTC on the letters of aligned corpora with their shares; exports ``folder/model``.

    A run that ended can go on with more ``steps``, as the Whisper's does. Two aids are dropped at the end. A
    linear layer on the convolutions gives the log-mel spectrum, which brings them to features of speech long
    before the CTC would; another on the last layer but one names the sound of each frame.
    """
    model = build_hubert(seed).train()
    mel = torch.nn.Linear(model.config.conv_dim[-1], 2 * N_MELS)
    hidden = model.config.hidden_size
    sound = torch.nn.Sequential(torch.nn.LayerNorm(hidden), torch.nn.Linear(hidden, n_states(sources[0][0])))
    features: list[torch.Tensor] = []
    hook = model.hubert.feature_projection.register_forward_pre_hook(
        lambda _, inputs: features.append(inputs[0])
    )
    batches = ClipBatches(sources, BATCH, seed + 10)

    def losses(step: int) -> dict[str, torch.Tensor]:
        clips = batches.draw(step)
        waves, mask = normalised(clips)
        with torch.autocast("cpu", torch.bfloat16):
            out = model(input_values=waves, attention_mask=mask, output_hidden_states=True)
            spectrum, sounds = mel(features.pop()), sound(out.hidden_states[-2])
        logits = out.logits
        lengths = model._get_feat_extract_output_lengths(mask.sum(-1))
        character = ctc_loss(logits, lengths, [c.text for c in clips], first=4)
        # a frame of the network, 25 ms in every 20, has two frames of the spectrum in it
        frames = F.pad(log_mel(waves), (0, 2))[..., 1 : 1 + 2 * spectrum.shape[1]].mT.reshape(spectrum.shape)
        distance = (spectrum.float() - frames).abs().mean()
        named = sound_loss(sounds, clips)
        loss = character + MEL_WEIGHT * distance + SOUND_WEIGHT * named
        return {"loss": loss, "characters": character, "mel": distance, "sounds": named}

    modules = {"model": model, "mel": mel, "sound": sound}
    train(folder, Schedule(steps), modules, optimizers([model, mel, sound]), losses, save_every=200)
    hook.remove()
    export_hubert(model, folder / "model")


def export_hubert(model: HubertForCTC, folder: Path) -> None:
    """Write the network in bf16, the letters and the configuration of its input, as ``from_pretrained`` reads
    them.
    """
    copy = HubertForCTC(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).eval().save_pretrained(folder)
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}
    vocabulary |= {letter.upper(): 5 + k for k, letter in enumerate(LETTERS)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=1) + "\n")
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
