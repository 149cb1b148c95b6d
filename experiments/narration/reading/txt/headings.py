"""Headings of plain text: by their words, by numbers that run through the file, by capitals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from experiments.narration.reading.txt.numbers import CHINESE, ROMAN, WORDS, value
from experiments.narration.reading.txt.stretches import bare

LONGEST_LINE, LONGEST_HEADING = 80, 200
"""Characters of a heading on one line, and of one that goes on over lines."""
_LONGEST_TITLE = 6
"""Words of a title that ends in a full stop."""
_NUMBERED = regex.compile(
    rf"(?P<kind>chapter|part|book|canto|act|letter|stave)\s+"
    rf"(?P<number>(?:the\s+)?(?:\d{{1,4}}|last|{WORDS}|{ROMAN}))(?!\w)(?P<rest>.*)",
    regex.IGNORECASE,
)
_UNNUMBERED = regex.compile(r"chapter\s+(?P<rest>.+)", regex.IGNORECASE)
_NAMED = regex.compile(
    rf"(?:prologue|epilogue|preface|foreword|introduction|afterword|interlude|author['’]s\s+note"
    rf"|acknowledge?ments?|appendix(?:\s+(?:[a-z]|\d{{1,2}}|{ROMAN}))?)(?!\w)(?P<rest>.*)",
    regex.IGNORECASE,
)
_CHINESE = regex.compile(
    rf"(?:正文\s*)?[【〖]?\s?(?:第\s?{CHINESE}\s?(?:[章回卷](?:\s?[^，。！？；\s]{{0,20}}|[\s：:、】〗].{{0,40}})"
    rf"|[节節部篇](?:[\s：:、】〗].{{0,40}})?)"
    rf"|(?:(?P<volume>卷\s?{CHINESE})|番外篇?\s?(?:{CHINESE})?|楔子|引子|序[章言]|前言|尾[声聲]|[后後][记記])"
    rf"(?:[\s：:、】〗].{{0,40}})?)"
)
_VOLUME = regex.compile(r"(?:part|book)\b|第[^章回节節]*[卷部篇]|卷", regex.IGNORECASE)
_BEHIND_NUMBER = regex.compile(r"\s*(?:[.:)\]|~—–]|-+(?!\w)|--+)+\s*")
_IN_WHICH = regex.compile(r"[\s.,:;—–-]*(?:in which|wherein|containing|showing how)\b", regex.IGNORECASE)
_CAPITALS = regex.compile(r"(?:[IVXLC]{1,7}\.\s+)?[\p{Lu}\p{N}][^\p{Ll}\p{Lo}]{2,}")
_ROMAN = regex.compile(ROMAN.upper())
_SMALL = frozenset("a an and as at but by de for from in into la le of on or the to with".split())
_THE_END = regex.compile(r"the end|end|finis|fin|ende|[全本]?[书書文章]?[完终終]", regex.IGNORECASE)
_ENDS = regex.compile(r"[.!?…。！？][\p{Pf}\p{Pe}\"'*_]*$")
_INNER_END = regex.compile(r"[^\s.][.!?…][\p{Pf}\p{Pe}\"']*\s+\S")
_RUN_IN = regex.compile(rf"\s*CHAPTER\s+(?:\d{{1,3}}|{ROMAN.upper()})(?:\.?\s?(?:—|--)|[.:](?=\s))")
_ALONE = regex.compile(rf"(?P<number>\d{{1,3}}|(?i:{WORDS})|{ROMAN.upper()})\.?")
_TITLED = regex.compile(
    rf"(?P<number>\d{{1,3}}|(?i:{WORDS})|{ROMAN.upper()})"
    rf"(?:\s?[.:]\s+|\s+[-–]+\s+|\s?—\s?|\s?、\s?)(?P<title>[\p{{P}}\s]*[\p{{Lu}}\p{{Lo}}\p{{N}}].*)"
)
_UNDERLINE = regex.compile(r"\s*([=\-~_*])\1{2,}\s*")
_DECORATION = " .*_#=-~[]<>|·•—–"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. chapter: whether its words say that it is the heading of a chapter."""

    text: str
    chapter: bool = False


def is_chapter(line: str) -> bool:
    """Whether the words of one line say that it is the heading of a chapter, whatever is around it."""
    plain = bare(line).strip(_DECORATION)
    if not plain or len(bare(line)) > LONGEST_LINE:
        return False
    if found := _NUMBERED.fullmatch(plain):
        return _is_title(bare(line), found["rest"])
    if found := _UNNUMBERED.fullmatch(plain):
        return not _ENDS.search(line) and _is_capitalized(found["rest"])
    if found := _NAMED.fullmatch(plain):
        rest = found["rest"]
        return not rest.strip(" .:") or (
            _BEHIND_NUMBER.match(rest) is not None and not line.endswith((".", ",", ";")) and _begins(rest)
        )
    return _CHINESE.fullmatch(plain) is not None and not bare(line).endswith(("。", "；"))


def level(line: str) -> int:
    """Of one line alone. 1: a chapter. 2: capitals, or a Roman number. 0: no heading."""
    line = bare(line)
    plain = line.strip(_DECORATION)
    if len(line) > LONGEST_LINE or not plain or _THE_END.fullmatch(plain):
        return 0
    if is_chapter(line):
        return 1
    if _ROMAN.fullmatch(plain):
        return 2
    capitals = _CAPITALS.fullmatch(plain) and regex.search(r"\p{Lu}{2}", plain)
    return 2 if capitals and not line.endswith(("!", "?", '"', "”", ",")) else 0


def headed(block: str) -> Sequence[Text]:
    """The heading of a chapter that is on the first lines of a block, and the rest; or the whole of it. A
    line that underlines the first is dropped: it has no letters."""
    lines = _without_underline([line for line in block.split("\n") if line.strip()])
    if len(lines) == 1:
        return (Text(lines[0], is_chapter(lines[0])),)
    first, rest, block = lines[0], "\n".join(lines[1:]), "\n".join(lines)
    if not is_chapter(first):
        return (Text(block),)
    title = bare(rest)
    said = _NUMBERED.match(bare(first).strip(_DECORATION))
    if title[:1].islower() and said and said["rest"].strip(_DECORATION):
        whole = bare(block)
        last = said["rest"] + " " + title
        one = len(whole) <= LONGEST_HEADING and not _INNER_END.search(_without_separator(last))
        if one and (not _ENDS.search(whole) or _IN_WHICH.match(last)):
            return (Text(block, chapter=True),)
        if run_in := _RUN_IN.match(block):
            return (Text(run_in[0], chapter=True), Text(block[run_in.end() :]))
        return (Text(block),)
    goes_on = len(lines) == 2 and len(bare(block)) <= LONGEST_LINE and not title.endswith((",", ";", ":"))
    if goes_on and (not _ENDS.search(title) or _is_capitalized(title)) and not is_chapter(title):
        return (Text(block, chapter=True),)
    return (Text(first, chapter=True), Text(rest))


def levels(texts: Sequence[Text]) -> list[int]:
    """Of all paragraphs of a file, 0 for no heading. Numbers that run through it are headings as high as
    chapters, unless there are such by their words. Where numbers run, what stands above one of them is as
    high; other capitals are below."""
    lines = [bare(one.text) for one in texts]
    found = [1 if one.chapter else min(2 * level(line), 2) for one, line in zip(texts, lines, strict=True)]
    chapters = sum(
        one.chapter and not _VOLUME.match(line.strip(_DECORATION)) and not _NAMED.match(line)
        for one, line in zip(texts, lines, strict=True)
    )
    running = [(kind, run) for kind in (_ALONE, _TITLED) for run in _runs(lines, found, kind)]
    running.sort(key=lambda one: one[1][0])
    for kind, run in running:
        height = 1 if chapters < 2 and kind is running[0][0] else 2
        for at in run:
            found[at] = height
            above = next((n for n in range(at - 1, -1, -1) if lines[n].strip(_DECORATION)), at)
            if height == 1 and found[above] == 2 and above not in run:
                found[above] = 1
    return found


def _runs(lines: Sequence[str], known: Sequence[int], kind: regex.Pattern[str]) -> Iterator[list[int]]:
    """Places of headings that are numbered 1, 2, 3 and so on, with prose between them, written in one way."""
    written: dict[str, list[tuple[int, int, str]]] = {}
    for at, line in enumerate(lines):
        match = kind.fullmatch(line.strip(" *~#=_")) if len(line) <= LONGEST_LINE else None
        if match and not match["number"].islower() and (number := value(match["number"])):
            way = (
                "figures"
                if match["number"].isdigit()
                else "Roman"
                if _ROMAN.fullmatch(match["number"])
                else "words"
            )
            written.setdefault(way, []).append((at, number, match.groupdict().get("title") or ""))
    for places in written.values():
        taken = {one[0] for one in places}
        own: list[tuple[int, str]] = []
        last = 0
        for at, number, title in places:
            prose = own and any(
                not known[n] and n not in taken and regex.search(r"\p{L}", lines[n])
                for n in range(own[-1][0] + 1, at)
            )
            if number == 1:
                yield from _if_headings(own)
                own, last = [(at, title)], 1
            elif number == last + 1 and prose:
                own.append((at, title))
                last = number
        yield from _if_headings(own)


def _if_headings(run: Sequence[tuple[int, str]]) -> Iterator[list[int]]:
    """Two or more, of which most do not end as sentences do."""
    sentences = sum(title.endswith(tuple(".!?,;:。！？，；：")) for _, title in run)
    if len(run) > 1 and 2 * sentences < len(run):
        yield [at for at, _ in run]


def _is_title(line: str, rest: str) -> bool:
    """Whether what stands behind the number of a chapter is a title, or nothing; not a sentence that goes on,
    as in "Book two rooms, please."."""
    if not rest.strip(_DECORATION + "!"):
        return True
    if _IN_WHICH.match(rest) or not any(map(str.islower, line)):
        return True
    if rest.lstrip().startswith((",", ";")):
        inner = rest.lstrip(" ,;")
        return _NUMBERED.fullmatch(inner) is not None and is_chapter(inner)
    if not _begins(rest) or line.endswith((",", ";")):
        return False
    words = rest.split()
    separated = _BEHIND_NUMBER.match(rest) is not None
    return not line.endswith(".") or (len(words) <= _LONGEST_TITLE and (separated or _is_capitalized(rest)))


def _begins(rest: str) -> bool:
    """Whether the first letter is no small one."""
    first = regex.search(r"[\p{L}\p{N}]", rest)
    return first is not None and not first[0].islower()


def _is_capitalized(title: str) -> bool:
    words = regex.findall(r"\p{L}[\p{L}'’]*", title)
    return bool(words) and all(not word[0].islower() or word in _SMALL for word in words) and _begins(title)


def _without_separator(rest: str) -> str:
    found = _BEHIND_NUMBER.match(rest)
    return rest[found.end() :] if found else rest


def _without_underline(lines: list[str]) -> list[str]:
    if len(lines) < 2 or not _UNDERLINE.fullmatch(lines[1]) or _ENDS.search(lines[0]):
        return lines
    starred = lines[1].strip().startswith("*")
    near = abs(len(lines[1].strip()) - len(lines[0].strip())) <= 2
    return [lines[0], *lines[2:]] if near or (not starred and is_chapter(lines[0])) else lines
