"""Compiled functions for decoding in float32 on a CPU."""
