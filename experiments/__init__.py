"""What users run: the command line, benchmarks, studies, and the recipe of the nano models."""

import llasa_core  # noqa: F401  before transformers: see llasa_core.torchaudio_import
