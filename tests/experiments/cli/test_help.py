"""Help is quick, has groups and examples, and spells options the same everywhere; shells complete them."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from experiments.cli import main as cli
from experiments.cli.commands import COMMANDS, COMPLETION, Option, llasa_search


def command(name: str) -> click.Command:
    found = llasa_search.get_command(click.Context(llasa_search), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_can_read(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = re.findall(rf"^ +(?:eval \"\$\()?llasa-search {name}\b(.*)$", shown, re.MULTILINE)
    assert examples
    options = {opt for param in command(name).params for opt in param.opts}
    for example in examples:
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", example)) <= options, example


@pytest.mark.parametrize("name", ["synth", "run", "replay", "score"])
def test_options_stand_in_groups(name: str) -> None:
    options = [param for param in command(name).params if isinstance(param, click.Option)]
    assert all(isinstance(option, Option) and option.group != "other" and option.help for option in options)


def test_an_option_is_the_same_in_every_command() -> None:
    """Name, kind of value, and how often it may be given; -o alone is a file here and a folder there."""
    seen: dict[str, tuple[object, ...]] = {}
    for name in COMMANDS:
        for param in command(name).params:
            if isinstance(param, click.Option) and param.opts[-1] != "--output":
                found = (param.opts, type(param.type), param.metavar, param.multiple, param.is_flag)
                assert seen.setdefault(param.opts[-1], found) == found, (name, param.opts)
    assert seen["--json"][2] == "FILE"


@pytest.mark.processes
def test_help_is_quick_and_imports_no_model_library() -> None:
    program = (
        "import sys\nfrom experiments.cli import main as cli\nassert cli.main(sys.argv[1:]) == 0\n"
        "found = {'torch', 'transformers', 'whisper', 'numba', 'pandas', 'ray'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    for arguments in (["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)):
        began = time.process_time_ns(), os.times().children_user
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert os.times().children_user - began[1] < 2.0, "seconds of the processor for a help text"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert COMPLETION in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("llasa-search s", {"synth", "score", "study", "sweep"}),
        ("llasa-search synth x --preset l", {"llasa-1b", "llasa-3b", "llasa-8b"}),
        ("llasa-search synth x --strategy b", {"best-of-n", "beam"}),
        ("llasa-search run x --recipe n", {"narration"}),
        ("llasa-search score --verifier wavlm", {"wavlm-sv", "wavlm-large-sv"}),
        ("llasa-search replay x --js", {"--json"}),
    ],
)
def test_completion_knows_names(
    words: str, wanted: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(COMPLETION, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert cli.main([]) == 0
    assert {line.split(",")[1] for line in capsys.readouterr().out.splitlines()} == wanted


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["synt"], "no command 'synt': did you mean 'synth'?"),
        (["synth"], "Missing argument 'TEXT'"),
        (["synth", "a", "b"], "unexpected extra argument (b)"),
        (["synth", "a", "--devise", "cpu"], "No such option '--devise'"),
        (["run", "in.txt"], "Missing option '-o'"),
        (["score", "--json"], "Option '--json' requires an argument"),
        (["completion", "sh"], "'sh' is not one of"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.startswith("error: ") and shown.err.count("\n") == 1
    assert shown.out == ""


@pytest.mark.processes
@pytest.mark.parametrize("package", ["search", "verifiers", "llasa_core"])
def test_a_package_of_the_same_name_is_named(package: str, tmp_path: Path) -> None:
    """As another distribution would lie there, found first."""
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("SAMPLE_RATE = 1\n")
    tree = str(Path(cli.__file__).parents[2])
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {tree!r}]\n"
    program += "import experiments.cli.main as cli\nsys.exit(cli.main(['models']))\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert package in done.stderr and "distribution" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n", "1000000000"],
        ["-n", "9" * 5000],
        ["-n", "1.5"],
        ["--seed", "-1"],
        ["--seed", "9" * 5000],
        ["--memory", "1e300"],
        ["--memory", "nan"],
        ["--memory", "-1"],
        ["--max-seconds", "nan"],
        ["--max-seconds", "1e9"],
        ["--max-seconds", "inf"],
        ["--temperature", "1e400"],
        ["--top-p", "nan"],
        ["--top-k", "9" * 400],
        ["--ray", "100000000"],
        ["--ray", "9" * 5000],
        ["--ray", "2", "--ray-threads", "9" * 30],
        ["--ray", "2", "--ray-gpus", "nan"],
        ["--budget", "tokens=" + "9" * 400],
        ["--budget", "tokens=" + "9" * 5000],
        ["--budget", "flops=inf"],
        ["--budget", "seconds=nan"],
        ["--budget", "candidates=1.5"],
        ["--strategy", "beam?beams=1000000000"],
        ["--strategy", "adaptive?n=1e9"],
        ["--strategy", "best-of-n?n=" + "9" * 5000],
        ["--device", "gpu"],
        ["--device", "meta"],
        ["--device", "cuda:-1"],
        ["--device", "cuda:" + "9" * 50],
    ],
)
def test_numbers_that_cannot_be_are_one_short_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["synth", "one bird", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and len(shown.err) < 300
    assert shown.out == ""
