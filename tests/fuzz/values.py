"""What is drawn: values that may be right, values that are wrong in every way, and documents with one of them
in them.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

WORDS = (
    "", " ", "\n", "-", "--", "0", "-1", "1.5", "1e400", "-1e308", "nan", "inf", "9" * 400, "9" * 5000,
    "0x10", "1_0", "true",
    "null", "[]", "{}", "a" * 300, "a" * 100_000, "../../../etc/passwd", "/", "/dev/zero", "/dev/full",
    "/dev/stdin",
    "/proc/self/mem", "~nosuchuser/x", "~", ".", "..", "no/such/file", "x.wav/y", "\udcff\udcfe", "\ud800",
    "\ufffe",
    "a\x00b", "\x1b[31m", "\u2028", "\u200b", "naïve", "日本語", "🙂", "%s%n%x", "{0}", "{{7*7}}", "$(id)",
    "`id`", "; ls",
    "$" + "9" * 5000, "-n", "@", "=", ",", ";", "a=b", "a;b", "?", "?a=1", "nan,nan", "127.0.0.1:1", "meta",
    "cuda:99", "gpu",
)  # fmt: skip
"""Texts that are wrong nearly everywhere."""
SPECS = (
    "best-of-n", "best-of-n?n=2", "beam?beams=1&n=2", "beam?beams=1000000000", "beam?beams=nan",
    "partial-prm?seconds=1e308",
    "particle?particles=4&temperature=1e-308", "adaptive?n=1e9", "dvts?beams=0", "repair?rounds=-1", "beem",
    "beam?", "beam?prm=",
    "beam?step=" + "9" * 400, "?n=1", "best-of-n?n=2&n=3", "best-of-n?select=wer<=" + "9" * 400,
    "weighted(sim=1e308,wer=1e308)",
    "ranks(sim=1e308)", "wer<=0,sim", "wer<=nan,sim", "sim;wer", "pareto(", "tokens=100",
    "tokens=" + "9" * 400, "flops=nan",
    "seconds=-1", "whisper:nano", "wavlm-sv:nano", "whisper:nano?x=1", "hubert-ctc:no/such", "ecapa:.",
    "emotion2vec:..",
    "utmos:/dev/zero", "nosuch:nano", "whisper:" + "a" * 300, "signal",
)  # fmt: skip
RIGHT: dict[str, tuple[str, ...]] = {
    "preset": ("nano", "llasa-1b"),
    "device": ("cpu",),
    "strategy": ("best-of-n", "beam", "partial-prm", "dvts", "particle", "adaptive", "repair"),
    "recipe": ("paper-orm", "paper-prm", "paper-partial-prm", "paper-emotion", "narration"),
    "budget": ("tokens=500", "flops=60e9", "seconds=5"),
    "select": ("wer,sim", "wer<=0,sim"),
    "verifiers": ("whisper:nano", "wavlm-sv:nano"),
    "judges": ("hubert-ctc:nano",),
    "text": ("seven birds",),
    "texts": ("texts.txt",),
    "language": ("en",),
    "voice": ("slt", "kal"),
    "shell": ("bash", "zsh", "fish"),
    "input": ("list.txt", "list.csv", "list.jsonl", "meta.lst", "list.parquet"),
    "manifest": ("result.json", "run"),
    "prompt_audio": ("voice.wav",),
    "reference": ("voice.wav",),
    "files": ("voice.wav",),
    "output": ("out/a.wav", "out/run", "run"),
    "id": ("000001",),
}
"""By the name of a parameter, values that a command can take; files are those of `tests.fuzz.world`."""
NUMBERS = ("1", "2", "0.5", "8")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, 10**5000, float("nan"), float("inf"), "", "x", "\udcff",
    "a" * 100_000, [], {},
    ["x"], [[]], {"a": "b"}, {"name": "beam", "5": 6}, "2020-99-99", "9" * 5000, "../../x", "/dev/zero",
)  # fmt: skip
"""Values of a wrong type or size for a key of a document."""


def odd_value(draw: random.Random) -> Any:
    return copy.deepcopy(draw.choice(ODD))


def mutated(draw: random.Random, value: Any) -> Any:
    """The same with something wrong at one place, at any depth: another value, a key less, more, or a key of
    another name.
    """
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def collect(at: Any) -> None:
        for key in at if isinstance(at, dict) else range(len(at)):
            places.append((at, key))
            if isinstance(at[key], dict | list):
                collect(at[key])

    if isinstance(value, dict | list):
        collect(value)
    if not places or draw.random() < 0.05:
        return odd_value(draw)
    at, key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            del at[key]
        case 1 if isinstance(at, dict):
            at[draw.choice(("extra", "", "a" * 1000, "schema"))] = odd_value(draw)
        case 2 if isinstance(at, dict):
            at[f"{key}x"] = at.pop(key)
        case _:
            at[key] = odd_value(draw)
    return value


def dumped(value: Any) -> bytes:
    """As JSON, with numbers of any length and with halves of characters."""
    return _encoded(json.dumps(value, ensure_ascii=False, default=str))


def damaged(draw: random.Random, content: bytes) -> bytes:
    """The bytes with something wrong at one place: cut, changed, put in, or nothing left of them."""
    place = draw.randrange(len(content) + 1)
    junk = draw.choice(
        (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\n\n", b"[" * 100_000, b"{" * 5000, b"9" * 5000, b"*a",
        b"&a [*a]", b"!!python/name:os.system x",
         b"\xe2\x80\xa8", b"\x1b]0;x\x07", b'"', b"NaN", b"1e999", b"\r", b"|", b";", b"\t", b"a" * 5_000_000)
    )  # fmt: skip
    match draw.randrange(5):
        case 0:
            return content[:place]
        case 1:
            return b""
        case 2:
            return junk
        case 3:
            return content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :]
        case _:
            return content[:place] + junk + content[place:]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
