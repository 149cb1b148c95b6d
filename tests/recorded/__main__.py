"""`python -m tests.recorded compare`: do ten searches over all strategies still give what was recorded?

`record` runs the searches by the command line of whatever version is on the path and writes searches.json;
`compare` runs them again and names every difference in tokens, scores, winners, samples and traces. `--ray 2`
does the work in two actors. Tokens are those of one kind of processor: on another one, record both versions
anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "searches.json"
TOLERANCE = 1e-5
"""Of scores: verifiers sum in another order when batches differ."""
BENCHMARK = "normalizer=seed-tts-eval&name=wer"
"""A comparison of words that does not change with the text pipeline."""
HEARD, VOICE = ["--verifier", f"whisper:nano?{BENCHMARK}"], ["--verifier", "wavlm-sv:nano"]
EARS = [*HEARD, *VOICE, "--judge", f"hubert-ctc:nano?{BENCHMARK}"]
TRAIN = "The morning train is late again."
SHIP = "The old king saw a ship on the river."
BIRDS = "Seven green birds sit on the old wall."

SEARCHES: dict[str, list[str]] = {
    "best-of-n": [TRAIN, "-n", "4", *EARS],
    "best-of-n voice": [BIRDS, "--voice", "kal", "--seed", "3", "-n", "8", *EARS],
    "beam": [SHIP, "--strategy", "beam?beams=2&n=2", "--seed", "1", *EARS],
    "beam without prompt": [
        *(TRAIN, "--strategy", "beam?beams=3&n=2&step=20&prm=wer", "--no-prompt"),
        *(*HEARD, "--select", "wer", "--no-judge"),
    ],
    "partial-prm": [SHIP, "--strategy", "partial-prm?beams=2&n=3&seconds=1", "--seed", "2", *EARS],
    "dvts": [BIRDS, "--strategy", "dvts?beams=2&n=2", *EARS],
    "particle": [TRAIN, "--strategy", "particle?particles=4", "--seed", "5", *EARS],
    "adaptive": [BIRDS, "--strategy", "adaptive?n=8&first=2", "--seed", "6", *EARS],
    "repair": [SHIP, "--strategy", "repair?first=2&n=2&rounds=2", "--seed", "7", *EARS],
    "emotion": [
        *(TRAIN, "--voice", "slt-happy", "--emotion", "happy", "-n", "4", "--select", "emo,wer"),
        *(*HEARD, "--verifier", "emotion2vec:nano?measure=label", "--judge", f"hubert-ctc:nano?{BENCHMARK}"),
    ],
}


def carry_out(arguments: list[str], main: str, more: list[str]) -> dict[str, Any]:
    """One search by the command line: what of its result must not change."""
    with tempfile.TemporaryDirectory() as folder:
        result, page = Path(folder, "result.json"), Path(folder, "page.html")
        command = [sys.executable, "-m", main, "synth", *arguments, *more]
        command += ["-o", f"{folder}/out.wav", "--json", str(result), "--report", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):  # 3: spoken, and not as it was asked for
            raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
        found = json.loads(result.read_bytes())
        recordings = len(re.findall(r"data:audio/|audio/ogg", page.read_text()))
    return {
        "winner": found["winner"],
        "satisfied": found["satisfied"],
        "waveform_sha256": found["waveform_sha256"],
        "candidates": [
            {
                "rank": one["rank"],
                "lineage": one["lineage"],
                "tokens": one["tokens"],
                "scores": {name: score["value"] for name, score in one["scores"].items()},
                "judged": {spec: score["value"] for spec, score in one["judged"].items()},
            }
            for one in found["candidates"]
        ],
        "trace_sha256": _digest(found["trace"]),
        "recordings": recordings,
    }


def _digest(trace: list[dict[str, Any]]) -> str:
    """Of who grew from whom and into what; times and scores left out."""
    kept = [
        {key: value for key, value in step.items() if key not in ("at", "seconds", "scores")}
        for step in trace
    ]
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def differences(then: Any, now: Any, place: str) -> list[str]:
    """A line for each difference; numbers within `TOLERANCE` are equal."""
    if isinstance(then, dict) and isinstance(now, dict) and then.keys() == now.keys():
        return [line for key in then for line in differences(then[key], now[key], f"{place}.{key}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [line for k, (a, b) in pairs for line in differences(a, b, f"{place}[{k}]")]
    if isinstance(then, float) and isinstance(now, float) and abs(then - now) <= TOLERANCE:
        return []
    return [] if then == now else [f"{place}: {then!r:.80} -> {now!r:.80}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.recorded", description=__doc__)
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("--main", default="experiments.cli.main", help="module of the command line")
    parser.add_argument("--ray", metavar="N", help="do the work in N actors")
    parser.add_argument("--only", metavar="NAME", help="this search alone")
    arguments = parser.parse_args()
    more = ["--ray", arguments.ray, "--ray-threads", "1"] if arguments.ray else []
    recorded = json.loads(RECORDED.read_bytes()) if arguments.what == "compare" else {}
    different = 0
    for name, search in SEARCHES.items():
        if arguments.only not in (None, name):
            continue
        found = carry_out(search, arguments.main, more)
        if arguments.what == "record":
            recorded[name] = found
            print(f"{name}: {len(found['candidates'])} candidates", file=sys.stderr)
            continue
        lines = differences(recorded[name], found, name)
        different += bool(lines)
        print("\n".join(lines[:10]) if lines else f"{name}: the same")
    if arguments.what == "record":
        RECORDED.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
