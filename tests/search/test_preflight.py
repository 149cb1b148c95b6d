"""What is found out about a request before any weights are loaded."""

import numpy as np
import pytest

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.preflight import check_target

SPEECH = np.sin(np.arange(32000) / 7).astype(np.float32) / 4
VOICE = Request("Hi.", prompt_audio=SPEECH, prompt_text="a buzz")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "wavlm-sv",
            "wavlm-sv compares with a voice, and the request has none: give the request prompt_audio and ",
        ),
        ("wavlm-sv:nano?reference=resynthesis", "compares with a voice"),
        ("ecapa:some/where", "ecapa:some/where compares with a voice"),
        (
            "emotion2vec?measure=label",
            "judges the emotion, and the request has none: give the request emotion,",
        ),
        (
            "emotion2vec",
            "with a recording of the emotion, and the request has none: give the request emotion_audio",
        ),
    ],
)
def test_what_a_verifier_needs_and_the_request_lacks_is_named(spec: str, message: str) -> None:
    with pytest.raises(UserError) as found:
        check_target(["whisper", spec], Request("Hi."))
    assert message in str(found.value) and spec in str(found.value)
    assert "without this verifier or judge" in str(found.value) and "\n" not in str(found.value)


def test_what_it_has_is_enough() -> None:
    check_target(["whisper", "signal"], Request("Hi."))
    check_target(["wavlm-sv", "wavlm-sv:nano?reference=resynthesis"], VOICE)
    check_target(["emotion2vec?measure=label"], Request("Hi.", emotion="happy"))
    check_target(["emotion2vec"], Request("Hi.", emotion_audio=SPEECH))
