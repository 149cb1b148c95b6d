"""The entry point of `llasa-search`: signals, errors and exit codes. Commands are imported later."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from experiments import interrupts

EXIT_BAD_INPUT = 2
LONGEST_LINE = 600
"""Characters of an error; of a longer one the middle is left out: it repeats what was typed."""
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    0: done. 1: a replayed result differs, or some texts of a run failed. 2: bad input, a full disk or too
    little memory, with one line on stderr. 3: spoken, but not within the bounds that were asked for. 128 and
    its number: a signal (130: Ctrl-C).
    """
    for library in ("TRANSFORMERS", "HF_HUB"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    with interrupts.guarded(last=argv is None):
        try:
            return _run(sys.argv[1:] if argv is None else list(argv))
        except BaseException as error:  # noqa: BLE001 (what is none of ours is raised again)
            # a library may have made another error of the signal
            if interrupted := interrupts.of(error):
                line, code = str(interrupted), interrupted.exit_code
            else:
                line, code = f"error: {_explain(error)}", EXIT_BAD_INPUT
            with interrupts.held():
                _report(line)
                return code


def _run(argv: list[str]) -> int:
    if problem := _problem_with_packages():
        _report(f"error: {problem}")
        return EXIT_BAD_INPUT
    from experiments import terminal
    from experiments.cli import surroundings
    from experiments.cli.commands import COMPLETION, PROGRAM, llasa_search

    surroundings.prepare_streams()
    if COMPLETION in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(llasa_search, {}, PROGRAM, COMPLETION, os.environ[COMPLETION])
    code = _invoke(argv)
    terminal.flush()
    return code


def _problem_with_packages() -> str:
    """What is wrong if another distribution has replaced one of our packages; "" if all are ours."""
    try:
        from search.collisions import collision
    except ImportError:
        return (
            "the package 'search' has been replaced by another distribution of that name: "
            "install llasa-search in an environment of its own"
        )
    return collision()


def _invoke(argv: list[str]) -> int:
    from click.exceptions import Exit, NoArgsIsHelpError

    from experiments.cli.commands import PROGRAM, llasa_search

    try:
        with llasa_search.make_context(PROGRAM, argv) as context:
            code = llasa_search.invoke(context)
    except Exit as end:
        return end.exit_code
    except BrokenPipeError:
        if not _reader_gone():
            raise
        return 0
    except NoArgsIsHelpError as wanted:
        wanted.show()
        return EXIT_BAD_INPUT
    return code if isinstance(code, int) else 0


def _reader_gone() -> bool:
    """Whether nobody reads stdout any more (`| head -1`). What is written to it is dropped from then on."""
    from experiments import terminal

    try:
        sys.stdout.flush()
    except BrokenPipeError:
        terminal.discard(sys.stdout)
        return True
    return False


def _explain(error: BaseException) -> str:
    """One line for what a user can act on. Raises the error itself if it is none of that."""
    from click import ClickException

    from llasa_core.errors import LlasaError

    if isinstance(error, ClickException):
        return _usage(error)
    if isinstance(error, LlasaError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else f"cannot go on: {error.strerror}"
    lines = str(error).splitlines() or [""]
    if isinstance(error, MemoryError) or any(words in lines[0].lower() for words in _NO_MEMORY):
        return (
            f"out of memory ({lines[0] or 'MemoryError'}): search with fewer candidates, or give --memory GIB"
        )
    raise error


def _usage(error: object) -> str:
    """What is wrong with an option, by its name and its source."""
    from click import BadParameter, ClickException, MissingParameter, Option, UsageError
    from click.core import ParameterSource

    assert isinstance(error, ClickException)
    line = error.format_message().rstrip(".").replace(". (Did you", " (did you")
    context = error.ctx if isinstance(error, UsageError) else None
    if (
        isinstance(error, BadParameter)
        and not isinstance(error, MissingParameter)
        and error.param
        and context
    ):
        name = error.param.opts[0] if isinstance(error.param, Option) else error.param.make_metavar(context)
        if context.get_parameter_source(error.param.name or "") is ParameterSource.DEFAULT_MAP:
            name = f"--recipe {context.params.get('recipe')}: {error.param.opts[-1].lstrip('-')}"
        line = f"{name} {error.message.rstrip('.')}"
    return f"{line} (see {context.command_path} --help)" if context else line


def _report(line: str) -> None:
    from experiments import terminal

    line = " ".join(line.split())
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    with suppress(OSError):  # nobody can be told
        terminal.say(line, error=True)


if __name__ == "__main__":
    sys.exit(main())
