"""What the second codec keeps, and how well the speaker verifier tells speakers apart.

By ears that nobody trained on it: words, naturalness, voice and style. Recordings of the corpus' test split,
of voices that no model was trained on, and pieces of human speech are encoded and decoded; each ear hears
both sides. Means over the recordings with 95 % bootstrap intervals.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

import verifiers
from experiments.human_speech import human_pieces
from experiments.nano.evaluate.verifiers import speaker_figure
from experiments.nano.second import pitch, voices
from experiments.nano.second.check import SETTINGS, Clip, Heard, styles_told
from experiments.nano.second.corpus import Shards, hops
from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.codec.codec import Codec
from verifiers.models.ge2e import GE2ESpeaker
from verifiers.stats import bootstrap_mean, paired_difference

GROUPS = {"test": "held-out texts", "unheard": "unheard voices"}
SHORTEST, LONGEST = 1.6, 8.0
"""Seconds of a recording, and of a piece of human speech at most: GE2E hears windows of 1.6 s."""
TOGETHER = 16
UNKNOWN = verifiers.Target(text=" ".join(["word"] * 40))
"""For human speech, whose text is not known: how much may be transcribed follows from the length."""


def recordings(corpus: Shards, split: str, count: int, seed: int) -> list[Clip]:
    """Natural texts of a split, as even over the styles as it allows."""
    able = [i for i in corpus.split(split) if corpus.utterances[i].length >= SHORTEST * SAMPLE_RATE]
    random.Random(seed).shuffle(able)
    styles = list(voices.STYLES)
    turns: dict[str, int] = dict.fromkeys(styles, 0)
    order = []
    for i in able:
        style = corpus.utterances[i].style
        order.append((turns[style], styles.index(style), i))
        turns[style] += 1
    chosen = [i for _, _, i in sorted(order)[:count]]
    found = []
    for i in chosen:
        u = corpus.utterances[i]
        found.append(Clip(u.text, u.voice, u.style, corpus.samples(i), corpus.pitch(i)))
    return found


def resynthesised(codec: Codec, waves: Sequence[Waveform]) -> list[Waveform]:
    """What the codec makes of them, each as long as it was."""
    found: list[Waveform] = []
    for first in range(0, len(waves), TOGETHER):
        some = waves[first : first + TOGETHER]
        decoded = codec.decode([codec.encode(wave) for wave in some])
        found += [new[: len(old)] for new, old in zip(decoded, some, strict=True)]
    return found


def rows(clips: Sequence[Clip], again: Sequence[Waveform], ear: str) -> list[str]:
    """Lines of a table: what an ear makes of the recordings, of the codec's, and the difference."""
    before, after = [clip.samples for clip in clips], list(again)
    texts = [clip.text for clip in clips]
    lines = []
    for name, measure in (("WER", _wer), ("DNSMOS", _mos)):
        first, second = measure(before, texts, ear), measure(after, texts, ear)
        change = paired_difference(second, first)
        lines.append(
            f"| {name} | {bootstrap_mean(first)} | {bootstrap_mean(second)} | {change.mean:+.3f} "
            f"[{change.low:+.3f}, {change.high:+.3f}] |"
        )
    return [*lines, f"| GE2E to the recording | | {bootstrap_mean(_likeness(before, after))} | |"]


def _wer(waves: Sequence[Waveform], texts: Sequence[str], ear: str) -> list[float]:
    recogniser = verifiers.load(ear)
    targets = [verifiers.Target(text=text) for text in texts]
    return [recogniser.score([w], t)[0].value for w, t in zip(waves, targets, strict=True)]


def _mos(waves: Sequence[Waveform], _texts: Sequence[str], _ear: str) -> list[float]:
    return [one.value for one in verifiers.load("dnsmos").score(list(waves), verifiers.Target())]


def _likeness(first: Sequence[Waveform], second: Sequence[Waveform]) -> list[float]:
    speaker = verifiers.load("ge2e")
    assert isinstance(speaker, GE2ESpeaker)
    return [float(a @ b) for a, b in zip(speaker.embed(first), speaker.embed(second), strict=True)]


def styles_kept(clips: Sequence[Clip], again: Sequence[Waveform]) -> list[str]:
    """How often a style is told by pitch, range, pace and level, before the codec and behind it."""
    lines = []
    for name, waves in (("recordings", [clip.samples for clip in clips]), ("the codec's", again)):
        heard = []
        for clip, wave in zip(clips, waves, strict=True):
            contour = pitch.contour(wave.astype(np.float64), SAMPLE_RATE, hops(len(wave)))
            same = Clip(clip.text, clip.voice, clip.style, wave, contour)
            heard.append(Heard("", clip.voice, clip.style, clip.text, "", 0.0, None, same.settings()))
        lines.append(f"style told of {name}: {styles_told(heard, SETTINGS)}")
    return lines


def evaluate_codec(corpus: Shards, codec: Codec, count: int, ear: str, seed: int) -> str:
    """All figures in Markdown, of ``count`` recordings for each group; ``ear``: the recogniser.

    The text of a piece of human speech is what the ear hears in it, so its WER is of readings that change.
    """
    lines = [f"by {ear}, seed {seed}; mean [95 % interval]"]
    for split, title in GROUPS.items():
        clips = recordings(corpus, split, count, seed)
        again = resynthesised(codec, [clip.samples for clip in clips])
        lines += _titled(f"{title}, n={len(clips)}", rows(clips, again, ear)) + styles_kept(clips, again)
    if human := human_pieces(LONGEST):
        recogniser = verifiers.load(ear)
        texts = [str(recogniser.score([wave], UNKNOWN)[0].evidence["transcript"]) for wave in human]
        clips = [
            Clip(text, "human", "neutral", wave, np.zeros(hops(len(wave)), np.float32))
            for text, wave in zip(texts, human, strict=True)
            if text.strip()
        ]
        again = resynthesised(codec, [clip.samples for clip in clips])
        lines += _titled(f"human speech, n={len(clips)}", rows(clips, again, ear))
    return "\n".join(lines)


def evaluate_speaker(corpus: Shards, codec: Codec, spec: str, count: int, seed: int) -> str:
    """Equal error rates of a speaker verifier, on speakers that no model was trained on and on others.

    ``count`` recordings for each group, all styles; enrolled as recorded, tested as recorded and as the codec
    says them. A voice played faster or slower is another speaker. The interval resamples recordings.
    """
    verifier: Any = verifiers.load(spec)
    lines = [
        f"{spec}, seed {seed}; EER [95 % interval]",
        "",
        "| | n | speakers | recordings | the codec's |",
        "|---|---|---|---|---|",
    ]
    for split, title in (("unheard", "speakers never heard"), ("test", "speakers of the training")):
        clips = recordings(corpus, split, count, seed)
        names = [clip.voice for clip in clips]
        first = verifier.embed([clip.samples for clip in clips])
        again = verifier.embed(resynthesised(codec, [clip.samples for clip in clips]))
        own, through = (speaker_figure(first, second, names, seed) for second in (first, again))
        cells = [
            f"{one['eer']:.3f} [{one['interval'][0]:.3f}, {one['interval'][1]:.3f}]" for one in (own, through)
        ]
        lines.append(f"| {title} | {len(clips)} | {own['voices']} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _titled(title: str, lines: list[str]) -> list[str]:
    return ["", f"| {title} | recording | the codec's | difference |", "|---|---|---|---|", *lines, ""]
