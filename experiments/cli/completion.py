"""`llasa-search completion`: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from experiments.cli.commands import COMPLETION, PROGRAM, Command, llasa_search
from experiments.terminal import say

EXAMPLES = """\
  in ~/.bashrc or ~/.zshrc:
    eval "$(llasa-search completion bash)"
    eval "$(llasa-search completion zsh)"
  for fish:
    llasa-search completion fish > ~/.config/fish/completions/llasa-search.fish
"""


@click.command(cls=Command, examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), help="the shell")
def command(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and names (presets, voices, recipes)."""
    kind = get_completion_class(shell)
    assert kind is not None
    say(kind(llasa_search, {}, PROGRAM, COMPLETION).source().rstrip())
