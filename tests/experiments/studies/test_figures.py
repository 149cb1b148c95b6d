"""Figures and report of a table whose answer is known: what is drawn, that files are whole, and the page as a
browser reads it."""

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure as Canvas
from matplotlib.image import imread

from experiments.studies.analysis import Analysis
from experiments.studies.figures import figures
from experiments.studies.figures.worth import undominated
from experiments.studies.plots import DARK, LIGHT, save, svg
from experiments.studies.report import findings, render
from experiments.studies.report_examples import examples
from experiments.studies.report_meters import needed_sentence
from experiments.studies.report_tables import tables
from llasa_core.audio import SAMPLE_RATE
from tests.experiments.report_page.test_build import Page
from tests.experiments.studies.tables import frame, search

SECONDS = ("1", "2")


@pytest.fixture(scope="module")
def found() -> Analysis:
    """Best-of-8, beam and partial PRM at two switch times, of 12 utterances with 2 seeds."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(12):
        for seed in (0, 1):
            common = {"utterance": f"u{number:02}", "seed": seed}
            wer = np.round(np.clip(generator.normal(0.3, 0.2, 8), 0, 1), 1)
            ear = np.round(np.clip(wer + generator.normal(0.1, 0.2, 8), 0, 1), 1)
            rows += search(**common, wer=wer, sim=generator.random(8), judge=ear)
            specs = {"beam?beams=2&n=4&select=wer,sim": ("beam", 5e9)}
            specs |= {
                f"partial-prm?beams=2&n=4&seconds={s}&select=wer,sim": ("partial-prm", 4e9) for s in SECONDS
            }
            for spec, (name, flops) in specs.items():
                rows += search(
                    **common, wer=wer[:4], sim=[0.9] * 4, judge=ear[:4], strategy=name, spec=spec,
                    series=spec, n=8, flops=flops,
                )  # fmt: skip
    return Analysis(frame(rows))


def test_every_figure_that_the_table_has_searches_for(found: Analysis) -> None:
    assert {figure.name: len(figure.panels) for figure in figures(found)} == {
        "quality-search-wer": 4,
        "quality-search-sim": 4,
        "quality-judge-hubert-ctc-nano": 4,
        "equal-compute": 3,
        "pareto": 1,
        "switch": 3,
        "cost": 2,
        "hacking": 1,
        "failures": 2,
        "diversity": 3,
        "prediction": 2,
    }


def test_every_axis_has_a_name_and_numbers_their_unit(found: Analysis) -> None:
    for figure in figures(found):
        for panel in figure.panels:
            own = Canvas().subplots()
            panel(own)
            assert own.get_xlabel(), figure.name
            assert own.get_ylabel() or any(label.get_text() for label in own.get_yticklabels()), figure.name
            shown = own.get_xlabel() + own.get_ylabel()
            assert re.search(r"\(|N |seconds|FLOPs|tokens", shown), shown


def test_a_curve_shows_the_numbers_of_the_table(found: Analysis) -> None:
    panel = next(f for f in figures(found) if f.name == "quality-search-wer").panels[0]
    own = Canvas().subplots()
    panel(own)
    line = next(one for one in own.get_lines() if one.get_label() == "best-of-n")
    base = found.lines[0]
    np.testing.assert_allclose(line.get_ydata(), [p.values["score:wer"].mean() for p in base.points])
    assert len(own.get_lines()) >= 4


def test_files_are_written_whole_and_the_same_twice(found: Analysis, tmp_path: Path) -> None:
    some = [figure for figure in figures(found) if figure.name in {"cost", "pareto"}]
    paths = save(some, tmp_path / "a")
    assert [path.name for path in paths] == ["pareto.png", "pareto.svg", "cost.png", "cost.svg"]
    assert imread(paths[0]).shape[2] == 4 and imread(paths[0]).std() > 0
    assert ElementTree.fromstring(paths[1].read_text()).tag.endswith("svg")
    again = save(some, tmp_path / "b")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#ffffff"), (DARK, "#1d2026")])
def test_colours_stand_out_from_the_ground(colours: tuple[str, ...], ground: str) -> None:
    """A contrast of 3 to 1, which WCAG 2.1 asks of graphics."""
    for colour in colours:
        low, high = sorted((luminance(colour), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_panels_are_drawn_for_both_grounds(found: Analysis) -> None:
    panel = figures(found)[0].panels[0]
    light, dark = svg(panel, dark=False), svg(panel, dark=True)
    assert LIGHT[0].lower() in light and DARK[0].lower() in dark and LIGHT[0].lower() not in dark
    assert "<text" in light


def test_of_two_rules_over_the_same_candidates_the_run_by_words_is_the_base(tmp_path: Path) -> None:
    """As a sweep writes them: best-of-N by similarity is sub-sampled from that by WER."""
    rows = []
    for number in range(6):
        common = {"utterance": f"u{number}", "wer": [0.3, 0.1], "sim": [0.9, 0.2], "judge": [0.3, 0.2]}
        rows += search(**common, strategy="best-of-n (wer)", spec="best-of-n?n=2&select=wer,sim")
        derived = search(**common, strategy="best-of-n (sim)", spec="best-of-n?n=2&select=sim")
        rows += [{**row, "subsampled": 2} for row in derived]
    found = Analysis(frame(rows))
    assert found.base is not None and found.base.strategy == "best-of-n (wer)"
    _, shown = examples(found, tmp_path, decode)
    assert shown[0].note.startswith("best-of-n (wer)")
    assert {one.name for one in found.paired} == {"best-of-n (sim)"}
    assert "Scaling study" in render(found, tmp_path, None)


def test_what_no_point_beats() -> None:
    assert undominated([(0.1, 0.5), (0.2, 0.4), (0.3, 0.9), (0.05, 0.2)]) == [
        (0.05, 0.2),
        (0.1, 0.5),
        (0.3, 0.9),
    ]


def test_switch_times_need_two_of_partial_prm(found: Analysis) -> None:
    assert [seconds for _, seconds, _ in found.switches()] == [0.0, 1.0, 2.0, float("inf")]
    one = found.frame[found.frame["spec"].map(lambda spec: "seconds=1" not in spec)]
    one.attrs.update(found.frame.attrs)
    assert Analysis(one).switches() == []


def decode(rows: list[list[int]]) -> list[np.ndarray]:
    return [np.sin(np.arange(320 * len(row)) / 5).astype(np.float32) for row in rows]


def test_examples_are_the_worst_the_median_and_the_most_improved(found: Analysis, tmp_path: Path) -> None:
    by, shown = examples(found, tmp_path, decode)
    assert by.column == "judge:hubert-ctc:nano"
    winners = found.frame[found.frame["winner"] & (found.frame["strategy"] == "best-of-n")]
    worst, median = shown[0], shown[1]
    assert worst.clips[0].values[by.title] == winners[by.column].max()
    assert median.clips[0].values[by.title] == pytest.approx(winners[by.column].median(), abs=0.1)
    first = found.frame[(found.frame["candidate"] == 0) & (found.frame["strategy"] == "best-of-n")]
    gain = first.set_index("search")[by.column] - winners.set_index("search")[by.column]
    best = next(one for one in shown if one.why == "among the most improved")
    assert best.clips[1].values[by.title] - best.clips[0].values[by.title] == pytest.approx(gain.max())


def test_a_kept_recording_is_played_as_it_is(found: Analysis, tmp_path: Path) -> None:
    kept = np.zeros(SAMPLE_RATE, np.float32) + 0.1
    (tmp_path / "audio").mkdir()
    for name in found.frame["search"].unique():
        soundfile.write(tmp_path / "audio" / f"{name}.wav", kept, SAMPLE_RATE)
    _, shown = examples(found, tmp_path, None)
    winner = shown[0].clips[0]
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(winner.audio)))
    assert (rate, len(sound)) == (SAMPLE_RATE, SAMPLE_RATE) and winner.seconds == 1.0
    assert all(clip.audio == "" for one in shown for clip in one.clips[1:])


def test_the_page_is_whole_and_asks_for_nothing(found: Analysis, tmp_path: Path) -> None:
    html = render(found, tmp_path, decode)
    page = Page(html)
    assert "Scaling study: nano" in page.within["title"][0]
    sources = [a[k] for _, a in page.elements for k in ("src", "srcset", "href") if k in a]
    assert all(s is not None and s.startswith(("data:", "#")) for s in sources)
    ids = {a["id"] for _, a in page.elements if "id" in a}
    assert {str(s)[1:] for s in sources if str(s).startswith("#")} <= ids
    assert {figure.name for figure in figures(found)} <= ids
    pictures = [a for tag, a in page.elements if tag == "img"]
    assert len(pictures) == sum(len(figure.panels) for figure in figures(found))
    assert all(a["alt"] for a in pictures)
    assert html.count("<audio") >= 4 and "default-src 'none'" in html
    for audio in re.findall(r"data:audio/ogg;base64,([^\"]+)", html):
        soundfile.read(io.BytesIO(base64.b64decode(audio)))


def test_what_a_user_wrote_is_escaped(found: Analysis, tmp_path: Path) -> None:
    table = found.frame.assign(text="<script>alert(1)</script>")
    table.attrs.update(found.frame.attrs)
    html = render(Analysis(table), tmp_path, None)
    assert "<script" not in html and "&lt;script&gt;" in html


def test_tables_have_as_many_cells_as_headings(found: Analysis) -> None:
    made = {table.name: table for table in tables(found)}
    assert list(made) == [
        "quality", "pooled", "cost", "equal-compute", "failures",
        "hacking", "diversity", "prediction", "power",
    ]  # fmt: skip
    assert all(len(row) == len(table.headings) for table in made.values() for row in table.rows)
    first = made["quality"].rows[0]
    assert first[:3] == ("best-of-n", "1", "12")
    assert any("noise floor" in note for note in made["power"].notes)


def test_sentences_say_what_was_found(found: Analysis) -> None:
    said = findings(found)
    assert said[0].startswith("best-of-n, from N=1 to N=8: a gain of +")
    assert any(line.startswith("beam with N=8 beside best-of-N of the same FLOPs") for line in said)
    prediction = found.predictions[0]
    reached = needed_sentence(prediction.needed(prediction.at(8).mean), prediction)
    assert "you need N = 8 [" in reached and "in proportion to the 0.5 s of one candidate" in reached
    assert "no N is enough by this curve: with N = 65,536" in needed_sentence(
        prediction.needed(-1), prediction
    )
