"""How clear and how distinct the voices of the second corpus are, by ears that nobody trained on them.

Clips of whole natural texts are drawn from the shards, as even over the styles as the shards allow; voices
that have too few there read some of the corpus' texts anew.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import verifiers
from experiments.nano.second import pitch, voices
from experiments.nano.second.corpus import Shards, hops
from experiments.nano.second.kokoro import Kokoro, load_voices
from llasa_core.audio import SAMPLE_RATE
from verifiers.models.ge2e import GE2ESpeaker

NATURAL = ("example", "definition", "fortune")
WORST_WER = 0.15
"""A voice whose words a released recogniser mistakes more often is too unclear to learn from."""
SETTINGS = ("pitch", "range", "pace", "level")


@dataclass(frozen=True, eq=False)
class Clip:
    """samples: float32 in [-1, 1], 16 kHz. pitch: Hz of each 20 ms, 0 where nothing is voiced."""

    text: str
    voice: str
    style: str
    samples: NDArray[np.float32]
    pitch: NDArray[np.float32]

    def settings(self) -> list[float]:
        """``SETTINGS``: median pitch and its span from the 10th to the 90th percentile in semitones, letters
        a second, level in decibels.
        """
        voiced = self.pitch[self.pitch > 0]
        tones = 12 * np.log2(voiced if len(voiced) else np.ones(1))
        low, middle, high = np.quantile(tones, (0.1, 0.5, 0.9))
        letters = sum(map(str.isalpha, self.text)) * SAMPLE_RATE / len(self.samples)
        level = 10 * np.log10(np.mean(np.square(self.samples, dtype=np.float64)) + 1e-12)
        return [float(one) for one in (middle, high - low, letters, level)]

    def key(self, ear: str) -> str:
        """What a measurement by ``ear`` is of: the sound, the text and the style."""
        what = f"{ear}\n{self.voice}\n{self.style}\n{self.text}\n".encode()
        return hashlib.sha256(what + self.samples.tobytes()).hexdigest()


@dataclass(frozen=True)
class Heard:
    """One clip as it was measured; ``mos`` is None where DNSMOS is not installed."""

    key: str
    voice: str
    style: str
    text: str
    transcript: str
    wer: float
    mos: float | None
    settings: list[float]


def draw(shards: Shards, names: Iterable[str], each: int, seed: int) -> list[Clip]:
    """``each`` clips of every voice named, from the shards and, where they have too few, read now."""
    natural = [i for i, u in enumerate(shards.utterances) if u.kind in NATURAL]
    found = defaultdict(list)
    for i in natural:
        found[shards.utterances[i].voice].append(i)
    clips = []
    for name in names:
        chooser = random.Random(f"{seed} {name}")
        chosen = _even([(shards.utterances[i].style, i) for i in found[name]], each, chooser)
        for i in chosen:
            u = shards.utterances[i]
            clips.append(Clip(u.text, name, u.style, shards.samples(i), shards.pitch(i)))
        have = [shards.utterances[i].style for i in chosen]
        for number in range(each - len(chosen)):
            style = min(voices.STYLES, key=have.count)
            have.append(style)
            text = shards.utterances[chooser.choice(natural)].text
            clips.append(_speak(shards.folder.parent, text, name, style, seed * each + number))
    return clips


def _even(items: Sequence[tuple[str, int]], count: int, chooser: random.Random) -> list[int]:
    """Up to ``count`` of (style, index), one of each style in turn."""
    order = sorted(chooser.sample(items, len(items)), key=lambda item: item[0])
    turns = [(turn, i) for _, own in groupby(order, lambda item: item[0]) for turn, (_, i) in enumerate(own)]
    return [i for _, i in sorted(turns, key=lambda item: item[0])[:count]]


@cache
def _kokoro(folder: Path) -> Kokoro:
    return Kokoro(load_voices(folder))


def _speak(folder: Path, text: str, name: str, style: str, seed: int) -> Clip:
    voice = voices.VOICES[name]
    reading = voices.read(_kokoro(folder), text, voice.base, style, seed)
    samples = voices.play(reading, voice, style).astype(np.float64) / 32768
    contour = pitch.contour(samples, SAMPLE_RATE, hops(len(samples)))
    return Clip(text, name, style, samples.astype(np.float32), contour)


def listen(clips: Sequence[Clip], ear: str, file: Path) -> list[Heard]:
    """Score every clip by the recogniser ``ear`` and by DNSMOS, one line of ``file`` for each; what ``file``
    has is not measured again. Raises VerifierError without the ear.
    """
    recogniser, quality = verifiers.load(ear), _dnsmos()
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    known = {h.key: h for h in (Heard(**json.loads(line)) for line in lines)}
    with file.open("a", encoding="utf-8") as out:
        for clip in track(clips, "listening"):
            key = clip.key(ear)
            if key in known:
                continue
            (words,) = recogniser.score([clip.samples], verifiers.Target(text=clip.text))
            mos = float(quality.score([clip.samples], verifiers.Target())[0].value) if quality else None
            said = str(words.evidence.get("transcript", ""))
            one = Heard(key, clip.voice, clip.style, clip.text, said, words.value, mos, clip.settings())
            known[key] = one
            print(json.dumps(asdict(one)), file=out, flush=True)
    return [known[clip.key(ear)] for clip in clips]


def _dnsmos() -> verifiers.Verifier | None:
    try:
        return verifiers.load("dnsmos")
    except verifiers.VerifierError as missing:
        print(f"no DNSMOS: {missing}")
        return None


def likeness(clips: Sequence[Clip]) -> dict[str, tuple[float, str, float]]:
    """Of each voice: mean GE2E cosine of two of its clips, the voice nearest to it, and the mean cosine of a
    clip of each.
    """
    speaker = verifiers.load("ge2e")
    assert isinstance(speaker, GE2ESpeaker)
    vectors = speaker.embed([clip.samples for clip in clips])
    names = list(dict.fromkeys(clip.voice for clip in clips))
    own = {name: vectors[[clip.voice == name for clip in clips]] for name in names}
    found = {}
    for name in names:
        count = len(own[name])
        within = (float(np.square(own[name].sum(0)).sum()) - count) / (count * (count - 1))
        others = {other: float(own[name].mean(0) @ own[other].mean(0)) for other in names if other != name}
        nearest = max(others, key=others.__getitem__)
        found[name] = within, nearest, others[nearest]
    return found


def styles_told(heard: Sequence[Heard], settings: Sequence[str]) -> verifiers.Interval:
    """Share of clips whose style is that of the nearest mean of the other voices' clips, by the settings
    named; all are taken relative to the voice's own neutral mean, and in units of their deviation.
    """
    columns = [SETTINGS.index(name) for name in settings]
    relative = _relative(heard)[:, columns]
    relative /= relative.std(0) + 1e-9
    right = []
    for i, one in enumerate(heard):
        distances = {}
        for style in voices.STYLES:
            known = [k for k, h in enumerate(heard) if h.style == style and h.voice != one.voice]
            if known:
                distances[style] = float(np.linalg.norm(relative[i] - relative[known].mean(0)))
        right.append(min(distances, key=distances.__getitem__) == one.style)
    return verifiers.bootstrap_mean(right)


def _relative(heard: Sequence[Heard]) -> NDArray[np.float64]:
    """[clips, SETTINGS]: differences to the mean of the voice's neutral clips, the pace in percent of it."""
    neutral = {}
    for name in {h.voice for h in heard}:
        own = [h for h in heard if h.voice == name]
        calm = [h for h in own if h.style == "neutral"] or own
        neutral[name] = np.mean([h.settings for h in calm], 0)
    values = np.array([np.subtract(h.settings, neutral[h.voice]) for h in heard])
    values[:, 2] *= 100 / np.array([neutral[h.voice][2] for h in heard])
    return values


def report(heard: Sequence[Heard], alike: dict[str, tuple[float, str, float]]) -> str:
    """Tables in Markdown: each voice, each kind of voice, each style, all; and the voices that fail."""
    lines = [_row("voice", "n", "WER", "DNSMOS", "GE2E within", "nearest other", "pitch, Hz"), _rule(7)]
    unclear, confused = [], []
    for name, (within, nearest, other) in alike.items():
        own = [h for h in heard if h.voice == name]
        wer = verifiers.bootstrap_mean([h.wer for h in own])
        hertz = 2 ** (np.median([h.settings[0] for h in own]) / 12)
        lines.append(_row(name, len(own), _span(wer), _mos(own), f"{within:.3f}",
                          f"{other:.3f} {nearest}", f"{hertz:.0f}"))  # fmt: skip
        if wer.mean > WORST_WER:
            unclear.append(f"{name} ({'surely' if wer.low > WORST_WER else 'perhaps'})")
        if other >= within:
            confused.append(f"{name} ({nearest})")
    lines += ["", *_groups("voices", heard, lambda h: voices.group(h.voice))]
    lines += ["", *_groups("style", heard, lambda h: h.style)]
    relative = _relative(heard)
    lines += ["", _row("style, to neutral", "pitch, semitones", "range, semitones", "pace, %", "level, dB"),
              _rule(5)]  # fmt: skip
    for style in voices.STYLES:
        rows = relative[[h.style == style for h in heard]]
        if len(rows):
            cells = [verifiers.bootstrap_mean(column) for column in rows.T]
            lines.append(_row(style, *(f"{c.mean:+.1f} [{c.low:+.1f}, {c.high:+.1f}]" for c in cells)))
    lines += [
        "",
        f"style told by pitch, range and pace: {styles_told(heard, SETTINGS[:3])}",
        f"style told by these and the level: {styles_told(heard, SETTINGS)}",
        f"WER over {WORST_WER}: {', '.join(unclear) or 'none'}",
        f"nearer to another voice than to itself: {', '.join(confused) or 'none'}",
    ]
    return "\n".join(lines)


def _groups(title: str, heard: Sequence[Heard], key: Callable[[Heard], str]) -> list[str]:
    lines = [_row(title, "n", "WER", "no word wrong", "DNSMOS"), _rule(5)]
    for name in [*dict.fromkeys(map(key, heard)), "all"]:
        own = [h for h in heard if name in (key(h), "all")]
        clean = np.mean([h.wer == 0 for h in own])
        lines.append(_row(name, len(own), _span(verifiers.bootstrap_mean([h.wer for h in own])),
                          f"{clean:.2f}", _mos(own)))  # fmt: skip
    return lines


def _mos(heard: Sequence[Heard]) -> str:
    known = [h.mos for h in heard if h.mos is not None]
    return _span(verifiers.bootstrap_mean(known)) if known else "-"


def _span(found: verifiers.Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _rule(columns: int) -> str:
    return "|---" * columns + "|"


def check(folder: Path, file: Path, each: int, seed: int, ear: str) -> str:
    """Draw, measure into ``file`` and return the report."""
    clips = draw(Shards(folder), voices.VOICES, each, seed)
    return report(listen(clips, ear, file), likeness(clips))
