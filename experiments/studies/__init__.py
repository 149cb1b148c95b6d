"""Studies of how quality grows with compute."""
