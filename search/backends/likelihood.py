"""The generator's likelihoods of a request's candidates, as verifiers of speech tokens ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llasa_core.lm.likelihood import TeacherForcing
from llasa_core.lm.prefix import Prefix
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import build_prompt
from llasa_core.request import Request
from search.cost.flops import GeneratorCost
from verifiers.base import Codes


class RequestLikelihood:
    """`verifiers.base.Likelihood` of one request. Complete candidates are run once, whoever asks for them."""

    def __init__(
        self, model: SpeechLM, request: Request, voice: Sequence[int], prefix: Callable[[], Prefix | None]
    ) -> None:
        """``voice``: codes of the voice prompt. ``prefix``: the keys and values of the prompt, if the search
        has them in this process."""
        self._model = model
        self._request = request
        self._voice = voice
        self._prefix = prefix
        self._cost = GeneratorCost.of(model.network)
        self._passes: dict[bool, TeacherForcing] = {}
        self._known: dict[tuple[bool, tuple[int, ...]], NDArray[np.float32]] = {}

    def __call__(
        self, candidates: Sequence[Codes], *, with_text: bool = True, partial: bool = False
    ) -> list[NDArray[np.float32]]:
        keys = [(with_text, tuple(codes)) for codes in candidates]
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            found = self._pass(with_text).logps([codes for _, codes in missing], keep=partial)
            self._known.update(zip(missing, found, strict=True))
        return [self._known[key] for key in keys]

    def drained_flops(self) -> float:
        """Operations since the last time."""
        total = 0.0
        for one in self._passes.values():
            total += sum(self._cost.flops(first, last) for first, last in one.spans)
            one.spans.clear()
        return total

    def _pass(self, with_text: bool) -> TeacherForcing:
        if with_text not in self._passes:
            prompt = prompt_ids(self._model, self._request, self._voice, with_text=with_text)
            prefix = self._prefix() if with_text else None
            self._passes[with_text] = TeacherForcing(self._model, prompt, prefix)
        return self._passes[with_text]


def prompt_ids(
    model: SpeechLM, request: Request, voice: Sequence[int], *, with_text: bool = True
) -> list[int]:
    """Token ids of a request's prompt; without the text, only the codes of the voice prompt are in it."""
    text, prompt_text = request.spoken.spoken, request.spoken_prompt.spoken
    if not with_text:
        text = prompt_text = ""
    return build_prompt(model.tokenizer, text, prompt_text, voice)
