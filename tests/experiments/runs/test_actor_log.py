"""What the actors of a run did is kept beside its records."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.runs import actor_log
from experiments.runs.actor_log import ActorLog
from llasa_core.errors import UserError

ROWS = [{"name": "actor 0", "tokens": 12}]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / actor_log.NAME).read_text("utf-8").splitlines()]


def test_a_line_now_and_then_and_one_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ActorLog(tmp_path, 3, lambda: ROWS) as log:
        assert log.look() == ROWS
        assert not (tmp_path / actor_log.NAME).exists()
        monkeypatch.setattr(actor_log, "EVERY", 0.0)
        log.look()
    assert [(line["session"], line["actors"]) for line in lines(tmp_path)] == [(3, ROWS), (3, ROWS)]


@pytest.mark.parametrize(("error", "count"), [(KeyboardInterrupt, 1), (UserError, 0)])
def test_an_interrupted_run_has_its_last_line_too(
    tmp_path: Path, error: type[BaseException], count: int
) -> None:
    with pytest.raises(error), ActorLog(tmp_path, 1, lambda: ROWS):
        raise error("stop")
    assert (len(lines(tmp_path)) if (tmp_path / actor_log.NAME).exists() else 0) == count


def test_without_actors_there_is_nothing_to_keep(tmp_path: Path) -> None:
    with ActorLog(tmp_path, 1, list) as log:
        assert log.look() == []
    assert not (tmp_path / actor_log.NAME).exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_log, "EVERY", 0.0)
    (tmp_path / actor_log.NAME).mkdir()
    with pytest.raises(UserError, match="no regular file"):
        ActorLog(tmp_path, 1, lambda: ROWS).look()
