"""What a search loads by name: spec of a preset, replaced, shared between searchers, and refused."""

import json
import math
import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest

from llasa_core.audio import Waveform
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.engine import Searcher
from search.models import ModelSpec
from search.strategies.best_of_n import BestOfN
from tests.plain_verifiers import Crossings
from verifiers.selection.parse import parse_selection

METRICS = {"wer": False, "sim": True}
BEST_OF_3 = BestOfN(n=3, verifiers=tuple(METRICS), selection=parse_selection("wer<=0.01,sim", METRICS))


@pytest.mark.usefixtures("plain_kinds")
def test_a_preset_with_other_parts(tiny_generator: Path, tiny_codec: Path) -> None:
    searcher = Searcher.from_preset(
        "nano",
        generator=str(tiny_generator),
        codec=str(tiny_codec),
        verifiers=["crossings"],
        judges=["crossings:held-out"],
        sampling=Sampling(temperature=0.5),
    )
    assert searcher.models["sampling"]["temperature"] == 0.5
    assert len(searcher.models["generator"]["sha256"]) == 64
    assert searcher.models["verifiers"] == [{"spec": "crossings"}]


@pytest.mark.usefixtures("plain_kinds")
def test_two_verifiers_of_one_name_are_an_error(tiny_generator: Path, tiny_codec: Path) -> None:
    with pytest.raises(UserError, match="both measure wer"):
        Searcher.from_preset(
            generator=str(tiny_generator), codec=str(tiny_codec), verifiers=["crossings", "crossings:other"]
        )


@pytest.mark.usefixtures("plain_kinds")
def test_searchers_share_their_verifiers_and_may_remember_scores(
    tiny_generator: Path, tiny_codec: Path, voice: Waveform
) -> None:
    """One verifier that both searches and judges, which presets refuse: the ledger tells what was asked in
    which role."""
    request_ = Request("Seven birds in 2 trees", prompt_audio=voice, prompt_text="a buzz", seed=3)

    def searcher(remember: int) -> Searcher:
        spec = ModelSpec.from_preset(
            generator=str(tiny_generator),
            codec=str(tiny_codec),
            verifiers=("crossings", "level"),
            max_seconds=1.5,
            remember=remember,
        )
        return Searcher.load(replace(spec, judges=("crossings",)))

    plain, other = searcher(0), searcher(0)
    crossings = plain.backend.verifiers["wer"]  # type: ignore[attr-defined]
    assert isinstance(crossings, Crossings)
    assert other.backend.verifiers["wer"] is crossings  # type: ignore[attr-defined]
    expected = plain.run(request_, BEST_OF_3)
    assert [count for count in crossings.calls if count] == [3, 3]
    assert set(expected.ledger.seconds_scored) == {"wer", "sim"}
    assert set(expected.ledger.seconds_judged) == {"crossings:nano"}
    remembering = searcher(64)
    for _ in range(2):
        result = remembering.run(request_, BEST_OF_3)
        assert result.scores["wer"] == expected.scores["wer"]
        assert [c.rank for c in result.candidates] == [c.rank for c in expected.candidates]
    assert [count for count in crossings.calls if count] == [3, 3, 3, 3]


def test_a_spec_is_pickled_and_described_whole() -> None:
    spec = ModelSpec.from_preset("nano", judges=["hubert-ctc"], memory=2**30, remember=8, max_seconds=5.0)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert set(spec.to_dict()) == {field.name for field in fields(ModelSpec)}
    from_manifest = ModelSpec.from_dict(json.loads(json.dumps(spec.manifest(2))))
    assert from_manifest == replace(spec, memory=None, remember=0)


def test_what_is_none_is_that_of_the_preset() -> None:
    chosen = find_preset("llasa-1b")
    spec = ModelSpec.from_preset("llasa-1b", codec=None, verifiers=None, generator="somewhere")
    assert (spec.generator, spec.codec, spec.verifiers) == ("somewhere", chosen.codec, chosen.verifiers)
    assert spec.judges == () and spec.sampling == chosen.sampling


@pytest.mark.parametrize("number", [0, -1, 10**400, 1e308, math.nan, math.inf])
def test_numbers_out_of_range_are_refused(number: float) -> None:
    for name in ("max_seconds", "memory"):
        with pytest.raises(UserError, match=f"^{name}=.*give more than 0 and at most [0-9.]+"):
            ModelSpec.from_preset(**{name: number})
    with pytest.raises(UserError, match=r"^remember=-3: give 0 or more"):
        ModelSpec.from_preset(remember=-3)
    with pytest.raises(UserError, match="unknown preset 'nan': did you mean 'nano'"):
        ModelSpec.from_preset("nan")
