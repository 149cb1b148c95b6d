import importlib.util
import subprocess
import sys

import pytest

needs_torchaudio = pytest.mark.skipif(
    importlib.util.find_spec("torchaudio") is None, reason="torchaudio is an extra"
)

MODELS = """
import sys, llasa_core, llasa_core.audio
assert "torchaudio" not in sys.modules and "torch" not in sys.modules
import torch, torchaudio
from transformers import LlamaForCausalLM, WavLMForXVector
assert torchaudio.functional.resample(torch.ones(1, 320), 16000, 8000).shape == (1, 160)
bank = torchaudio.compliance.kaldi.fbank(torch.randn(1, 16000), num_mel_bins=80)
assert bank.shape == (98, 80) and bank.isfinite().all()
"""


@needs_torchaudio
@pytest.mark.processes
def test_models_and_torchaudio_load_in_a_fresh_process():
    """On a CPU build of torch the extension cannot be loaded; on any other this passes without us."""
    subprocess.run([sys.executable, "-c", MODELS], check=True, timeout=120)


@needs_torchaudio
def test_what_needs_the_extension_says_so():
    import torch
    import torchaudio

    if torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE:
        pytest.skip("this torchaudio has its extension")
    with pytest.raises(RuntimeError, match="without its compiled extension"):
        torchaudio.functional.forced_align(torch.zeros(1, 4, 3), torch.ones(1, 2, dtype=torch.int32))
