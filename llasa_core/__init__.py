"""llasa_core: text and voice prompt -> speech tokens -> waveform.

What is exported here is light: requests, audio files, presets, settings. The models are in
`llasa_core.lm.speech_lm` (the generator) and `llasa_core.codec.codec`, which import torch and transformers.
"""

from llasa_core.audio import SAMPLE_RATE, AudioError, Waveform, read_audio, write_audio
from llasa_core.errors import UserError
from llasa_core.presets import PRESETS, Preset, find_preset
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from llasa_core.text import check_text, spoken_form
from llasa_core.torchaudio_import import tolerate_missing_extension

tolerate_missing_extension()

__all__ = [
    "PRESETS",
    "SAMPLE_RATE",
    "AudioError",
    "Preset",
    "Request",
    "Sampling",
    "UserError",
    "Waveform",
    "check_text",
    "find_preset",
    "read_audio",
    "spoken_form",
    "write_audio",
]
