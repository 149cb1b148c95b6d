"""Folders of tiny models, written once."""

from pathlib import Path

import pytest

from tests.verifiers import tiny_verifiers


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_verifiers.write_whisper(tmp_path_factory.mktemp("models") / "whisper")


@pytest.fixture(scope="session")
def hubert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_verifiers.write_hubert(tmp_path_factory.mktemp("models") / "hubert")


@pytest.fixture(scope="session")
def wavlm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_verifiers.write_wavlm(tmp_path_factory.mktemp("models") / "wavlm")
