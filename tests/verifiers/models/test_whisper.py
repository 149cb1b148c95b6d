"""Whisper: both file formats, strict loading, batches, windows, likelihoods."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import Waveform
from llasa_core.errors import UserError
from tests.verifiers import tiny_verifiers
from tests.verifiers.tiny_verifiers import DIMS, speechlike, whisper_state, write_whisper, write_whisper_pt
from verifiers.base import Target, Verifier
from verifiers.errors import VerifierError
from verifiers.models import whisper_model
from verifiers.models.whisper import WhisperASR
from verifiers.registry import load

TARGET = Target(text="The morning train is late again.")


@pytest.fixture(scope="module")
def whisper_asr(whisper_folder: Path) -> WhisperASR:
    verifier = load(f"whisper:{whisper_folder}?batch=4")
    assert isinstance(verifier, WhisperASR)
    return verifier


def test_a_folder_is_loaded_in_float32(whisper_folder: Path, whisper_asr: WhisperASR) -> None:
    model = whisper_asr._model
    assert not model.training
    expected = whisper_state()
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name].to(torch.bfloat16).float())
    assert (whisper_asr.name, whisper_asr.higher_is_better) == ("wer", False)
    assert whisper_asr.spec == f"whisper:{whisper_folder}?batch=4"


def test_a_pt_file_hears_what_openai_whisper_hears_from_it(tmp_path: Path) -> None:
    import whisper

    file = write_whisper_pt(tmp_path / "tiny.pt")
    verifier = load(f"whisper:{file}")
    wave = speechlike(1.5)
    reference = whisper.load_model(str(file), device="cpu").eval()
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(wave, 32_000), 80)
    options = whisper.DecodingOptions(language="en", without_timestamps=True, fp16=False, sample_len=22)
    heard = whisper.decode(reference, mel, options)
    evidence = verifier.score([wave], TARGET)[0].evidence
    assert heard.text
    assert evidence["transcript"] == heard.text
    assert evidence["avg_logprob"] == pytest.approx(heard.avg_logprob, abs=1e-5)
    assert evidence["no_speech_prob"] == pytest.approx(heard.no_speech_prob, abs=1e-6)
    assert evidence["compression_ratio"] == heard.compression_ratio


def renamed(state: dict[str, Any]) -> None:
    state["encoder.conv1.weights"] = state.pop("encoder.conv1.weight")


def missing(state: dict[str, Any]) -> None:
    del state["decoder.ln.bias"]


def reshaped(state: dict[str, Any]) -> None:
    state["decoder.ln.bias"] = state["decoder.ln.bias"][:-1]


BROKEN = [
    (renamed, "missing: encoder.conv1.weight; unexpected: encoder.conv1.weights"),
    (missing, "missing: decoder.ln.bias"),
    (reshaped, "of another shape: decoder.ln.bias"),
]


@pytest.mark.parametrize(("edit", "says"), BROKEN)
@pytest.mark.parametrize("form", ["folder", "pt"])
def test_weights_that_do_not_fit_are_refused(edit: Any, says: str, form: str, tmp_path: Path) -> None:
    state = whisper_state()
    edit(state)
    source = (
        write_whisper(tmp_path / "w", state)
        if form == "folder"
        else write_whisper_pt(tmp_path / "w.pt", state)
    )
    with pytest.raises(VerifierError, match=says):
        load(f"whisper:{source}")


@pytest.mark.parametrize(
    ("change", "says"),
    [({"n_mels": 40}, "n_mels 40"), ({"n_vocab": 100}, "n_vocab 100"), ({"extra": 1}, "have to be n_mels")],
)
def test_bad_dimensions_are_refused(
    change: dict[str, int], says: str, whisper_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").symlink_to(whisper_folder / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"dims": {**DIMS, **change}}))
    with pytest.raises(VerifierError, match=says):
        load(f"whisper:{tmp_path}")


def test_incomplete_and_foreign_sources_are_refused(
    whisper_folder: Path, hubert_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text((whisper_folder / "config.json").read_text())
    with pytest.raises(VerifierError, match=r"lacks model.safetensors"):
        load(f"whisper:{tmp_path}")
    with pytest.raises(VerifierError, match="no 'dims'"):
        load(f"whisper:{hubert_folder}")
    (tmp_path / "noise.pt").write_bytes(b"noise")
    with pytest.raises(VerifierError, match="cannot read"):
        load(f"whisper:{tmp_path / 'noise.pt'}")
    (tmp_path / "model.safetensors").write_bytes(b"noise")
    with pytest.raises(VerifierError, match="cannot read"):
        load(f"whisper:{tmp_path}")
    torch.save({"weights": {}}, tmp_path / "other.pt")
    with pytest.raises(VerifierError, match="model_state_dict"):
        load(f"whisper:{tmp_path / 'other.pt'}")
    with pytest.raises(UserError, match="device"):
        load(f"whisper:{whisper_folder}", device="abacus")


@pytest.mark.parametrize("partial", [False, True])
def test_a_batch_gives_what_single_calls_give(whisper_asr: WhisperASR, partial: bool) -> None:
    waves = [speechlike(seconds, seed) for seed, seconds in enumerate((0.5, 2.0, 1.3, 4.5, 0.7, 1.3))]
    together = whisper_asr.score(waves, TARGET, partial)
    assert len({score.evidence["transcript"] for score in together}) > 1
    for wave, score in zip(waves, together, strict=True):
        alone = whisper_asr.score([wave], TARGET, partial)[0]
        assert alone.evidence["transcript"] == score.evidence["transcript"]
        assert alone.value == score.value
        for number in ("logp", "avg_logprob", "no_speech_prob"):
            assert alone.evidence[number] == pytest.approx(score.evidence[number], abs=1e-5)


def test_long_audio_is_heard_window_by_window(whisper_asr: WhisperASR) -> None:
    first, second = speechlike(1.5, 0), speechlike(1.5, 1)
    pause: Waveform = np.zeros(4000, np.float32)
    joined = whisper_asr.score([np.concatenate([first, pause, second])], TARGET)[0]
    assert joined.evidence["windows"] == 2
    assert math.isfinite(joined.evidence["logp"])
    quiet_end = np.concatenate([first, np.zeros(48_000, np.float32)])
    assert whisper_asr.score([quiet_end], TARGET)[0].evidence["windows"] == 1


def test_the_text_is_scored_as_by_one_step_at_a_time(whisper_asr: WhisperASR) -> None:
    from whisper.tokenizer import get_tokenizer

    model, wave = whisper_asr._model, speechlike(1.2)
    tokenizer = get_tokenizer(False)
    tokens = [
        tokenizer.sot,
        tokenizer.no_timestamps,
        *tokenizer.encode(" " + str(TARGET.text)),
        tokenizer.eot,
    ]
    with torch.inference_mode():
        features = whisper_asr._encode([wave], whisper_asr._model)
        total = 0.0
        for position in range(2, len(tokens)):
            logits = model.logits(torch.tensor([tokens[:position]]), features)[0, -1]
            total += float(logits.log_softmax(-1)[tokens[position]])
    expected = total / (len(tokens) - 2)
    assert whisper_asr.score([wave], TARGET)[0].evidence["logp"] == pytest.approx(expected, abs=1e-4)


def test_a_plain_model_is_asked_for_plain_text(tmp_path: Path, whisper_asr: WhisperASR) -> None:
    plain = load(f"whisper:{write_whisper(tmp_path, orthography='plain')}")
    wave = speechlike(1.0)
    written = Target(text="the morning train is late again")
    assert plain.score([wave], TARGET)[0].evidence["logp"] == pytest.approx(
        whisper_asr.score([wave], written)[0].evidence["logp"], abs=1e-6
    )
    (tmp_path / "config.json").write_text(json.dumps({"dims": DIMS, "orthography": "runes"}))
    with pytest.raises(VerifierError, match="orthography"):
        load(f"whisper:{tmp_path}")


def test_transcripts_stay_within_the_context_and_a_long_text_can_be_scored(whisper_asr: WhisperASR) -> None:
    long = Target(text="every word of this is one of a great many " * 10)
    found = whisper_asr.score([speechlike(1.0)], long)[0]
    assert found.usable
    assert math.isfinite(found.evidence["logp"])
    markers = Target(text="say <|endoftext|> now")
    assert whisper_asr.score([speechlike(1.0)], markers)[0].usable


def test_a_target_that_cannot_be_judged_is_refused_at_once(whisper_asr: WhisperASR) -> None:
    with pytest.raises(VerifierError, match="give the target a text"):
        whisper_asr.score([], Target())
    with pytest.raises(VerifierError, match="no words"):
        whisper_asr.score([], Target(text="?!"))
    with pytest.raises(VerifierError, match="knows 'en' only"):
        whisper_asr.score([], Target(text="guten Tag", language="de"))
    assert whisper_asr.score([], Target(text="color", language="en-US")) == []


@pytest.mark.parametrize("name", ["no_timestamps", "language", "timestamp_begin"])
@pytest.mark.parametrize("partial", [False, True])
def test_special_tokens_are_no_words(tmp_path: Path, name: str, partial: bool) -> None:
    """The model chooses one of them and an ordinary word by turns."""
    from whisper.tokenizer import get_tokenizer

    tokenizer = get_tokenizer(False)
    special = tokenizer.sot + 1 if name == "language" else getattr(tokenizer, name)
    word = tokenizer.encode(" train")[0]
    state = whisper_state()
    for key in [key for key in state if key.startswith("decoder.blocks")]:
        state[key] = torch.zeros_like(state[key])
    width = state["decoder.ln.bias"].shape[0]
    even, odd = torch.eye(width)[0], torch.eye(width)[1]
    state["decoder.ln.weight"], state["decoder.ln.bias"] = torch.ones(width), torch.zeros(width)
    state["decoder.positional_embedding"] = torch.stack([50 * (odd if i % 2 else even) for i in range(24)])
    state["decoder.token_embedding.weight"] = torch.zeros_like(state["decoder.token_embedding.weight"])
    state["decoder.token_embedding.weight"][special] = even
    state["decoder.token_embedding.weight"][word] = odd
    judge = load(f"whisper:{write_whisper(tmp_path, state)}")
    target = Target(text=("train " * 11).strip())
    found = judge.score([speechlike(1.0)], target, partial)[0]
    heard = str(found.evidence["transcript"])
    assert set(heard.split()) == {"train"}
    assert not found.evidence["added"] and not found.evidence["changed"]


def test_a_benchmark_may_hear_as_much_as_the_model_can_say(tmp_path: Path) -> None:
    """Ours ends after twice the text and 16 tokens; the reference implementation of a benchmark does not."""
    from whisper.tokenizer import get_tokenizer

    state = whisper_state()
    for key in [key for key in state if key.startswith("decoder.blocks")]:
        state[key] = torch.zeros_like(state[key])
    width = state["decoder.ln.bias"].shape[0]
    always = torch.eye(width)[0]
    state["decoder.ln.weight"], state["decoder.ln.bias"] = torch.ones(width), torch.zeros(width)
    state["decoder.positional_embedding"] = 50 * always.repeat(DIMS["n_text_ctx"], 1)
    state["decoder.token_embedding.weight"] = torch.zeros_like(state["decoder.token_embedding.weight"])
    state["decoder.token_embedding.weight"][get_tokenizer(False).encode(" train")[0]] = always
    folder = write_whisper(tmp_path, state)
    heard = {
        options: load(f"whisper:{folder}{options}").score([speechlike(1.0)], Target(text="train"))[0]
        for options in ("", "?normalizer=seed-tts-eval", "?normalizer=whisper")
    }
    words = {key: len(str(one.evidence["transcript"]).split()) for key, one in heard.items()}
    whole = DIMS["n_text_ctx"] - 2
    assert words == {"": 2 * 1 + 16, "?normalizer=seed-tts-eval": whole, "?normalizer=whisper": whole}


def test_partial_evidence_says_where_the_text_has_been_reached(whisper_asr: WhisperASR) -> None:
    found = whisper_asr.score([speechlike(0.5)], TARGET, partial=True)[0]
    assert {"position", "words", "cut_word", "logp"} <= set(found.evidence)
    assert json.loads(json.dumps(found.evidence)) == dict(found.evidence)


def test_another_normaliser_is_another_metric(whisper_folder: Path) -> None:
    verifier: Verifier = load(f"whisper:{whisper_folder}?normalizer=whisper")
    assert verifier.name == "wer-whisper"
    assert verifier.score([speechlike(1.0)], TARGET)[0].usable
    assert load(f"whisper:{whisper_folder}?name=content").name == "content"


def test_the_tiny_model_is_of_the_smallest_vocabulary() -> None:
    assert tiny_verifiers.DIMS["n_vocab"] == 51_864


def test_processes_fetch_an_official_model_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openai-whisper writes the file in place, and takes a part of it for a damaged one."""
    import whisper

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    at_once, most = [0], [0]

    def fetch(name: str, device: str) -> torch.nn.Module:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.1)
        at_once[0] -= 1
        return torch.nn.Identity()

    monkeypatch.setattr(whisper, "load_model", fetch)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: whisper_model.load("large-v3", "cpu"), range(4)))
    assert most == [1]
    whisper_model.load("tiny", "cpu")
    assert most == [1]


def test_a_cache_that_may_only_be_read_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import filelock
    import whisper

    def refuse(self: object, *_: object, **__: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    monkeypatch.setattr(whisper, "load_model", lambda name, device: torch.nn.Identity())
    assert isinstance(whisper_model.load("large-v3", "cpu"), torch.nn.Identity)


def test_in_half_precision_the_model_is_the_same_but_for_rounding(whisper_folder: Path) -> None:
    """As on a GPU; without a cast of any matrix while it decodes."""
    from whisper.model import LayerNorm

    exact, half = (whisper_model.load(whisper_folder, "cpu") for _ in range(2))
    whisper_model.halved(half)
    for module in half.modules():
        if isinstance(module, LayerNorm):
            assert module.weight.dtype == torch.float32
        elif (weight := getattr(module, "weight", None)) is not None:
            assert weight.dtype == torch.float16
    mel = torch.randn(
        2, exact.dims.n_mels, 2 * exact.dims.n_audio_ctx, generator=torch.Generator().manual_seed(0)
    )
    tokens = torch.arange(10)[None].repeat(2, 1)
    with torch.no_grad():
        expected = exact.decoder(tokens, exact.encoder(mel)).log_softmax(-1)
        features = half.encoder(mel.half())
        found = half.decoder(tokens, features)
    assert features.dtype == torch.float16 and found.dtype == torch.float32
    torch.testing.assert_close(found.log_softmax(-1), expected, atol=0.05, rtol=0)
