import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import SpeechLM
from tests.tiny import build_codec, build_generator, build_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="session")
def generator_folder(tmp_path_factory) -> Path:
    return build_generator(tmp_path_factory.mktemp("models") / "generator")


@pytest.fixture(scope="session")
def codec_folder(tmp_path_factory) -> Path:
    return build_codec(tmp_path_factory.mktemp("models") / "codec")


@pytest.fixture(scope="session")
def generator(generator_folder: Path) -> SpeechLM:
    return SpeechLM.from_source(str(generator_folder))


@pytest.fixture(scope="session")
def codec(codec_folder: Path) -> Codec:
    return Codec.from_source(str(codec_folder))
