"""The report page: read back as a browser would, every recording decoded."""

import base64
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from experiments.report_page.build import data_block, write_page
from experiments.report_page.judges import spearman
from llasa_core.codec.codec import Codec
from llasa_core.codec.features import HOP
from llasa_core.request import Request
from search.results.result import SearchResult, TriedArm
from search.results.trace import Step
from tests.experiments.fake_search import FakeSearch
from verifiers.base import Score
from verifiers.shared.wer import word_errors

TEXT = "The old clock on the kitchen wall had stopped at seven again"
VOID = {"meta", "link", "br", "img", "input", "hr", "source"}


class Page(HTMLParser):
    """What a test asks of a page; fails on an element that is not closed or closed out of turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.within: dict[str, list[str]] = {}
        self.seen: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.within.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.within[tag][-1] += data
        if "body" in self.open and "script" not in self.open:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.within["script"][0])
        return found

    def clips(self) -> dict[int, bytes]:
        """Of pruned leaves from the data, of candidates from their players."""
        found = {int(leaf): base64.b64decode(text) for leaf, text in self.data["clips"].items()}
        for tag, attributes in self.elements:
            if tag == "audio":
                leaf = int(str(attributes["id"]).removeprefix("recording-"))
                assert leaf not in found
                found[leaf] = base64.b64decode(str(attributes["src"]).removeprefix("data:audio/ogg;base64,"))
        return found


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.from_source(str(Path(__file__).parents[3] / "llasa_core/nano/codec"))


@pytest.fixture(scope="module")
def search(codec: Codec) -> tuple[FakeSearch, SearchResult]:
    fake = FakeSearch(codec)
    return fake, fake.run(TEXT, beams=3, copies=3, rounds=3)


def written(file: Path, fake: FakeSearch, result: SearchResult, **options: Any) -> tuple[str, Page]:
    write_page(file, result, options.pop("steps", fake.steps), fake.decode, **options)
    html = file.read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(scope="module")
def page(search: tuple[FakeSearch, SearchResult], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return written(tmp_path_factory.mktemp("page") / "page.html", *search)[1]


def test_page_needs_nothing_else(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "img"}
        assert not any(name.startswith("on") for name in attributes)
        assert all(str(attributes.get(name, "data:")).startswith("data:") for name in ("src", "href"))
    (policy,) = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    digest = hashlib.sha256(page.within["script"][1].encode()).digest()
    assert policy is not None and "default-src 'none'" in policy
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_every_leaf_is_heard_in_its_whole_length(
    page: Page, search: tuple[FakeSearch, SearchResult], codec: Codec
) -> None:
    nodes, clips = page.data["nodes"], page.clips()
    leaves = {
        index
        for index, node in enumerate(nodes)
        if not any(other["parent"] == index and other["start"] >= node["end"] for other in nodes)
    }
    assert clips.keys() == leaves
    for leaf, sound in clips.items():
        samples, rate = soundfile.read(io.BytesIO(sound))
        assert (rate, len(samples)) == (16_000, HOP * nodes[leaf]["end"])
    for node in nodes:
        assert nodes[node["leaf"]]["end"] >= node["end"]
    heard = {node["id"]: soundfile.read(io.BytesIO(clips[i])) for i, node in enumerate(nodes) if i in leaves}
    pruned = next(node for node in nodes if node["role"] == "pruned" and node["start"])
    codes: list[int] = []
    name = pruned["id"]
    made = {record["id"]: record for step in search[0].steps for record in step.nodes}
    while name != "@0":
        codes = list(made[name]["codes"]) + codes
        name = made[name]["parent"]
    expected = codec.decode([codes])[0]
    assert np.corrcoef(heard[pruned["id"]][0], expected)[0, 1] > 0.95


def test_roles_and_lanes(page: Page, search: tuple[FakeSearch, SearchResult]) -> None:
    nodes = page.data["nodes"]
    made = {record["id"] for step in search[0].steps for record in step.nodes}
    assert {node["id"] for node in nodes} == made
    parents = {node["parent"] for node in nodes}
    for index, node in enumerate(nodes):
        ends_search = index not in parents
        assert (node["role"] in {"pruned", "candidate"}) == ends_search
    assert sum(node["role"] == "candidate" for node in nodes) == len(search[1].candidates)
    winner = next(node for node in nodes if node["candidate"] and node["candidate"]["rank"] == 0)
    assert winner["y"] == min(node["y"] for node in nodes)
    while winner["parent"] is not None:
        assert nodes[winner["parent"]]["y"] == winner["y"]
        winner = nodes[winner["parent"]]
    for index, one in enumerate(nodes):
        for other in nodes[:index]:
            if one["start"] < other["end"] and other["start"] < one["end"]:
                assert abs(one["y"] - other["y"]) >= 5
    assert page.data["judged"] == [25, 50, 75]


def test_limit_drops_the_earliest_pruned_first_and_says_so(
    search: tuple[FakeSearch, SearchResult], page: Page, tmp_path: Path
) -> None:
    whole = {index: len(sound) for index, sound in page.clips().items()}
    nodes = page.data["nodes"]
    pruned = [index for index in whole if nodes[index]["role"] == "pruned"]
    everything = len(written(tmp_path / "full.html", *search)[0].encode())

    limit = everything - 4 * sum(whole[index] for index in pruned) // 3 // 2
    html, some = written(tmp_path / "some.html", *search, limit=limit)
    assert len(html.encode()) <= limit
    left = some.clips()
    gone = [index for index in pruned if index not in left]
    assert 0 < len(gone) < len(pruned)
    assert max(nodes[index]["end"] for index in gone) <= min(
        nodes[index]["end"] for index in pruned if index in left
    )
    assert f"recordings of {len(gone)} pruned branches were left out" in some.text
    assert {nodes[index]["id"] for index in whole if nodes[index]["candidate"]} == {
        nodes[index]["id"] for index in left if nodes[index]["candidate"]
    }
    assert sum(node["leaf"] is None for node in some.data["nodes"]) > 0

    _, least = written(tmp_path / "least.html", *search, limit=1)
    assert [nodes[index]["candidate"]["rank"] for index in least.clips()] == [0]
    assert "candidates were left out" in least.text and "left out to keep this page small" in least.text
    assert "left out" not in page.text


def test_whatever_a_user_wrote_is_escaped(codec: Codec, tmp_path: Path) -> None:
    text = '<script>alert(1)</script> & "quotes" </script> <img src=x onerror=alert(2)> \u2028 it\'s'
    fake = FakeSearch(codec)
    result = fake.run(text, beams=2, copies=2, rounds=1)
    manifest = {**result.manifest, "strategy": {"name": "<b>odd</b>", "</script><i>": "<u>x</u>"}}
    result = dataclasses.replace(result, manifest=manifest)
    html, page = written(tmp_path / "page.html", fake, result, judges_note="<script>note</script>")
    assert "<script>alert" not in html and "<img" not in html and "<script>note" not in html
    assert len(re.findall("</script>", html)) == 2 == len(page.within["script"])
    assert not {"i", "u", "img"} & {tag for tag, _ in page.elements} and "<b>odd" not in html
    assert page.within["h1"][0].startswith('<script>alert(1)</script> & "quotes" </script>')
    assert "<script>note</script>" in page.text and "</script><i> <u>x</u>" in page.text


def test_data_block_cannot_end_its_element() -> None:
    value = {"a": "</script><!--&\u2028\u2029"}
    block = data_block(value)
    assert not set("<>&\u2028\u2029") & set(block)
    assert json.loads(block) == value


def with_scores(
    result: SearchResult, scores: Mapping[str, Score], judged: Mapping[str, Score] | None = None
) -> SearchResult:
    """The result whose candidates all have these scores."""
    candidates = tuple(
        dataclasses.replace(candidate, scores=scores, judged={} if judged is None else judged)
        for candidate in result.candidates
    )
    return dataclasses.replace(result, candidates=candidates)


def test_wrong_words_are_marked(search: tuple[FakeSearch, SearchResult], tmp_path: Path) -> None:
    errors = word_errors(TEXT, "oh the gold clock on wall had stopped at seven at last")
    score = Score(errors.rate, errors.evidence())
    silent = Score(1.0, {}, False, "silent <audio>")
    _, page = written(
        tmp_path / "page.html", search[0], with_scores(search[1], {"wer": score}, {"hubert-ctc:nano": silent})
    )
    said = [text for text in map(str.split, page.within["p"]) if text[:1] == ["wer:"]]
    assert len(said) == len(search[1].candidates)
    assert " ".join(said[0]) == (
        "wer: 6 of 12 words wrong added: oh the instead of: old heard: gold clock on missed: the kitchen "
        "wall had stopped at seven added: at instead of: again heard: last"
    )
    assert "none (silent <audio>)" in page.text


def test_judge_is_compared_where_there_is_one(
    search: tuple[FakeSearch, SearchResult], page: Page, codec: Codec, tmp_path: Path
) -> None:
    candidates = search[1].candidates
    expected = spearman(
        -np.array([candidate.scores["wer"].value for candidate in candidates]),
        -np.array([candidate.judged["hubert-ctc:nano"].value for candidate in candidates]),
    )
    assert expected is not None
    n = len(candidates)
    assert (
        f"rank correlation {expected:+.2f} (Spearman, n = {n}, positive where both prefer the same)"
        in page.text
    )
    assert "Over-fit" in page.text
    points = [a for tag, a in page.elements if tag == "circle" and str(a.get("class")).startswith("point")]
    assert 2 <= len(points) <= n + 1

    fake = FakeSearch(codec)
    result = fake.run(TEXT, beams=1, copies=2, rounds=1, judged=False, satisfied=False)
    _, plain = written(tmp_path / "page.html", fake, result, judges_note="none was given")
    assert "No judge that the search did not see" in plain.text and "none was given" in plain.text
    assert "rank correlation" not in plain.text
    assert "No candidate met all constraints (wer<=0)." in plain.text
    assert "No candidate met" not in page.text and "constraints met: wer<=0" in page.text


@pytest.mark.parametrize(
    ("rule", "satisfied", "shown"),
    [
        ("wer<=0,sim", True, "constraints met: wer<=0"),
        ("wer<=0.25,sim>=0.5,sim", True, "constraints met: wer<=0.25, sim>=0.5"),
        ("wer<=0,sim", False, "No candidate met all constraints (wer<=0)."),
        ("wer,sim", True, ""),
        ("sim", True, ""),
        ("ranks(wer,sim)", True, ""),
        ("", True, ""),
        ("wer,sim", False, "No candidate could be judged by what selects."),
    ],
)
def test_constraints_are_shown_where_there_were_some(
    rule: str, satisfied: bool, shown: str, search: tuple[FakeSearch, SearchResult], tmp_path: Path
) -> None:
    strategy = {**search[1].manifest["strategy"], "select": rule}
    manifest = {**search[1].manifest, "strategy": strategy}
    result = dataclasses.replace(search[1], constraints_met=satisfied, manifest=manifest)
    _, page = written(tmp_path / "page.html", search[0], result)
    assert shown in page.text
    assert ("constraints met" in page.text) == shown.startswith("constraints met")
    assert ("✓" in page.text) == shown.startswith("constraints met")
    assert "No candidate" not in page.text or shown.startswith("No candidate")


def test_an_emotion_that_is_not_reached_and_a_gain_that_is_not_seen_are_said(
    search: tuple[FakeSearch, SearchResult], tmp_path: Path
) -> None:
    fake, plain = search
    missed = {"reached": False, "found": "sad 0.18, neutral 0.40"}
    best = len(plain.candidates)
    candidates = tuple(
        dataclasses.replace(
            one,
            scores={**one.scores, "emo": Score((best - one.rank) / best, missed)},
            judged={"prosody": Score(0.5 + one.rank / 100)},
        )
        for one in plain.candidates
    )
    models = {"verifiers": [{"spec": "emotion2vec:nano?measure=label"}], "judges": [{"spec": "prosody"}]}
    result = dataclasses.replace(
        plain,
        request=Request(TEXT, seed=7, emotion="sad"),
        candidates=candidates,
        manifest={**plain.manifest, "models": models},
        directions={**plain.directions, "emo": True, "prosody": True},
        arm="slt-sad",
        arms=(TriedArm("slt", 2, {}), TriedArm("slt-sad", best, {})),
    )
    assert (result.constraints_met, result.satisfied) == (True, False)
    assert result.as_dict()["satisfied"] is False
    assert result.as_dict()["missed_emotion"] == "sad 0.18, neutral 0.40"
    _, page = written(tmp_path / "page.html", fake, result)
    assert "Not reached: sad 0.18, neutral 0.40 (asked for: sad)" in page.text
    assert "emotion, searched by" in page.text and "emotion, held out" in page.text
    assert "is NOT seen by the held-out prosody" in page.text
    assert "prompt slt-sad" in page.text
    _, other = written(tmp_path / "other.html", fake, plain)
    assert "Leak check" not in other.text and "Not reached" not in other.text


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("name", ["wer", "sim", "cer-like", "certainty", "loudness"])
def test_the_direction_of_a_metric_is_that_of_the_search_whatever_its_name(
    name: str, higher: bool, codec: Codec, tmp_path: Path
) -> None:
    """The best colour goes to the best value, and the judge's side says which way it is better."""
    fake = FakeSearch(codec)
    result = fake.run(TEXT, beams=2, copies=2, rounds=0)
    candidates = tuple(
        dataclasses.replace(
            candidate,
            scores={name: Score(0.1 * candidate.number)},
            judged={"ear:x": Score(0.3 * candidate.number)},
        )
        for candidate in result.candidates
    )
    directions = {name: higher, "ear:x": not higher}
    result = dataclasses.replace(result, candidates=candidates, directions=directions)
    steps = [step for step in fake.steps if not step.scores]
    _, page = written(tmp_path / "page.html", fake, result, steps=steps)
    shades = {n["candidate"]["number"]: n["shades"][name] for n in page.data["nodes"] if n["candidate"]}
    best = len(candidates) - 1 if higher else 0
    assert shades[best] == max(shades.values()) == 1 and shades[len(candidates) - 1 - best] == 0
    assert f"{name}, {'higher' if higher else 'lower'} is better" in page.text
    assert f"score by the held-out judge ear:x, {'lower' if higher else 'higher'} is better" in page.text
    assert "rank correlation -1.00" in page.text


def test_scores_that_crowd_are_told_apart(search: tuple[FakeSearch, SearchResult], tmp_path: Path) -> None:
    candidates = tuple(
        dataclasses.replace(candidate, scores={"sim": Score(0.99951 + 0.00002 * candidate.number)})
        for candidate in search[1].candidates
    )
    result = dataclasses.replace(search[1], candidates=candidates)
    _, page = written(tmp_path / "page.html", search[0], result)
    assert "sim 0.99951" in page.text and "sim 0.99953" in page.text


def test_rank_correlation() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(values, values**3) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4: covariance 4.5 over the root of 4.5 * 5.
    assert spearman(np.array([0.0, 1.0, 1.0, 5.0]), values) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert spearman(values, np.ones(4)) is None
    assert spearman(values[:2], values[:2]) is None


def test_cost(page: Page, search: tuple[FakeSearch, SearchResult]) -> None:
    ledger = search[1].ledger
    assert f"tokens generated {ledger.tokens_generated:,}" in page.text
    assert f"pruned {ledger.tokens_pruned:,}" in page.text
    assert "verifier wer 9.30 s" in page.text and "audio judged by hubert-ctc:nano 250.20 s" in page.text


def test_beams_that_were_wound_back_or_came_from_elsewhere(
    search: tuple[FakeSearch, SearchResult], tmp_path: Path
) -> None:
    """A candidate that the steps do not mention, another that goes on from the middle of it, and no step at
    all.
    """
    fake, result = search
    first, second = result.candidates[:2]
    tokens = (*first.tokens[:37], *second.tokens[:40])
    again = dataclasses.replace(
        first, tokens=tokens, rank=0, lineage=((37, 1),), waveform=fake.decode([list(tokens)])[0]
    )
    original = dataclasses.replace(first, rank=1, number=1, lineage=())
    node = {
        "id": "37-1@77",
        "parent": "@37",
        "start": 37,
        "codes": list(tokens[37:]),
        "finished": True,
        "cut_off": False,
    }
    steps = [Step("extend", 0.0, 0.1, 1, nodes=(node,))]
    repaired = dataclasses.replace(result, candidates=(again, original))
    _, page = written(tmp_path / "page.html", fake, repaired, steps=steps)
    new, old = page.data["nodes"]
    assert (new["parent"], new["start"], old["parent"], old["start"]) == (1, 37, None, 0)
    assert len(page.clips()) == 2 and new["leaf"] == 0 and old["leaf"] == 1
    _, bare = written(tmp_path / "bare.html", fake, result, steps=[])
    assert len(bare.data["nodes"]) == len(result.candidates) == len(bare.clips())
