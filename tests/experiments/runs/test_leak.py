"""The leak check of a run: over its texts, a gain by mimicry is told from one that the held-out ear hears."""

import io

import pandas

from experiments.runs.leak import leak_summary
from experiments.runs.table import summarize
from tests.experiments.runs.test_records import record
from tests.search.results.test_leak import kinds, search

__all__ = ["kinds"]


def test_a_run_says_it_over_its_texts() -> None:
    """Of thirty texts the mimic gains in each; the honest ear in half of them gains, in half it loses."""
    texts = []
    for i in range(30):
        up = i % 2 == 0
        spreads = [0.2, 0.3, 0.25, 0.3 if up else 0.2]
        texts.append(search([0.0, 0.1, 0.2, 0.45], spreads, [0.4, 0.5, 0.6, 0.8]).as_dict()["lines"])
    found = leak_summary(texts)
    assert found is not None
    assert "is NOT seen by the held-out honest" in found.sentence
    assert "moved towards the emotion clips' speakers" in found.sentence
    heard = [search([0.0, 0.1, 0.2, 0.45], [0.1, 0.2, 0.2, 0.5], [0.5] * 4).as_dict()["lines"]] * 30
    good = leak_summary(heard)
    assert good is not None and "is seen by the held-out honest" in good.sentence
    assert leak_summary([]) is None


def test_the_table_of_a_run_has_the_gains() -> None:
    leak = search([0.0, 0.1, 0.2, 0.45], [0.1, 0.2, 0.2, 0.5], [0.5] * 4).as_dict()
    summary = summarize([record("a", leak=leak), record("b", leak=leak), record("c")], 1.0)
    frame = pandas.read_csv(io.BytesIO(summary.as_csv())).set_index("measure")
    gain = frame.loc["gain: emotion, searched by"]
    assert (gain["n"], gain["by"]) == (2, "emo-sim")
    assert gain["mean"] == round(next(line["gain"] for line in leak["lines"] if line["by"] == "emo-sim"), 6)
    assert "gain: emotion, searched by" not in summarize([record("c")], 1.0).as_csv().decode()
