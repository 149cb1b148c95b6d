"""The base of verifiers of speech tokens, which need neither a recogniser nor decoded audio."""

from abc import abstractmethod
from collections.abc import Sequence

from llasa_core.audio import CODES_PER_SECOND, Waveform
from verifiers.base import Codes, Likelihood, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.verifier import BaseVerifier


class BaseTokenVerifier(BaseVerifier):
    """A verifier whose `about.needs` holds "tokens" and which writes `score_codes`; the rest is here."""

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """Checks the target. Raises VerifierError if there is any audio to judge."""
        self.check_target(target)
        if candidates:
            raise VerifierError(
                f"{self.spec} judges the speech tokens of a search, which audio does not have: "
                "use it as a verifier or a judge of a search"
            )
        return []

    def score_tokens(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool = False
    ) -> list[Score]:
        """As `verifiers.base.TokenVerifier.score_tokens`; candidates that are too short are unusable."""
        self.check_target(target)
        shortest = round(self.min_seconds * CODES_PER_SECOND)
        judged = [codes for codes in candidates if len(codes) >= shortest]
        scores = iter(self.score_codes(judged, target, likelihood, partial) if judged else ())
        return [
            next(scores) if len(codes) >= shortest else self._too_short(codes, shortest)
            for codes in candidates
        ]

    @abstractmethod
    def score_codes(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool
    ) -> list[Score]:
        """Scores of candidates of at least `min_seconds`."""

    def _too_short(self, codes: Codes, shortest: int) -> Score:
        reason = f"too short to judge: {len(codes)} speech tokens, at least {shortest} needed"
        return Score(self.worst, {}, False, reason, self.steps_back)
