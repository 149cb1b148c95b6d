import subprocess
import sys

import pytest

from llasa_core.errors import UserError
from llasa_core.presets import PRESETS, find_preset, resolve_source, source_status


def test_names_and_licences():
    assert list(PRESETS) == ["nano", "llasa-1b", "llasa-3b", "llasa-8b"]
    assert find_preset("llasa-3b").generator == "HKUSTAudio/Llasa-3B"
    assert all(PRESETS[name].generator_licence == "CC BY-NC 4.0" for name in PRESETS if name != "nano")


@pytest.mark.parametrize(
    ("name", "near"), [("nanno", "nano"), ("Llasa-1B", "llasa-1b"), ("lasa-8b", "llasa-8b")]
)
def test_unknown_preset_offers_the_nearest(name, near):
    with pytest.raises(UserError, match=f"did you mean '{near}'"):
        find_preset(name)


def test_sources(tmp_path):
    assert resolve_source("HKUSTAudio/Llasa-1B") == "HKUSTAudio/Llasa-1B"
    with pytest.raises(UserError, match=r"no config\.json"):
        resolve_source(str(tmp_path))
    for absent in (str(tmp_path / "absent"), "./absent", "plain", "a/b/c", ""):
        with pytest.raises(UserError):
            resolve_source(absent)
    (tmp_path / "config.json").write_text("{}")
    assert resolve_source(str(tmp_path)) == str(tmp_path)
    assert source_status(str(tmp_path)).kind == "folder"
    assert source_status(str(tmp_path / "absent")).kind == "missing"
    assert source_status("nobody/nothing").kind == "hub" and not source_status("nobody/nothing").installed


@pytest.mark.processes
def test_light_import_brings_no_model_library():
    code = (
        "import sys, llasa_core, llasa_core.prompt, llasa_core.lm.lineage; "
        "heavy = {'torch', 'transformers', 'whisper', 'inflect', 'huggingface_hub'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_released_presets_sample_as_the_model_card():
    """Its call of `generate` names temperature and top-p; the rest is what transformers does then."""
    from transformers import GenerationConfig

    card = GenerationConfig(do_sample=True, temperature=0.9, top_p=0.95)
    defaults = card._get_default_generation_params()
    for name in ("llasa-1b", "llasa-3b", "llasa-8b"):
        sampling = find_preset(name).sampling
        assert (sampling.temperature, sampling.top_p) == (card.temperature, card.top_p)
        assert sampling.top_k == defaults["top_k"] == 50
        assert sampling.repetition_penalty == defaults["repetition_penalty"] == 1 and sampling.min_p == 0
    assert find_preset("nano").sampling.top_k == 0
