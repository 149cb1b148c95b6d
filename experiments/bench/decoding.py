"""Speed of the decoding engine, relative to memory bandwidth and to ``generate`` of transformers."""

from __future__ import annotations

import re
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.bench.timing import tell
from llasa_core.audio import CODES_PER_SECOND
from llasa_core.lm.lineage import branched
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt, SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import SPEECH_END, SPEECH_START, TEXT_END, TEXT_START
from llasa_core.sampling import Sampling

COPIED = 1 << 28
FORKED_ROWS, FORKED_TOKENS, STEP = 16, 500, 25


@dataclass(frozen=True)
class Speed:
    """Medians for one number of rows. ``ratios``: time of ``generate`` over ours, for each pair; () without
    it.
    """

    rows: int
    seconds_per_token: float
    bytes_per_second: float
    ratios: tuple[float, ...]

    @property
    def tokens_per_second(self) -> float:
        """Of all rows together."""
        return self.rows / self.seconds_per_token

    @property
    def real_time_factor(self) -> float:
        """Wall time over seconds of speech, of all rows together."""
        return CODES_PER_SECOND / self.tokens_per_second


class ShapeTokenizer:
    """A tokenizer that has only a vocabulary, with markers and, at the end, the speech codes. Whatever the
    text, it takes so many tokens."""

    chat_template = "any"

    def __init__(self, vocabulary: int, codes: int, text_tokens: int = 0) -> None:
        self.text_tokens = text_tokens
        first = vocabulary - codes
        self.vocabulary = {f"<|s_{code}|>": first + code for code in range(codes)}
        markers = (TEXT_START, TEXT_END, SPEECH_START, SPEECH_END)
        self.vocabulary |= {marker: first - 1 - k for k, marker in enumerate(markers)}

    def get_vocab(self) -> dict[str, int]:
        """Token ids by name."""
        return self.vocabulary

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> list[int]:
        """Token ids: any for the text, then the marker and the speech codes of the last message."""
        spoken = re.findall(r"<\|s_\d+\|>", messages[-1]["content"])
        return [*range(self.text_tokens), *(self.vocabulary[name] for name in (SPEECH_START, *spoken))]


def random_llama(shape: dict[str, Any], dtype: torch.dtype, device: str) -> LlamaForCausalLM:
    """A model of that shape with random weights, which is as fast as a trained one."""
    with torch.device(device):
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**shape)).to(dtype).eval()


def wait(device: torch.device) -> None:
    """Wait for all work that the device was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of ``work``."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def copy_bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of copying a large tensor; median of seven."""
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * COPIED / statistics.median(seconds(lambda: target.copy_(source), device) for _ in range(7))


def without_end(generator: SpeechLM) -> SpeechLM:
    """The generator with its end token masked, so that every run has the same work to do."""
    bias = torch.zeros(generator.n_codes + 1, device=generator.device)
    bias[-1] = -torch.inf
    generator.network.bias = bias
    return generator


def measure(
    generator: SpeechLM,
    model: Any,
    ids: list[int],
    rows: Sequence[int],
    tokens: int,
    sampling: Sampling,
    pairs: int,
) -> Iterator[Speed]:
    """Speeds for each number of rows. ``model``, if given, generates in alternation: same prompt and
    sampling.

    The order of the two alternates from pair to pair. The ratios compare whole calls, prompt included; the
    speed is that of the tokens behind the prompt.
    """
    device = generator.device
    # as in a search, the KV cache is allocated once for all requests
    runner = ModelRunner(generator, sampling)
    for count in rows:
        spoken: list[float] = []
        whole: list[float] = []
        theirs: list[float] = []
        # the first pair warms up
        for pair in range(pairs + 1):
            tell(f"{count} rows: pair {pair} of {pairs}")
            prompt = Prompt(ids, "bench", pair)
            ways = [(whole, partial(decode, runner, prompt, count, tokens, spoken))]
            if model is not None:
                ways.append((theirs, partial(generate, model, generator, ids, count, tokens, sampling)))
            for times, work in ways if pair % 2 else reversed(ways):
                times.append(seconds(work, device))
        tell("")
        taken = statistics.median(spoken[1:]) / tokens
        # keys and values of the prompt are read once for all rows, those of the speech once for each row
        columns = len(ids) + count * tokens / 2
        moved = generator.network.weight_bytes + columns * generator.network.bytes_per_token
        ratios = tuple(b / a for a, b in zip(whole[1:], theirs[1:], strict=True)) if theirs else ()
        yield Speed(count, taken, moved / taken, ratios)


def decode(runner: ModelRunner, prompt: Prompt, rows: int, tokens: int, spoken: list[float]) -> None:
    """Generate by this engine. Adds to ``spoken`` the seconds that the tokens behind the prompt took."""
    sequences = candidates(runner, prompt, rows)
    runner.make_resident(sequences)
    spoken.append(seconds(partial(runner.extend, sequences, tokens), runner.model.device))


def candidates(runner: ModelRunner, prompt: Prompt, count: int) -> list[SpeechSequence]:
    """So many sequences of one prompt, which is run once."""
    return copies(runner, runner.prefill(prompt), count)


def copies(runner: ModelRunner, sequence: SpeechSequence, count: int) -> list[SpeechSequence]:
    """Sequences that continue from where this one is, as a strategy branches a beam."""
    codes, slot = sequence.codes, sequence.slot
    lineages = [branched(sequence.lineage, len(codes), number) for number in range(count)]
    return [runner.resume(sequence, codes, lineage, slot=slot) for lineage in lineages]


def generate(
    model: Any, generator: SpeechLM, ids: list[int], rows: int, tokens: int, sampling: Sampling
) -> None:
    """Generate without this engine: one call of transformers for all candidates."""
    prompt = torch.tensor([ids], device=generator.device)
    model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        num_return_sequences=rows,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        eos_token_id=generator.vocabulary.end_id,
        pad_token_id=generator.vocabulary.end_id,
    )


def greedy_by_generate(model: Any, generator: SpeechLM, ids: list[int], tokens: int) -> list[int]:
    """Token ids that transformers speaks where it always takes the likeliest speech token."""
    allowed = set(generator.token_ids.tolist()) - {generator.vocabulary.end_id}
    prompt = torch.tensor([ids], device=generator.device)
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=tokens,
        pad_token_id=generator.vocabulary.end_id,
        eos_token_id=generator.vocabulary.end_id,
        suppress_tokens=[token for token in range(model.config.vocab_size) if token not in allowed],
    )
    spoken: list[int] = output[0, len(ids) :].tolist()
    return spoken


def fork_cost(
    generator: SpeechLM, ids: list[int], sampling: Sampling, pairs: int
) -> list[tuple[float, float]]:
    """(seconds of a fork, of 25 tokens): 16 rows of 500 tokens, of which four are continued four times
    each.
    """
    found = []
    for pair in range(pairs + 1):
        tell(f"fork: {pair} of {pairs}")
        runner = ModelRunner(generator, sampling)
        sequences = candidates(runner, Prompt(ids, "bench", pair), FORKED_ROWS)
        runner.extend(sequences, max(1, FORKED_TOKENS - len(ids)))
        step = seconds(partial(runner.extend, sequences, STEP), generator.device)
        found.append((seconds(partial(fork, runner, sequences), generator.device), step))
    tell("")
    return found[1:]


def fork(runner: ModelRunner, sequences: Sequence[SpeechSequence]) -> None:
    """Four beams are continued four times each; the others are dropped."""
    runner.make_resident([copy for row in (3, 6, 9, 12) for copy in copies(runner, sequences[row], 4)])


def peak_memory(device: torch.device) -> int:
    """Most bytes in use so far: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
