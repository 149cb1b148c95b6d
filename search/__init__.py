"""The search engine: strategies ask for work, backend carry it out, the ledger says what it cost."""

import llasa_core  # noqa: F401  before transformers: see llasa_core.torchaudio_import
