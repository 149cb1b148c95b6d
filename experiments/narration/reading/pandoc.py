"""What pandoc and Markua add to Markdown: attributes, divisions, lines of TeX and directives. All of it is
markup; what it stands around is kept."""

from __future__ import annotations

import regex
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

_ATTRIBUTES = (
    r"\{(?:\s*+(?:[#.][\w:.-]++|-|[\w:-]++=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s{}\"']++))(?=[\s}]))++\s*+\}"
)
"""{#name .class key=value}"""
_INLINE = regex.compile(_ATTRIBUTES)
_TRAILING = regex.compile(rf"(?:^|(?<=\S))[ \t]*{_ATTRIBUTES}[ \t]*$")
_LINE = regex.compile(
    rf":{{3,}}[ \t]*(?:{_ATTRIBUTES}|[\w-]+)?[ \t]*:*"
    r"|\\[A-Za-z]+\*?(?:\[[^\]]*\]|\{[^{}]*\})*"
    r"|\{(?:frontmatter|mainmatter|backmatter|pagebreak)\}"
)
"""A line that is the begin or the end of a division, TeX, or a directive."""
_BEHIND = ("link_close", "image", "code_inline", "span_close")


def pandoc_plugin(parser: MarkdownIt) -> None:
    """Reads such markup, of which nothing comes into the HTML."""
    parser.block.ruler.before("fence", "pandoc_line", _line, {"alt": ["paragraph", "blockquote", "list"]})
    parser.core.ruler.after("block", "pandoc_heading", _headings)
    parser.inline.ruler.after("link", "pandoc_span", _span)
    parser.inline.ruler.push("pandoc_attributes", _attributes)


def _line(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    if not _LINE.fullmatch(
        state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].rstrip()
    ):
        return False
    if not silent:
        state.line = start + 1
    return True


def _headings(state: StateCore) -> None:
    for before, token in zip(state.tokens, state.tokens[1:], strict=False):
        if before.type == "heading_open":
            token.content = _TRAILING.sub("", token.content)


def _span(state: StateInline, silent: bool) -> bool:
    """[text]{.class}"""
    if state.src[state.pos] != "[" or state.src[state.pos : state.pos + 2] == "[^":
        return False
    end = state.md.helpers.parseLinkLabel(state, state.pos, False)
    found = _INLINE.match(state.src, end + 1, state.posMax) if end >= 0 else None
    if found is None:
        return False
    if not silent:
        most, state.posMax, state.pos = state.posMax, end, state.pos + 1
        state.push("span_open", "span", 1)
        state.md.inline.tokenize(state)
        state.push("span_close", "span", -1)
        state.posMax = most
    state.pos = found.end()
    return True


def _attributes(state: StateInline, silent: bool) -> bool:
    """Behind a link, a picture or code."""
    if (
        state.src[state.pos] != "{"
        or state.pending
        or not state.tokens
        or state.tokens[-1].type not in _BEHIND
    ):
        return False
    found = _INLINE.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    state.pos = found.end()
    return True
