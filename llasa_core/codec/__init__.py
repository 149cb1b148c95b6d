"""X-codec2: waveform <-> one code for every 320 samples."""
