"""Speed of every part, as commands: `python -m experiments.bench` and its modules."""
