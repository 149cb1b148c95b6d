"""The study: what it refuses, and its table."""

from pathlib import Path

import pytest

from experiments.studies import study
from verifiers.stats import wilson


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "bean"], "--only bean: did you mean 'beam'?"),
        (["--only", "best-of-n", "--only", "repair (sim)"], "--only repair (sim): did you mean 'repair"),
        (["--only", ""], "--only : (there are adaptive, "),
        (["--widths", "a"], "--widths 'a': give whole numbers of at least 1 with commas between"),
        (["--widths", "1,,2"], "--widths '1,,2': give whole"),
        (["--widths", "1,-2"], "--widths '1,-2': give whole"),
        (["--widths", "3"], "--widths 3: there are 1, 2, 4, 8, 16"),
        (["--widths", "9" * 5000], "give whole numbers"),
        (["--sentences", "0"], "--sentences 0 is not in the range"),
        (["--sentences", "401"], "--sentences 401 is not in the range"),
        (["--in-flight", "0"], "--in-flight 0 is not in the range"),
        (["--preset", "nanno"], "did you mean"),
    ],
)
def test_bad_input(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study.main(["--out", str(tmp_path / "study"), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and says in shown.err and shown.err.count("\n") == 1
    assert not (tmp_path / "study").exists()


def records(sentences: int) -> list[study.Record]:
    return [
        study.Record(
            strategy=name,
            spec=spec,
            width=width,
            text=f"sentence {k}",
            seed=0,
            wer=1.25 + k / 10,
            sim=0.875,
            judge=0.5 + k / 10 + 0.125 * (name != study.BASE),
            tokens=12_345 + k,
            gflops=1234.5 + k,
            seconds=123.4 + k,
            pocketsphinx=2.0 + k / 10 - 0.25 * (name != study.BASE),
        )
        for width in study.BEAMS
        for name, spec in study.specs_at(width).items()
        for k in range(sentences)
    ]


def test_the_table_shows_every_figure_in_120_columns(capsys: pytest.CaptureFixture[str]) -> None:
    study.print_table(records(5), list(study.BEAMS), "hubert-ctc:nano")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 120
    assert "…" not in shown and "n=5" not in shown
    assert "judge: hubert-ctc:nano" in shown and "sentences" in shown
    rows = [line for line in shown.splitlines() if line.startswith("partial-prm (sim, wer)")]
    assert len(rows) == 3 * len(study.BEAMS)
    assert "1.450 [1.330, 1.570]" in rows[0] and "0.875 [0.875, 0.875]" in rows[0]
    assert "-0.250 [-0.250, -0.250]" in rows[-1] and "+0.000 [+0.000, +0.000]" in rows[-1]


def test_a_table_of_nothing_and_of_records_without_pocketsphinx(capsys: pytest.CaptureFixture[str]) -> None:
    study.print_table([], [1, 2], "judge")
    some = [record.model_copy(update={"pocketsphinx": None}) for record in records(2)]
    study.print_table(some, [4], "judge")
    shown = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("best-of-n (wer)") for line in shown) == 2
    assert sum(line.startswith("repair (wer)") for line in shown) == 3


def test_catastrophic_failures_have_a_table_where_they_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    some = [record.model_copy(update={"failed": k % 5 == 0}) for k, record in enumerate(records(5))]
    study.print_table(some, [4], "judge")
    shown = capsys.readouterr().out
    assert "catastrophic failures by the judge" in shown
    rate = wilson(1, 5)
    assert f"0.200 [{rate.low:.3f}, {rate.high:.3f}]" in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[]", "is no JSON object"),
        ('{"schema": 1}', "strategy"),
        ('{"schema": 9, "spec": "beam"}', "its schema is '9'"),
        ('{"spec": "beam", "text": "a", "seed": 0}', "an older version wrote it"),
        ("no JSON", "is no JSON"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_records_of_something_else_are_refused(
    line: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "records.jsonl").write_text(line + "\n")
    assert study.main(["--out", str(tmp_path), "--table"]) == 2
    shown = capsys.readouterr()
    assert "line 1 of" in shown.err and says in shown.err and shown.err.count("\n") == 1


@pytest.mark.models
def test_the_study_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two sentences on the shipped models; the second call has one sentence left to do."""
    out = ["--out", str(tmp_path), "--widths", "1", "--only", "best-of-n (wer)"]
    assert study.main([*out, "--sentences", "1"]) == 0
    first = (tmp_path / "records.jsonl").read_text()
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"schema": 1, "torn')
    assert study.main([*out, "--sentences", "2"]) == 0
    records = study.read(tmp_path / "records.jsonl")
    assert (tmp_path / "records.jsonl").read_text().startswith(first)
    assert len(records) == 2 and len({record.text for record in records}) == 2
    assert all(record.tokens > 0 and record.gflops > 0 for record in records)
    shown = capsys.readouterr().out
    assert [line.split()[3] for line in shown.splitlines() if line.startswith(study.BASE)][-1] == "2"
