"""What makes a result again: the models by revision or content hash, the settings, the versions.

`search.results.manifest_schema` reads manifests.
"""

import hashlib
import platform
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from llasa_core.audio import Waveform
from llasa_core.errors import UserError
from llasa_core.paths import user_path
from llasa_core.presets import PACKAGED
from llasa_core.request import Request
from verifiers import registry
from verifiers.shared.loading import NANO
from verifiers.spec import Spec

SCHEMA = 1
"""Of manifests and results. Those from before there were numbers have none, and are otherwise the same."""
MOST_FILES = 1000
"""Of a folder with a model."""
PACKAGES = (
    "llasa-search",
    "torch",
    "transformers",
    "tokenizers",
    "openai-whisper",
    "speechbrain",
    "funasr",
    "numpy",
)


def describe(
    request: Request, strategy: Mapping[str, Any], budget: Mapping[str, Any], models: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of a result, of the descriptions of its parts."""
    return {
        "schema": SCHEMA,
        "request": describe_request(request),
        "strategy": dict(strategy),
        "budget": dict(budget),
        "models": dict(models),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def identity(source: str | Path) -> dict[str, str]:
    """A local folder or file by the SHA-256 of its content, a hub model by the revision in the local cache.

    A packaged model goes by its name: where the package lies differs from machine to machine.
    """
    packaged = {str(path): name for name, path in PACKAGED.items()}
    name = packaged.get(str(source), str(source))
    path = PACKAGED.get(name) or user_path(name, "model")
    if path.exists():
        return {"source": name, "sha256": content_hash(path.resolve())}
    return {"source": name, "revision": hub_revision(name)}


def verifier_identity(spec: str) -> dict[str, str]:
    """A verifier by its spec and the identity of its weights; one without files is named by its spec
    alone."""
    parsed = Spec.parse(spec)
    kind = registry.built_in(parsed.kind)
    if kind is not None and kind.is_name(parsed):
        return {"spec": spec}
    folder = NANO / parsed.kind if parsed.source == "nano" else user_path(parsed.source, "verifier")
    if folder.exists():
        return {"spec": spec, "sha256": content_hash(folder.resolve())}
    if "/" in parsed.source:
        return {"spec": spec, "revision": hub_revision(parsed.source)}
    return {"spec": spec}


@lru_cache(maxsize=64)
def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files: relative name, size and bytes of each, in order of name.

    Model cards (`.md`) do not count: they change nothing that is computed.

    Raises UserError for a folder of more than 1,000 files, and for what is neither a folder nor a file.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        found = (item for item in path.rglob("*") if item.is_file() and item.suffix.lower() != ".md")
        files = sorted(islice(found, MOST_FILES + 1))
    else:
        files = [path] if path.is_file() else []
    if not 0 < len(files) <= MOST_FILES:
        raise UserError(f"{path} holds {'no' if not files else f'over {MOST_FILES}'} files: it is no model")
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def hub_revision(repository: str) -> str:
    """The commit of a hub model as it lies in the local cache, or "unknown"."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repository, "config.json")
    except HFValidationError:
        return "unknown"
    return Path(found).parent.name if isinstance(found, str) else "unknown"


def describe_request(request: Request) -> dict[str, Any]:
    """The request as plain JSON values; recordings by length and content hash."""
    return {
        "text": request.text,
        "language": request.language,
        "prompt_text": request.prompt_text,
        **_describe_audio("prompt", request.prompt_audio),
        "emotion": request.emotion,
        **_describe_audio("emotion", request.emotion_audio),
        "seed": request.seed,
        "id": request.id,
        "as_written": request.as_written,
        "spoken": request.spoken.spoken,
        "changes": [
            {"kind": change.kind, "written": change.written, "spoken": change.spoken}
            for change in request.spoken.changes
        ],
    }


def _describe_audio(role: str, audio: Waveform | None) -> dict[str, Any]:
    return {
        f"{role}_samples": 0 if audio is None else len(audio),
        f"{role}_sha256": None if audio is None else hashlib.sha256(audio.tobytes()).hexdigest(),
    }
