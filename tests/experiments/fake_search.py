"""A partial process-reward search as it would leave a trace: made-up scores, codes cut from real speech."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llasa_core.audio import read_audio
from llasa_core.codec.codec import Codec
from llasa_core.request import Request
from search.asks import Ask, Beam, Beams, Branch, Extend, Measure, Start, branched_beams
from search.cost.ledger import Ledger
from search.results.candidate import Candidate
from search.results.result import SearchResult
from search.results.trace import Step, step_of
from verifiers.base import Score
from verifiers.shared.wer import word_errors

PROMPTS = Path(__file__).parents[2] / "llasa_core/nano/prompts"
STEP = 25


class FakeSearch:
    """`beams` times `copies` for `rounds` rounds of half a second, then to the end. Keeps its steps."""

    def __init__(self, codec: Codec, *, seed: int = 0) -> None:
        self.codec = codec
        self.random = np.random.default_rng(seed)
        self.steps: list[Step] = []
        self.sources = [codec.encode(read_audio(PROMPTS / f"{name}.wav"))[20:] for name in ("slt", "kal")]

    def run(
        self, text: str, *, beams: int, copies: int, rounds: int, judged: bool = True, satisfied: bool = True
    ) -> SearchResult:
        (root,) = self._do(Start(), (Beam((), ()),))
        alive: Beams = (root,)
        ended: Beams = ()
        for turn in range(rounds):
            ask = Branch(alive, beams * copies if turn == 0 else copies)
            alive = self._extended(self._do(ask, branched_beams(ask)), STEP)
            measure = Measure(alive, "sim", True)
            scores = tuple(Score(self._similarity(beam)) for beam in alive)
            self._do(measure, scores)
            best = sorted(range(len(alive)), key=lambda index: -scores[index].value)[:beams]
            ended += tuple(alive[index] for index in best if alive[index].finished)
            alive = tuple(alive[index] for index in best if not alive[index].finished)
        ask = Branch(alive, copies if rounds else beams * copies)
        complete = ended + self._extended(self._do(ask, branched_beams(ask)), None)
        sim = self._do(
            Measure(complete, "sim"), tuple(Score(self._similarity(beam), {}) for beam in complete)
        )
        wer = self._do(Measure(complete, "wer"), tuple(self._heard(text, beam) for beam in complete))
        order = sorted(range(len(complete)), key=lambda index: (wer[index].value, -sim[index].value))
        judge = "hubert-ctc:nano"
        candidates = tuple(
            Candidate(
                number=number,
                rank=order.index(number),
                lineage=beam.lineage,
                tokens=beam.tokens,
                waveform=waveform,
                scores={"wer": wer[number], "sim": sim[number]},
                judged={judge: self._judged(text, wer[number], beam)} if judged else {},
                cut_off=beam.cut_off,
            )
            for number, (beam, waveform) in enumerate(zip(complete, self._decode(complete), strict=True))
        )
        manifest = {
            "strategy": {
                "name": "partial-prm",
                "beams": beams,
                "copies": copies,
                "step": STEP,
                "seconds": rounds / 2,
                "prm": "sim",
                "select": "wer<=0,sim",
            },
            "models": {
                "verifiers": [{"spec": "whisper:nano"}, {"spec": "wavlm-sv:nano"}],
                "judges": [{"spec": judge}],
            },
        }
        return SearchResult(
            Request(text, seed=7),
            candidates,
            satisfied,
            self._ledger(complete),
            (),
            manifest,
            directions={"wer": False, "sim": True, judge: False},
        )

    def decode(self, codes: list[list[int]]) -> list[np.ndarray]:
        return self.codec.decode(codes)

    def _do(self, ask: Ask, answer: tuple) -> tuple:  # type: ignore[type-arg]
        self.steps.append(step_of(ask, answer, 0.4 * len(self.steps), 0.4))
        return answer

    def _extended(self, beams: Beams, n_tokens: int | None) -> Beams:
        """Some end in the middle of a step; all that run free end between 3.2 and 5 s, some by being cut
        off.
        """
        new = []
        for beam in beams:
            count = n_tokens or int(self.random.integers(160, 250)) - len(beam.tokens)
            ends = n_tokens is None or (len(beam.tokens) > STEP and self.random.random() < 0.06)
            count = count if n_tokens is None or not ends else int(self.random.integers(5, STEP))
            source = self.sources[int(self.random.random() < 0.25)]
            codes = [source[(len(beam.tokens) + place) % len(source)] for place in range(count)]
            cut_off = n_tokens is None and self.random.random() < 0.05
            new.append(Beam(beam.lineage, (*beam.tokens, *codes), ends, cut_off))
        return self._do(Extend(beams, n_tokens), tuple(new))

    def _similarity(self, beam: Beam) -> float:
        """That of a start is seen in what it becomes."""
        seeds = [sum(beam.tokens[start : start + STEP]) for start in range(0, len(beam.tokens), STEP)]
        mean = np.mean([np.random.default_rng(seed).normal(0.6, 0.1) for seed in seeds])
        return round(float(mean + self.random.normal(0, 0.06)), 4)

    def _heard(self, text: str, beam: Beam) -> Score:
        """Up to three words are wrong, and what did not fit in is missing."""
        words = text.lower().split()[: len(beam.tokens) // 13 + 1]
        for _ in range(int(self.random.integers(0, 4))):
            place = int(self.random.integers(len(words) or 1))
            words[place : place + 1] = [[], ["grey"], [*words[place : place + 1], "uh"]][
                int(self.random.integers(3))
            ]
        if not words:
            return Score(1.0, {}, False, "no speech")
        errors = word_errors(text, " ".join(words))
        return Score(errors.rate, {"transcript": " ".join(words), **errors.evidence()})

    def _judged(self, text: str, search: Score, beam: Beam) -> Score:
        if self.random.random() < 0.6:
            return Score(search.value, search.evidence)
        return self._heard(text, beam)

    def _decode(self, beams: Sequence[Beam]) -> list[np.ndarray]:
        return self.codec.decode([beam.tokens for beam in beams])

    def _ledger(self, complete: Beams) -> Ledger:
        ledger = Ledger(
            tokens_generated=sum(len(node["codes"]) for step in self.steps for node in step.nodes),
            tokens_prefilled=212,
            seconds_decoded=sum(len(step.scores) for step in self.steps) * 1.4,
            seconds_scored={"sim": 310.5, "wer": 250.2},
            seconds_judged={"hubert-ctc:nano": 250.2},
            wall={
                "generator": 14.2,
                "codec": 6.1,
                "verifier sim": 4.4,
                "verifier wer": 9.3,
                "judge wer": 1.2,
            },
        )
        ledger.close(complete)
        return ledger
