"""Paraformer: loading, batches, what funasr itself hears, likelihoods, strictness."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import Waveform
from llasa_core.errors import UserError
from tests.verifiers.models.tiny_speech import PLAIN, SEACO, TOKENS, edit_checkpoint, write_paraformer
from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.paraformer import NAMES, Paraformer
from verifiers.registry import check, directions, load
from verifiers.shared.isolation import isolated
from verifiers.spec import Spec

ENGLISH = Target(text="The train is late.")
CHINESE = Target(text="这个国是大国\u3002", language="zh")
SILENT: Waveform = np.zeros(16_000, np.float32)
WAVES = [speechlike(seconds, seed) for seed, seconds in enumerate((0.5, 1.0, 0.5, 1.7, 0.5, 1.0, 0.25))]


@pytest.fixture(scope="module", params=[PLAIN, SEACO], ids=["plain", "seaco"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_paraformer(tmp_path_factory.mktemp("models") / "paraformer", request.param)


@pytest.fixture(scope="module")
def judge(folder: Path) -> Paraformer:
    verifier = load(f"paraformer:{folder}?language=en&batch=2")
    assert isinstance(verifier, Paraformer)
    return verifier


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def quiet_from(hidden: int) -> Any:
    """An edit that makes the predictor's weights so small that nothing fires in short audio."""

    def edit(state: dict[str, Any]) -> None:
        state["predictor.cif_output.weight"] = torch.zeros(1, hidden)
        state["predictor.cif_output.bias"] = torch.full((1,), -4.0)

    return edit


def test_it_hears_what_funasr_hears(folder: Path, judge: Paraformer) -> None:
    with isolated():
        from funasr import AutoModel

        model = AutoModel(
            model=str(folder),
            device="cpu",
            disable_update=True,
            disable_pbar=True,
            frontend_conf={"dither": 0.0},
        )
        results = [model.generate(wave, key="k") for wave in WAVES]
    # Where nothing fires, SeACo gives no result and the others one without text.
    expected = ["".join(result["text"] for result in found) for found in results]
    found = [score.evidence["transcript"] for score in judge.score(WAVES, ENGLISH)]
    assert found == ["".join(text.split()) for text in expected]
    assert len(set(found)) > 3


def test_audio_in_which_nothing_is_heard_changes_nothing_beside_it(folder: Path, tmp_path: Path) -> None:
    model = copy_of(folder, tmp_path)
    edit_checkpoint(model, quiet_from(16))
    judge = load(f"paraformer:{model}?language=en&batch=8")
    # 60 ms frames that weigh 0.018, and 0.45 at the end: one token from 1.8 s on.
    nothing, something = speechlike(0.6, 1), speechlike(2.5, 2)
    alone = [judge.score([wave], ENGLISH)[0].evidence["transcript"] for wave in (nothing, something)]
    assert alone[0] == ""
    assert alone[1]
    together = judge.score([nothing, something, nothing, nothing], ENGLISH)
    assert [s.evidence["transcript"] for s in together] == ["", alone[1], "", ""]
    assert together[0].value == 1.0
    assert together[0].usable
    assert judge.score([nothing], ENGLISH, partial=True)[0].value == 0.0


def test_rows_of_one_batch_may_fire_differently(judge: Paraformer) -> None:
    """Quiet and loud audio of one length, in an order in which funasr's own batch can fail."""
    waves = [speechlike(0.3, seed) * gain for seed, gain in enumerate((1.0, 0.02, 0.5, 0.01))]
    waves = [wave.astype(np.float32) for wave in waves]
    together = [score.evidence["transcript"] for score in judge.score(waves, ENGLISH)]
    assert together == [judge.score([wave], ENGLISH)[0].evidence["transcript"] for wave in waves]


def integrated(frames: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Continuous integrate-and-fire, spelled out: [tokens, size] of frames [frames, size]; each token is the
    weighted sum of the frames in which the sum of the weights runs from one whole number to the next."""
    ends = weights.double().cumsum(0)
    tokens = []
    for number in range(round(float(ends[-1]))):
        share = (ends.clamp(number, number + 1) - (ends - weights).clamp(number, number + 1)).float()
        tokens.append((share[:, None] * frames).sum(0))
    return torch.stack(tokens)


def test_the_likelihood_is_that_of_training(judge: Paraformer) -> None:
    """As in Paraformer's loss without the sampler, computed step by step."""
    ids = judge._ids("the train is 大国")
    assert [TOKENS[i] for i in ids] == ["the", "tr@@", "ain", "is", "大", "国", "</s>"]
    model = judge._model
    with torch.no_grad():
        frames, lengths = judge._encode([WAVES[1]])
        convolved = model.predictor.cif_conv1d(model.predictor.pad(frames.transpose(1, 2))).relu()
        weights = model.predictor.cif_output(convolved.transpose(1, 2)).sigmoid()[0, :, 0]
        embeds = integrated(frames[0], weights * len(ids) / weights.sum())
        logits = model.decoder(frames, lengths, embeds[None], torch.tensor([len(ids)]))[0]
        expected = logits.log_softmax(-1)[0].gather(-1, torch.tensor(ids)[:, None]).mean()
        found = judge._text_likelihoods(frames, lengths, [ids])
        assert found[0] == pytest.approx(float(expected), abs=0.02)
        assert judge._text_likelihoods(frames, lengths, [[]]) == [-100.0]
        more_tokens_than_frames = judge._text_likelihoods(frames, lengths, [ids * 20])
    assert np.isfinite(more_tokens_than_frames[0])


def test_a_likelier_text_has_a_higher_logp(judge: Paraformer) -> None:
    heard = judge.score([WAVES[3]], ENGLISH)[0].evidence["transcript"]
    own, other = (judge.score([WAVES[3]], Target(text=t))[0] for t in (heard, "late train late"))
    assert own.value == 0.0
    assert own.evidence["logp"] > other.evidence["logp"]


def test_characters_outside_the_vocabulary_are_left_out(judge: Paraformer) -> None:
    assert judge._ids("龘 zzz!") == []
    assert [TOKENS[i] for i in judge._ids("a, 龘b?")] == ["a", "b", "</s>"]


def test_chinese_is_compared_by_character(folder: Path) -> None:
    judge = load(f"paraformer:{folder}")
    assert (judge.name, judge.higher_is_better) == ("wer", False)
    score = judge.score([WAVES[3]], CHINESE)[0]
    assert score.evidence["reference"] == "这 个 国 是 大 国"
    heard = score.evidence["transcript"]
    assert judge.score([WAVES[3]], Target(text=heard, language="zh"))[0].value == 0.0
    part = judge.score([WAVES[3]], Target(text=heard + "大国是", language="zh"), partial=True)[0]
    assert (part.value, part.evidence["position"]) == (0.0, len(heard))
    assert np.isfinite(part.evidence["logp"])
    assert load(f"paraformer:{folder}?unit=character").name == "cer"


def test_without_zhconv_chinese_is_answered_with_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zhconv", None)
    with pytest.raises(VerifierError, match=r"pip install 'llasa-search\[zh\]'"):
        load(f"paraformer:{folder}?normalizer=seed-tts-eval").score([], CHINESE)
    assert load(f"paraformer:{folder}").score([], CHINESE) == []


def test_it_judges_its_own_language_only(folder: Path, judge: Paraformer) -> None:
    with pytest.raises(VerifierError, match="knows 'en' only"):
        judge.score([], Target(text="guten Tag", language="de"))
    with pytest.raises(VerifierError, match="need the text"):
        judge.score([], Target())
    assert judge.score([], ENGLISH) == []


def renamed(state: dict[str, Any]) -> None:
    state["decoder.output_layer.weights"] = state.pop("decoder.output_layer.weight")


def missing(state: dict[str, Any]) -> None:
    del state["encoder.after_norm.bias"]


def reshaped(state: dict[str, Any]) -> None:
    state["predictor.cif_output.bias"] = torch.zeros(2)


def left_over(state: dict[str, Any]) -> None:
    state["encoder.encoders.1.norm1.weight"] = torch.ones(16)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (renamed, "missing: decoder.output_layer.weight; unexpected: decoder.output_layer.weights"),
        (missing, "missing: encoder.after_norm.bias"),
        (reshaped, "of another shape: predictor.cif_output.bias"),
        (left_over, "unexpected: encoder.encoders.1.norm1.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused(edit: Any, says: str, folder: Path, tmp_path: Path) -> None:
    model = copy_of(folder, tmp_path)
    edit_checkpoint(model, edit)
    with pytest.raises(VerifierError, match=says):
        load(f"paraformer:{model}")


def test_incomplete_and_foreign_folders_are_refused_at_once(folder: Path, tmp_path: Path) -> None:
    model = copy_of(folder, tmp_path)
    (model / "am.mvn").rename(model / "cmvn")
    with pytest.raises(VerifierError, match=r"lacks am\.mvn"):
        check(f"paraformer:{model}")
    (model / "cmvn").rename(model / "am.mvn")
    (model / "model.pt").write_bytes(b"PK")
    with pytest.raises(VerifierError, match=r"cannot read .*: give a complete model"):
        load(f"paraformer:{model}")
    (model / "config.yaml").write_text("model: Emotion2vec\n")
    with pytest.raises(VerifierError, match="of a model 'Emotion2vec'"):
        check(f"paraformer:{model}")
    with pytest.raises(VerifierError, match="is a file"):
        check(f"paraformer:{model / 'tokens.json'}")
    with pytest.raises(UserError, match='device "cuda:9" cannot be used'):
        load(f"paraformer:{folder}", device="cuda:9")


def test_a_vocabulary_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    model = copy_of(folder, tmp_path)
    (model / "tokens.json").write_text(json.dumps([*TOKENS, "more"]))
    with pytest.raises(VerifierError, match=r"of another shape: decoder\.embed\.0\.weight"):
        load(f"paraformer:{model}")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("paraformer", "no paraformer model is packaged"),
        ("paraformer:./nowhere", "'./nowhere' not found"),
        ("paraformer:paraformer-de", "one of paraformer-zh, paraformer, paraformer-en"),
        ("paraformer:paraformer-zh?hub=hf", "funasr/paraformer-zh is not in the local cache"),
        ("paraformer:paraformer-zh", "iic/speech_seaco_paraformer_.* is not in the local cache"),
        ("paraformer:paraformer-zh?hub=github", "has to be one of ms, hf"),
        ("paraformer:paraformer-zh?dither=1", "no option 'dither'"),
    ],
)
def test_bad_specs_are_answered_before_anything_is_loaded(
    spec: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(VerifierError, match=says) as caught:
        check(spec)
    assert "\n" not in str(caught.value)


def test_a_cached_model_is_used_without_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    commit = "0" * 40
    cached = tmp_path / "models--funasr--paraformer-zh"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert Paraformer.locate(Spec.parse("paraformer:paraformer-zh?hub=hf")) == cached / "snapshots" / commit
    judge = load("paraformer:paraformer-zh?hub=hf&language=en")
    assert judge.spec == "paraformer:paraformer-zh?hub=hf&language=en"
    assert judge.score([WAVES[1]], ENGLISH)[0].usable


def test_without_funasr_the_answer_is_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(VerifierError, match=r"needs funasr.*pip install 'llasa-search\[funasr\]'"):
        check(f"paraformer:{tmp_path}")
    assert directions("paraformer:x", "paraformer:x?unit=character") == {"wer": False, "cer": False}


def test_short_names_are_those_of_funasr() -> None:
    with isolated():
        from funasr.download import name_maps_from_hub as maps
    for name, hub_id in NAMES["ms"].items():
        assert maps.name_maps_ms[name] == hub_id
    for name, hub_id in NAMES["hf"].items():
        assert maps.name_maps_hf[name] == hub_id


def test_features_are_the_same_without_torchaudio(folder: Path, judge: Paraformer) -> None:
    """funasr then takes kaldi-native-fbank; checking a spec imports neither."""
    code = (
        "import sys; sys.modules['torchaudio'] = None\n"
        "import verifiers\n"
        "from tests.verifiers.tiny_verifiers import speechlike\n"
        f"spec = 'paraformer:{folder}?language=en'\n"
        "verifiers.check(spec); print(sorted({'torch', 'funasr'} & set(sys.modules)))\n"
        "score = verifiers.load(spec).score([speechlike(1.0, 1)], verifiers.Target(text='the train'))[0]\n"
        "from funasr.utils import fbank; print(fbank._HAS_TORCHAUDIO)\n"
        "print(repr((score.evidence['transcript'], score.evidence['logp'])))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.strip().splitlines()
    here = judge.score([speechlike(1.0, 1)], Target(text="the train"))[0].evidence
    assert lines[:2] == ["[]", "False"]
    transcript, logp = eval(lines[2])
    assert transcript == here["transcript"]
    assert logp == pytest.approx(here["logp"], abs=1e-3)
