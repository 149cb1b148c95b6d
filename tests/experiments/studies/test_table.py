"""The table of a sweep: its columns, its bytes, and what is no such table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from experiments.studies import table
from experiments.studies.subsample import subsample
from llasa_core.errors import UserError
from verifiers.errors import VerifierError

DIRECTIONS = {"wer": False, "sim": True, "whisper:base": False}


def rows(wer: list[float], sim: list[float], **other: Any) -> pandas.DataFrame:
    """One search of best-of-N with these scores."""
    count = len(wer)
    order = sorted(range(count), key=lambda i: (wer[i], -sim[i], i))
    fixed = {
        "search": "0123456789abcdef",
        "cell": "nano best-of-n n=4",
        "series": "nano best-of-n",
        "preset": "nano",
        "strategy": "best-of-n",
        "spec": f"best-of-n?n={count}&select=wer,sim",
        "n": count,
        "beams": 0,
        "subsampled": 0,
        "utterance": "000001",
        "text": "the train is late",
        "language": "en",
        "voice": "first",
        "seed": 0,
        "candidate": range(count),
        "rank": [order.index(i) for i in range(count)],
        "winner": [order[0] == i for i in range(count)],
        "tokens": [10 * (i + 1) for i in range(count)],
        "seconds": 1.5,
        "cut_off": False,
        "satisfied": True,
        "stopped": "",
        "codes": [[1, 2, i] for i in range(count)],
        "tokens_generated": sum(10 * (i + 1) for i in range(count)),
        "tokens_prefilled": 80,
        "flops": 3e9,
        "wall": 2.0,
        "flops:generator": 3e9,
        "wall:generator": 2.0,
        "score:wer": wer,
        "score:sim": sim,
        "unusable:wer": "",
        "unusable:sim": "",
        "logp:wer": np.nan,
        "words:wer": 4,
        "errors:wer": [round(4 * value) for value in wer],
        "transcript:wer": "the train is late",
        "failures:wer": "",
        "judge:whisper:base": [wer[i] if order[0] == i else np.nan for i in range(count)],
    }
    frame = pandas.DataFrame({**fixed, **other})
    frame.attrs["directions"] = DIRECTIONS
    return frame


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    frame = rows([0.5, 0.0, 0.25, 0.0], [0.9, 0.7, 0.8, 0.75])
    table.write(tmp_path, frame.sample(frac=1, random_state=0), DIRECTIONS)
    found = table.read(tmp_path)
    assert list(found.columns[: len(table.FIXED)]) == list(table.FIXED)
    assert found["candidate"].tolist() == [0, 1, 2, 3] and [list(c) for c in found["codes"]][2] == [1, 2, 2]
    assert found.attrs["directions"] == DIRECTIONS and table.parts(found, "score") == ["sim", "wer"]
    assert table.winners(found)["candidate"].tolist() == [3]
    assert table.columns(found, ("wall",)) == ["wall", "wall:generator"]
    assert found["judge:whisper:base"].isna().tolist() == [True, True, True, False]


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    frame = rows([0.5, 0.0, 0.25, 0.0], [0.9, 0.7, 0.8, 0.75])
    first = table.write(tmp_path, frame, DIRECTIONS).read_bytes()
    mixed = frame.sample(frac=1, random_state=1)[sorted(frame.columns)]
    assert table.write(tmp_path, mixed, dict(reversed(DIRECTIONS.items()))).read_bytes() == first


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("select", ["wer,sim", "sim", "wer<=0,sim", "ranks(wer,sim)"])
def test_the_first_candidates_are_chosen_among_by_any_selection(n: int, select: str) -> None:
    wer, sim = [0.5, 0.0, 0.25, 0.0], [0.9, 0.7, 0.8, 0.75]
    best = {
        "wer,sim": [0, 1, 1, 3],
        "sim": [0, 0, 0, 0],
        "wer<=0,sim": [0, 1, 1, 3],
        "ranks(wer,sim)": [0, 0, 0, 3],  # of 3 and 4 candidates the places are summed by hand
    }[select]
    found = subsample(rows(wer, sim), n, select)
    assert found["candidate"].tolist() == list(range(n))
    assert table.winners(found)["candidate"].tolist() == [best[n - 1]]
    assert set(found["tokens_generated"]) == {sum(10 * (i + 1) for i in range(n))}
    assert set(found["satisfied"]) == {select != "wer<=0,sim" or n > 1}
    assert found["flops"].iloc[0] == pytest.approx(3e9 * [10, 30, 60, 100][n - 1] / 100)


def test_speech_that_cannot_be_judged_never_wins() -> None:
    frame = rows([0.0, 0.5], [0.9, 0.1], **{"unusable:wer": ["bad", ""]})
    assert table.winners(subsample(frame, 2, "wer,sim"))["candidate"].tolist() == [1]


@pytest.mark.parametrize(
    ("n", "select", "changed", "says"),
    [
        (5, "wer", {}, "n=5: the searches have 4 candidates, so give from 1 to 4"),
        (0, "wer", {}, "n=0"),
        (2, "wer", {"spec": "beam?beams=2"}, "candidates nest in best-of-n alone"),
        (2, "consensus(wer)", {}, "looks at more than the scores"),
        (2, "keep(sim=0.5),wer", {}, "looks at more than the scores"),
        (2, "wr", {}, "did you mean 'wer'"),
    ],
)
def test_what_cannot_be_sampled(n: int, select: str, changed: dict[str, Any], says: str) -> None:
    frame = rows([0.5, 0.0, 0.25, 0.0], [0.9, 0.7, 0.8, 0.75], **changed)
    with pytest.raises((UserError, VerifierError)) as error:
        subsample(frame, n, select)
    assert says in str(error.value)


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no candidates.parquet: give the folder of a sweep"):
        table.read(tmp_path)
    (tmp_path / table.NAME).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match="is no Parquet file"):
        table.read(tmp_path)
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / table.NAME)
    with pytest.raises(UserError, match="lacks the columns search, cell, series: it is no table of a sweep"):
        table.read(tmp_path)
