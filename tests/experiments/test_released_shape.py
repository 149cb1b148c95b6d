"""`synth` with random weights in the shape and file layout of HKUSTAudio/Llasa-1B."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main as cli
from llasa_core.audio import read_audio
from llasa_core.loading import load_tokenizer
from llasa_core.prompt import SpeechVocabulary
from tests.tiny import MARKERS, build_codec, build_tokenizer
from tests.verifiers.tiny_verifiers import write_hubert, write_wavlm, write_whisper

FIRST_SPEECH_ID = 128_264
N_CODES = 65_536
VOCABULARY = 193_800


def build_released_tokenizer() -> Any:
    """Speech tokens at the released ids: a plain character tokenizer with fillers in between."""
    from tokenizers import AddedToken

    tokenizer = build_tokenizer(0)
    fillers = [f"<|filler_{i}|>" for i in range(FIRST_SPEECH_ID - len(tokenizer))]
    speech = [f"<|s_{code}|>" for code in range(N_CODES)]
    added = [AddedToken(token, special=True, normalized=False) for token in (*fillers, *speech)]
    tokenizer.add_tokens(added, special_tokens=True)
    assert set(MARKERS) < set(tokenizer.get_vocab())
    return tokenizer


def build_released_generator(folder: Path) -> None:
    """1.4 billion random parameters as bfloat16 safetensors, config and tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        max_position_embeddings=131_072,
        tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
        },
        dtype="bfloat16",
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        LlamaForCausalLM(config).save_pretrained(folder)
    finally:
        torch.set_default_dtype(before)
    build_released_tokenizer().save_pretrained(folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_synth_in_the_released_shape(tmp_path: Path, voice_file: Path) -> None:
    generator, codec = tmp_path / "Llasa-1B", tmp_path / "xcodec2-hf"
    build_released_generator(generator)
    build_codec(codec, levels=(4,) * 8)
    whisper = write_whisper(tmp_path / "whisper")
    wavlm, hubert = write_wavlm(tmp_path / "wavlm"), write_hubert(tmp_path / "hubert")
    vocabulary = SpeechVocabulary.from_tokenizer(load_tokenizer(str(generator)))
    assert (vocabulary.first_id, vocabulary.n_codes) == (FIRST_SPEECH_ID, N_CODES)

    out, report = tmp_path / "out.wav", tmp_path / "result.json"
    arguments = [
        *("synth", "The morning train is late again.", "--preset", "llasa-1b"),
        *("--generator", str(generator), "--codec", str(codec)),
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz"),
        *(
            "--verifier",
            f"whisper:{whisper}",
            "--verifier",
            f"wavlm-sv:{wavlm}",
            "--judge",
            f"hubert-ctc:{hubert}",
        ),
        *("-n", "2", "--max-seconds", "1.7", "-o", str(out), "--json", str(report)),
    ]
    assert cli.main(arguments) == 0
    result = json.loads(report.read_text())
    assert len(result["candidates"]) == 2
    for candidate in result["candidates"]:
        assert set(candidate["scores"]) == {"wer", "sim"}
        assert -1.0 <= candidate["scores"]["sim"]["value"] <= 1.0
        assert candidate["judged"][f"hubert-ctc:{hubert}"]["evidence"]["transcript"] is not None
    assert result["candidates"][0]["tokens"] != result["candidates"][1]["tokens"]
    assert min(result["candidates"][0]["tokens"]) >= 0
    assert max(max(c["tokens"]) for c in result["candidates"]) > 4096  # codes from all over the book
    assert len(read_audio(out)) == 320 * len(result["candidates"][result["winner"]]["tokens"])
