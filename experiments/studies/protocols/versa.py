"""Scores as VERSA (github.com/wavlab-speech/versa) writes them: a JSON line for each utterance.

Errors are counts (`whisper_wer_delete`, `_insert`, `_replace`, `_equal`, and `_cer_` of characters), which
its `result_summary` sums over the set. The texts are normalised as the protocol says, where VERSA by itself
takes `whisper_basic`; and the similarity is that of the protocol's model, where VERSA's own is RawNet3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from experiments.studies.protocols.ears import Ears
from experiments.studies.protocols.figures import normalised
from experiments.studies.protocols.scoring import EMOTION, SIM, WORDS, Scored
from verifiers.shared.wer import is_chinese
from verifiers.spec import Spec

PREFIXES = {"hubert-ctc": "hubert"}
"""Of the keys, by kind of recogniser: VERSA has whisper_ and hubert_, other kinds are named alike."""


def versa_lines(scored: Sequence[Scored], ears: Ears) -> str:
    """All utterances, in the order of the list."""
    return "".join(f"{json.dumps(_entry(one, ears), ensure_ascii=False)}\n" for one in scored)


def _entry(one: Scored, ears: Ears) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": one.utterance.id}
    if WORDS in one.scores:
        evidence = one.scores[WORDS]["evidence"]
        reference = str(evidence.get("reference") or normalised(one.utterance, ears)).split()
        heard = str(evidence.get("heard", "")).split()
        kind = Spec.parse(ears.words).kind
        prefix = PREFIXES.get(kind, kind)
        between = "" if "unit=character" in ears.words or is_chinese(one.utterance.language) else " "
        texts = between.join(reference), between.join(heard)
        entry |= {f"{prefix}_hyp_text": texts[1], "ref_text": texts[0]}
        entry |= dict(_counts(f"{prefix}_wer", reference, heard))
        entry |= dict(_counts(f"{prefix}_cer", list(texts[0]), list(texts[1])))
    if SIM in one.scores:
        entry["spk_similarity"] = one.scores[SIM]["value"]
    if EMOTION in one.scores:
        found = one.scores[EMOTION]
        entry["emotion_probability" if ears.labels else "emotion_similarity"] = found["value"]
    return entry


def _counts(prefix: str, reference: Sequence[str], heard: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Units of each edit operation, by VERSA's names; insertions count what was heard."""
    counts = dict.fromkeys(("delete", "insert", "replace", "equal"), 0)
    for step in Levenshtein.opcodes(reference, heard):
        own = step.tag == "insert"
        counts[step.tag] += step.dest_end - step.dest_start if own else step.src_end - step.src_start
    return ((f"{prefix}_{name}", count) for name, count in counts.items())
