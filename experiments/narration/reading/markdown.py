"""Markdown, by markdown-it: rendered to HTML, which is read like a book's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from experiments.narration.book import LeftOut, Reason, words
from experiments.narration.reading.blocks import Part, Reading
from experiments.narration.reading.markup import read_markup, without_notes
from experiments.narration.reading.plain import read_text


def read_markdown(path: Path, what: str) -> Reading:
    """CommonMark with tables, strike-through, footnotes and a YAML header, whose `title` and `lang` are used.

    Raises UserError for what is no text.
    """
    text = read_text(path, what)
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=True).use(front_matter_plugin)
    header = next((token.content for token in parser.parse(text) if token.type == "front_matter"), "")
    html = parser.render(text).replace("<s>", "<del>").replace("</s>", "</del>")
    document = read_markup(f"<html><body>{html}</body></html>", what)
    without_notes([("", document)])
    seen = Counter(words(document.written))
    markup = [word for word in words(text) if not _taken(seen, word)]
    fields = dict(_field(line) for line in header.splitlines() if ":" in line)
    return Reading(
        title=fields.get("title", ""),
        language=fields.get("lang", fields.get("language", "")),
        parts=(Part(tuple(document.blocks)),),
        written=document.written,
        aside=(LeftOut(Reason.MARKUP, " ".join(markup)),) if markup else (),
    )


def _taken(seen: Counter[str], word: str) -> bool:
    """Whether the word is among those that are left; one of them is taken away then."""
    seen[word] -= 1
    return seen[word] >= 0


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip().strip("\"'")
