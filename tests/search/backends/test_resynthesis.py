"""A verifier that compares with the codec's resynthesis of the voice gets it, remembered or not, in either role."""

from pathlib import Path

import pytest

from llasa_core.audio import Waveform
from llasa_core.request import Request
from search.engine import Searcher
from search.strategies.registry import build
from tests.verifiers.tiny_verifiers import write_wavlm


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_wavlm(tmp_path_factory.mktemp("models") / "wavlm")
    return f"wavlm-sv:{folder}?reference=resynthesis"


@pytest.mark.usefixtures("plain_kinds")
@pytest.mark.parametrize("remember", [0, 16])
@pytest.mark.parametrize("role", ["verifier", "judge"])
def test_the_resynthesis_is_made_for_it(
    spec: str, remember: int, role: str, tiny_generator: Path, tiny_codec: Path, voice: Waveform
) -> None:
    others = ("crossings",)
    searcher = Searcher.from_preset(
        generator=str(tiny_generator),
        codec=str(tiny_codec),
        verifiers=(*others, spec) if role == "verifier" else others,
        judges=(spec,) if role == "judge" else (),
        max_seconds=1.5,
        remember=remember,
    )
    request = Request("Seven birds in two trees", prompt_audio=voice, prompt_text="a buzz", seed=3)
    metrics = {"wer": False, "sim-r": True} if role == "verifier" else {"wer": False}
    result = searcher.run(request, build({"name": "best-of-n", "n": 2, "select": "wer"}, metrics))
    candidates = result.candidates
    found = [c.scores["sim-r"] if role == "verifier" else c.judged[spec] for c in candidates[:1]]
    assert [score.evidence["reference_seconds"] for score in found if score.usable] == [2.0] * len(found)
