"""What evidence is worth: the sentences, the figures by hand, and one small run of the whole command."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.bench import ears, speech
from experiments.nano.data.texts import held_out_sentences


def sentence(errors: tuple[float, ...], places: tuple[float, ...]) -> ears.Sentence:
    order = tuple(int(i) for i in np.argsort(places, kind="stable"))
    return ears.Sentence("a", errors, {}, {"rule": order}, {"rule": places}, {})


def test_the_sentences_are_natural_and_no_template_made_them() -> None:
    lines = speech.SENTENCES.read_text("utf-8").splitlines()
    assert len(lines) == len(set(lines)) >= 50
    assert all(6 <= len(line.split()) <= 14 and line[0].isupper() and line[-1] in ".?" for line in lines)
    templates = {text.lower().rstrip(".") for text in held_out_sentences(400, 1)}
    assert not templates & {line.lower().rstrip(".") for line in lines}


def test_correlation_choice_and_gain() -> None:
    """The second sentence is heard alike in all candidates: its correlation is not defined."""
    found = [
        sentence((0.0, 0.5, 1.0), (1.0, 2.0, 3.0)),
        sentence((0.2, 0.2, 0.2), (3.0, 1.0, 2.0)),
        sentence((0.0, 0.5, 1.0), (3.0, 2.0, 1.0)),
    ]
    worth = ears.worth("rule", found)
    assert worth.correlation is not None
    assert (worth.correlation.mean, worth.correlation.n) == (0.0, 2)
    assert worth.error.mean == pytest.approx((0.0 + 0.2 + 1.0) / 3)
    assert worth.gain.mean == pytest.approx((-0.5 + 0.0 + 0.5) / 3)
    alike = ears.worth("rule", found[1:2])
    assert alike.correlation is None and alike.gain.mean == pytest.approx(0.0, abs=1e-12)


@pytest.mark.models
def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, texts = tmp_path / "ears.json", tmp_path / "texts.txt"
    texts.write_text("the king is late\nseven green birds\n", "utf-8")
    given = ["--sentences", str(texts), "-n", "3", "--judge", "hubert-ctc:nano", "--json", str(file)]
    given += ["--verifier", "likelihood", "--verifier", "whisper:nano?name=nano"]
    given += ["--rule", "logp", "--rule", "nano", "--rule", "consensus(nano)", "--threads", "1"]
    assert ears.main(given) == 0
    shown = capsys.readouterr().out
    assert "2 sentences, 3 candidates each, seed 7; WER by hubert-ctc:nano" in shown
    assert all(rule in shown for rule in ("one sample", "logp", "consensus(nano)", "the judge itself"))
    saved = json.loads(file.read_text("utf-8"))
    for one in saved["sentences"]:
        assert len(one["errors"]) == 3
        assert one["orders"]["logp"][0] == int(np.argmax(one["values"]["logp"]))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--rule", "noise"], "which no verifier measures"),
        (["--judge", "whispr"], "did you mean"),
        (["--limit", "0"], "--limit 0"),
        (["--sentences", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_wrong_options_are_one_line(given: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ears.main(given) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_each_sentence_is_spoken_once_whatever_the_limit() -> None:
    found = ears.requests(speech.SENTENCES, 500, seed=7)
    assert len(found) == len({one.text for one in found}) < 500
    assert all(one.id == one.text and one.seed == 7 for one in found)
    assert [one.text for one in ears.requests(speech.SENTENCES, 3, seed=7)] == [one.text for one in found[:3]]
