"""Which chunks a rung is due for: by what came before, and by the budgets."""

from __future__ import annotations

from pathlib import Path

from experiments.narration.lexicon import read_lexicon
from experiments.narration.speaking.folder import SpokenFolder
from experiments.narration.speaking.ladder import (
    BOOK_CANDIDATES,
    LADDER,
    Limits,
    due,
    predicted_tokens,
    seed_of,
)
from experiments.narration.speaking.unheard import unheard_words
from experiments.narration.takes import Attempt, Measures, PlannedChunk, Take
from search.cost.budget import Budget
from tests.experiments.narration.production.narrations import narration


def chunk(number: int, predicted: float = 2.0) -> PlannedChunk:
    return PlannedChunk(
        id=f"id{number}",
        key=f"key{number}",
        number=number,
        chapter=1,
        paragraph=number,
        place=0,
        ends="paragraph",
        written="A word.",
        text="A word.",
        spoken="A word.",
        predicted=predicted,
        guarded=False,
        heading=False,
        speaker=None,
        emotion=None,
        lexicon=[],
    )


def attempt(rung: int, *, passed: bool = False, tokens: int = 400) -> Attempt:
    return Attempt(
        rung=rung,
        strategy=LADDER[rung].spec,
        seed=1,
        parts=[],
        candidates=4,
        tokens=tokens,
        seconds=1.0,
        flops=1.0,
        passed=passed,
        why=[],
    )


def take(of: PlannedChunk, *attempts: Attempt, redo: int = 0) -> Take:
    return Take(
        schema=1,
        id=of.id,
        key=of.key,
        text=of.text,
        spoken=of.spoken,
        audio="audio/a.flac",
        audio_sha256="",
        seconds=2.0,
        passed=any(one.passed for one in attempts),
        doubts=[],
        heard=[],
        measures=Measures(pace=None, dbfs=-20, peak=-3, length_ratio=None),
        attempts=list(attempts),
        ledger={},
        seed=1,
        asked={},
        manifests=[],
        redo=redo,
        session=1,
        elapsed=1.0,
    )


def numbers(found: list[PlannedChunk]) -> list[int]:
    return [one.number for one in found]


def test_all_chunks_get_the_first_rung_whatever_the_budget() -> None:
    chunks = [chunk(0), chunk(1), chunk(2)]
    takes = {"key1": take(chunks[1], attempt(0))}
    assert numbers(due(chunks, takes, 0, Limits(tokens=1))) == [0, 2]


def test_a_later_rung_is_for_what_has_not_passed() -> None:
    chunks = [chunk(number) for number in range(4)]
    takes = {
        "key0": take(chunks[0], attempt(0, passed=True)),
        "key1": take(chunks[1], attempt(0)),
        "key2": take(chunks[2], attempt(0), redo=1),
    }
    assert numbers(due(chunks, takes, 1, Limits(tokens=10**6))) == [1]


def test_the_shortest_come_first_where_the_budget_is_short() -> None:
    chunks = [chunk(0, 8.0), chunk(1, 2.0), chunk(2, 4.0)]
    takes = {one.key: take(one, attempt(0, tokens=100)) for one in chunks}
    room = LADDER[1].candidates * (predicted_tokens(chunks[1]) + predicted_tokens(chunks[2]))
    assert numbers(due(chunks, takes, 1, Limits(tokens=300 + room))) == [1, 2]
    assert numbers(due(chunks, takes, 1, Limits(tokens=300 + room - 1))) == [1]


def test_what_a_rung_has_done_already_does_not_change_whom_it_is_due_for() -> None:
    """So that a narration that is killed within a rung goes on with the same chunks."""
    chunks = [chunk(0, 2.0), chunk(1, 3.0), chunk(2, 4.0)]
    takes = {one.key: take(one, attempt(0, tokens=100)) for one in chunks}
    limits = Limits(tokens=300 + LADDER[1].candidates * (100 + 150))
    assert numbers(due(chunks, takes, 1, limits)) == [0, 1]
    takes["key0"] = take(chunks[0], attempt(0, tokens=100), attempt(1, tokens=5000))
    assert numbers(due(chunks, takes, 1, limits)) == [1]
    takes["key1"] = take(chunks[1], attempt(0, tokens=100), attempt(1, tokens=10, passed=True))
    assert numbers(due(chunks, takes, 1, limits)) == []


def test_the_budget_of_a_chunk_is_over_all_its_searches() -> None:
    one = chunk(0)
    limits = Limits(Budget(tokens=450), tokens=10**6)
    assert limits.left(take(one, attempt(0)), 1).tokens == 50
    assert due([one], {"key0": take(one, attempt(0))}, 1, limits) == []
    assert numbers(due([one], {"key0": take(one, attempt(0, tokens=300))}, 1, limits)) == [0]
    seconds = Limits(Budget(seconds=1.0), tokens=10**6)
    assert due([one], {"key0": take(one, attempt(0))}, 1, seconds) == []


def test_by_default_a_book_may_cost_so_many_candidates_of_each_chunk() -> None:
    chunks = [chunk(0, 2.0), chunk(1, 3.0)]
    assert Limits().book(chunks) == BOOK_CANDIDATES * (100 + 150)


def test_seeds_follow_from_the_books_seed_the_chunk_and_the_search() -> None:
    assert seed_of(0, "a", 1, 0) == seed_of(0, "a", 1, 0)
    others = {seed_of(1, "a", 1, 0), seed_of(0, "b", 1, 0), seed_of(0, "a", 2, 0), seed_of(0, "a", 1, 1)}
    assert len(others | {seed_of(0, "a", 1, 0)}) == 5
    assert all(0 <= seed < 2**63 for seed in others)


def test_what_cannot_be_split_is_not_due_for_ever() -> None:
    one, rung = chunk(0), len(LADDER) - 1
    assert LADDER[rung].split
    takes = {one.key: take(one, *(attempt(number) for number in range(rung)))}
    assert due([one.model_copy(update={"text": "Huh!"})], takes, rung, Limits(tokens=10**6)) == []
    long = one.model_copy(update={"text": "He came in from the rain, and she put the letter on the table."})
    assert due([long], takes, rung, Limits(tokens=10**6)) == [long]


def test_a_lexicon_line_that_is_proposed_can_be_used(tmp_path: Path) -> None:
    assert _proposed("Phaedra") == "Phaedra\tfaed ra" and _proposed("strand") == ""
    path = tmp_path / "book.lexicon"
    path.write_text(f"{_proposed('Phaedra')}\n", "utf-8")
    assert len(read_lexicon(path)) == 1


def _proposed(word: str) -> str:
    failed = attempt(0).model_copy(update={"never": [word.casefold()]})
    one = chunk(0).model_copy(update={"written": f"The {word} came."})
    (found,) = unheard_words([(one, take(one, failed))])
    assert found.word == word
    return found.line


def test_another_voice_forgets_and_the_old_one_finds_its_audio(tmp_path: Path) -> None:
    book = narration(tmp_path / "book")
    keys = [one.key for one in book.plan.chunks]
    audio = sorted((book.folder / "audio").iterdir())
    with SpokenFolder(book.folder) as folder:
        folder.forget(keys)
        folder.prepare()
        assert not folder.takes and sorted((book.folder / "audio").iterdir()) == audio
    with SpokenFolder(book.folder) as folder:
        folder.prepare()
        assert not folder.lost(keys) and sorted(folder.takes) == sorted(keys)
