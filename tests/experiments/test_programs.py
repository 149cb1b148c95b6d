"""The programs beside the product: how they start, answer bad input, and do without libraries of the
extras.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from experiments.programs import guarded
from llasa_core.errors import UserError

PROGRAMS = {
    "bench": "bench.__main__",
    "bench.verifiers": "bench.verifiers",
    "bench.cascade": "bench.cascade",
    "bench.ray": "bench.ray",
    "bench.soak": "bench.soak",
    "bench.window": "bench.window",
    "bench.budgets": "bench.budgets",
    "studies.emotion": "studies.emotion",
    "nano": "nano.__main__",
    "nano.evaluate.verifiers": "nano.evaluate.verifiers",
    "nano.evaluate.emotion": "nano.evaluate.emotion",
}
EXTRAS = (
    "pocketsphinx",
    "scipy",
    "ray",
    "funasr",
    "speechbrain",
    "onnxruntime",
    "pyarrow",
    "torchaudio",
    "zhconv",
)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.processes
def test_it_starts_as_a_program(program: str) -> None:
    """Whatever order it imports its libraries in: a torchaudio that does not fit torch must not stop it."""
    command = [sys.executable, "-m", f"experiments.{program}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Usage: python -m experiments.{program} [OPTIONS]" in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "arguments",
    [["--sead", "1"], ["--seed", "x"], ["--seed"], ["--widths", "a"], ["--count", "1e9"], ["", "", ""]],
)
def test_bad_usage_is_one_line(
    program: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module(f"experiments.{PROGRAMS[program]}").main
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and not shown.out


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (UserError("no\nsuch voice"), 2, "error: no such voice"),
        (FileNotFoundError(2, "No such file", "a.wav"), 2, "error: [Errno 2] No such file: 'a.wav'"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(5), None, None),
        (KeyError("a bug"), None, None),
    ],
)
def test_what_a_user_can_act_on_is_one_line_and_nothing_else_is_hidden(
    raised: BaseException, code: int | None, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise raised

    if code is None:
        with pytest.raises(type(raised)):
            guarded(command)([])
        return
    assert guarded(command)([]) == code
    assert capsys.readouterr().err.strip() == said


@pytest.mark.processes
def test_every_module_can_be_imported_without_the_extras() -> None:
    packages = ("llasa_core", "verifiers", "search", "experiments")
    root = Path(__file__).parents[2]
    names = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    ]
    assert {"experiments.studies.sweep", "experiments.bench.soak", "experiments.nano.data.units"} <= set(
        names
    )
    code = (
        "import importlib, sys, traceback\n"
        f"sys.modules.update(dict.fromkeys({EXTRAS}))\n"
        "for name in sys.argv[1:]:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError: print(name, *traceback.format_exc().splitlines()[-3:], sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert done.stdout == "" and done.returncode == 0, done.stdout + done.stderr
