"""What a narration came to: passed, flagged, still to do, and the lines of a lexicon to try."""

from __future__ import annotations

from pathlib import Path

from experiments import interrupts
from experiments.cli.narrate_options import EXIT_FLAGGED, EXIT_LOST
from experiments.narration.book import beginning
from experiments.narration.speaking.unheard import unheard_words
from experiments.narration.takes import Narration, read_narration
from experiments.terminal import Terminal, say

MOST_SHOWN = 20
"""Of doubtful chunks, and of words, so many are listed."""


def conclude(folder: Path, interrupted: interrupts.Interrupted | None) -> int:
    """Prints what is in the folder now; the exit code."""
    narration = read_narration(folder)
    terminal = Terminal()
    spoken = [(chunk, take) for chunk, take in narration.in_order if take is not None]
    flagged = [(chunk, take) for chunk, take in spoken if not take.passed]
    for chunk, take in flagged[:MOST_SHOWN]:
        reasons = " ".join(dict.fromkeys(doubt.says for doubt in take.doubts))
        terminal.say(
            f"doubtful: {chunk.id}, chapter {chunk.chapter}, {beginning(chunk.written)!r}: {reasons}"
        )
    if len(flagged) > MOST_SHOWN:
        terminal.say(f"and {len(flagged) - MOST_SHOWN} more, in {folder}/takes.jsonl")
    for word in unheard_words(narration.in_order)[:MOST_SHOWN]:
        tried = f"; try a line of --lexicon: {word.line}" if word.line else ""
        say(f"never heard right: {word.word!r} ({word.places} chunks){tried}")  # with the tab as it is
    terminal.say(counted(narration))
    if narration.plan.one_family:
        terminal.say(f"note: both ears are of one family, {next(iter(narration.plan.ears.values()))}")
    missing = len(narration.in_order) - len(spoken)
    if interrupted:
        terminal.say(f"{interrupted}: the same command goes on")
        return interrupted.exit_code
    if missing:
        terminal.say(f"{missing} chunks could not be spoken: the same command tries them again")
        return EXIT_LOST
    return EXIT_FLAGGED if flagged else 0


def counted(narration: Narration) -> str:
    """`52 of 60 chunks passed, 8 doubtful; 4.1 minutes, 61,000 tokens (3.9 for each that is kept)`"""
    takes = [take for _, take in narration.in_order if take is not None]
    passed = sum(take.passed for take in takes)
    seconds = sum(take.seconds for take in takes)
    tokens = sum(take.tokens for take in takes)
    kept = max(1, round(50 * seconds))
    return (
        f"{passed} of {len(narration.in_order)} chunks passed, {len(takes) - passed} doubtful; "
        f"{seconds / 60:.1f} minutes, {tokens:,} tokens ({tokens / kept:.1f} for each that is kept): "
        f"{narration.folder}/takes.jsonl, audio/"
    )
