"""What users run."""

import llasa_core  # noqa: F401 (before transformers is imported anywhere here: see llasa_core.torchaudio_import)
