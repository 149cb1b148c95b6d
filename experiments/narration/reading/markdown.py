"""Markdown, by markdown-it: rendered to HTML, which is read like a book's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import regex
from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from experiments.narration.book import LeftOut, Reason, count_words, words
from experiments.narration.reading.blocks import Part, Reading
from experiments.narration.reading.html.markup import read_markup, without_notes
from experiments.narration.reading.pandoc import pandoc_plugin
from experiments.narration.reading.txt.plain import read_text
from experiments.narration.reading.unmarked import with_headings

_TITLE = regex.compile(r"\A%[ \t]*(\S.*(?:\n[ \t]+\S.*)*)(?:\n%.*(?:\n[ \t]+\S.*)*){0,2}(?:\n|\Z)")
"""pandoc's title, authors and date, with the title."""
MOST_CODE = 0.1
"""Share of the words that may be code by their indentation: with more, a book indents its paragraphs."""


def read_markdown(path: Path, what: str) -> Reading:
    """CommonMark with tables, strike-through, footnotes and a YAML header, whose `title` and `lang` are used.
    What pandoc adds is left out as markup.

    Raises UserError for what is no text.
    """
    text = read_text(path, what)
    titled = _TITLE.match(text)
    plain = text[titled.end() :] if titled else text
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=True).use(front_matter_plugin).use(pandoc_plugin)
    tokens = parser.parse(plain)
    indented = sum(count_words(token.content) for token in tokens if token.type == "code_block")
    if indented > MOST_CODE * count_words(plain):
        parser.disable("code")
    header = next((token.content for token in tokens if token.type == "front_matter"), "")
    html = parser.render(plain).replace("<s>", "<del>").replace("</s>", "</del>")
    document = read_markup(f"<html><body>{html}</body></html>", what)
    without_notes([("", document)])
    seen = Counter(words(document.written))
    markup = [word for word in words(text) if not _taken(seen, word)]
    fields = dict(_field(line) for line in header.splitlines() if ":" in line)
    return Reading(
        title=fields.get("title", "") or (" ".join(titled[1].split()) if titled else ""),
        language=fields.get("lang", fields.get("language", "")),
        parts=(Part(tuple(with_headings(document.blocks))),),
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
