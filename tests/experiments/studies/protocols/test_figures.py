"""The two averages, intervals over utterances, failures, and VERSA's counts, of scores as they are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.studies.protocols.ears import Ears
from experiments.studies.protocols.figures import figures_of
from experiments.studies.protocols.protocol import POOLED, Utterance
from experiments.studies.protocols.registry import find
from experiments.studies.protocols.scoring import EMOTION, SIM, WORDS, Scored
from experiments.studies.protocols.versa import versa_lines
from verifiers.shared.wer import NORMALIZERS, f5, seed_tts_eval, word_errors

EARS = Ears("whisper:base?normalizer=seed-tts-eval", "ge2e", "", "seed-tts-eval")
TEXT, HEARD = "Don't wait, the bus is late.", ("don't wait the bus is late", "wait the big bus was late", "")


def scored(id: str, text: str, heard: str | None, sim: float = 0.5, group: str = "", **ears: str) -> Scored:
    """heard: None for audio that could not be judged."""
    variant = ears.get("variant", "seed-tts-eval")
    utterance = Utterance("line 1", id, text, "en", Path("p.wav"), "a prompt", group=group)
    words: dict[str, Any] = {"value": 1.0, "usable": False, "evidence": {}}
    if heard is not None:
        errors = word_errors(text, heard, "en", NORMALIZERS[variant])
        words = {"value": errors.rate, "usable": True, "evidence": errors.evidence()}
    return Scored(utterance, 1.0, {WORDS: words, SIM: {"value": sim, "usable": True, "evidence": {}}})


def test_mean_of_utterances_and_pooled() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve"
    found = [scored("a", TEXT, HEARD[1]), scored("b", long, long), scored("c", "yes", None)]
    mean, pooled, sim, failed = figures_of(found, find("seed-tts-en"), EARS)
    assert mean.measure == "WER, mean of utterances" and mean.own and not pooled.own
    assert mean.value.mean == pytest.approx((3 / 6 + 0 + 1) / 3) and mean.unusable == 1
    assert pooled.measure == "WER, pooled" and pooled.note == "4 errors in 19 words"
    assert pooled.value.mean == pytest.approx(4 / 19) and pooled.value.low < 4 / 19 < pooled.value.high
    assert sim.value.mean == 0.5 and sim.by == "ge2e" and mean.by == "whisper:base"
    assert failed.value.mean == pytest.approx(1 / 3) and failed.note == "1 empty"


def test_trials_of_one_utterance_are_one_item() -> None:
    found = [scored(f"{u}_{t}", TEXT, HEARD[(u + t) % 2], group=f"u{u}") for u in range(4) for t in range(3)]
    protocol = find("librispeech-continuation")
    pooled, mean, sim, failed = figures_of(found, protocol, EARS)
    assert protocol.scoring.average == POOLED and pooled.own and not mean.own
    assert {one.value.n for one in (pooled, mean, sim, failed)} == {4}
    assert pooled.value.mean == pytest.approx(sum(3 for u in range(4) for t in range(3) if (u + t) % 2) / 72)


def test_apostrophes_are_what_the_variants_differ_by() -> None:
    text = "He didn't -- they'd say!"
    assert seed_tts_eval(text) == "he didn't they'd say" and f5(text) == "he didnt theyd say"
    assert f5("四十四, 只'石", "zh") == seed_tts_eval("四十四, 只石", "zh")
    found = [scored("a", "He didn't say.", "he didnt say")]
    assert figures_of(found, find("seed-tts-en"), EARS)[0].value.mean == pytest.approx(1 / 3)
    variant = replace(EARS, variant="f5", words="whisper:base?normalizer=f5")
    found = [scored("a", "He didn't say.", "he didnt say", variant="f5")]
    assert figures_of(found, find("seed-tts-en"), variant)[0].value.mean == 0


def test_the_share_of_the_intended_emotion() -> None:
    ears = replace(EARS, emotion="emotion2vec:nano?measure=label")
    found = []
    for label in ("angry", "angry", "sad"):
        one = scored("a", TEXT, HEARD[0])
        emotion = {"value": 0.9, "usable": True, "evidence": {"label": label}}
        found.append(Scored(replace(one.utterance, emotion="angry"), 1.0, {**one.scores, EMOTION: emotion}))
    accuracy = figures_of(found, find("cv3-emotion-en"), ears)[3]
    assert accuracy.measure == "emotion accuracy" and accuracy.value.mean == pytest.approx(2 / 3)


def test_versa_counts_can_be_pooled() -> None:
    found = [scored("a", TEXT, HEARD[1], 0.25), scored("b", "yes", None)]
    first, second = map(json.loads, versa_lines(found, EARS).splitlines())
    assert first["key"] == "a" and first["ref_text"] == "don't wait the bus is late"
    assert first["whisper_hyp_text"] == "wait the big bus was late" and first["spk_similarity"] == 0.25
    counts = {name: first[f"whisper_wer_{name}"] for name in ("delete", "insert", "replace", "equal")}
    assert counts == {"delete": 1, "insert": 1, "replace": 1, "equal": 4}
    assert first["whisper_cer_delete"] + first["whisper_cer_replace"] + first["whisper_cer_equal"] == len(
        first["ref_text"]
    )
    assert (second["whisper_wer_delete"], second["whisper_wer_equal"], second["whisper_hyp_text"]) == (
        1,
        0,
        "",
    )
