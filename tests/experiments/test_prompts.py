"""Which recordings of a voice a prompt search tries, what is suggested, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from experiments.prompts import arms_of, inputs_of_arm, prompts_of, suggest_style
from experiments.request_options import RequestOptions, build_request, choose_voice
from llasa_core.audio import read_audio
from llasa_core.errors import UserError
from llasa_core.voices import find_voice, neutral_of, shipped_voices, styles_of


def prompts(**options: object) -> list[str]:
    given = RequestOptions(**options)  # type: ignore[arg-type]
    return [one.name for one in prompts_of(given, choose_voice(given))]


def test_a_shipped_voice_has_its_styles_the_given_one_first() -> None:
    assert prompts(voice="slt", voice_styles=True) == ["slt", "slt-angry", "slt-happy", "slt-sad"]
    assert prompts(voice="slt-sad", voice_styles=True) == ["slt-sad", "slt", "slt-angry", "slt-happy"]
    assert prompts(voice="slt") == []


def test_the_arms_say_the_same_text_with_each_recording() -> None:
    options = RequestOptions(voice="slt", voice_styles=True, emotion="sad", seed=4)
    request = build_request(options, "One bird.")
    arms = arms_of(request, prompts_of(options, choose_voice(options)))
    assert arms[0].request is request and request.neutral_audio is None
    for arm in arms[1:]:
        voice, own = find_voice(arm.name), arm.request
        alone = build_request(RequestOptions(voice=arm.name, emotion="sad", seed=4), "One bird.")
        assert (own.text, own.prompt_text, own.emotion, own.seed, own.id) == (
            "One bird.",
            voice.text,
            "sad",
            4,
            request.id,
        )
        for name in ("prompt_audio", "neutral_audio"):
            assert np.array_equal(getattr(own, name), getattr(alone, name))
        assert np.array_equal(own.neutral_audio, read_audio(find_voice("slt").path))
        assert inputs_of_arm(arm.name) == {"voice": arm.name, "prompt_audio": None}


def test_recordings_of_ones_own(voice_file: Path) -> None:
    own = {"prompt_audio": voice_file, "prompt_text": "a buzz"}
    name = str(voice_file.absolute())
    found = prompts(**own, also_prompts=(f"{voice_file} | a louder buzz",))
    assert found == [name, name]
    assert inputs_of_arm(name) == {"voice": None, "prompt_audio": name}
    for more, says in (
        ({"also_prompts": ("x.wav",)}, "write WAV|TEXT"),
        ({"also_prompts": ("x.wav| ",)}, "write WAV|TEXT"),
        ({"also_prompts": ("no.wav|a buzz",)}, "does not exist"),
        ({"voice_styles": True}, "your own voice has recordings in one style alone"),
        ({"voice_styles": True, "also_prompts": ("a|b",)}, "leave one out"),
    ):
        with pytest.raises(UserError, match=says.replace("|", r"\|")):
            prompts(**own, **more)
    with pytest.raises(UserError, match="give the first recording with --prompt-audio"):
        prompts(voice="slt", also_prompts=(f"{voice_file}|a buzz",))
    with pytest.raises(UserError, match="no voice is given that"):
        prompts(no_prompt=True, voice_styles=True)


def test_a_recording_in_the_style_is_suggested() -> None:
    for emotion in ("sad", "sadness", "sad@0.7", "难过", "sad=0.6,happy=0.4"):
        found = suggest_style(RequestOptions(voice="slt", emotion=emotion))
        assert "try --voice slt-sad, or --voice-styles" in found
    for options in (
        RequestOptions(voice="slt"),
        RequestOptions(voice="slt-sad", emotion="sad"),
        RequestOptions(voice="slt", emotion="sad", voice_styles=True),
        RequestOptions(voice="slt", emotion="fearful"),
        RequestOptions(voice="slt", emotion="arousal=0.5"),
        RequestOptions(no_prompt=True, emotion="sad"),
    ):
        assert suggest_style(options) == ""


def test_every_shipped_style_has_its_neutral_recording() -> None:
    for voice in shipped_voices():
        neutral = neutral_of(voice)
        assert (neutral is None) == (voice.style == "neutral")
        assert neutral is None or (neutral.voice, neutral.style) == (voice.voice, "neutral")
        assert voice.name in [one.name for one in styles_of(voice)]
