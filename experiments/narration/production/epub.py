"""EPUB 3 whose text is read aloud: media overlays (W3C EPUB 3.3, section 9), sentence by sentence."""

from __future__ import annotations

import hashlib
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from experiments.narration.book import join
from experiments.narration.production.captions import Sentence
from experiments.narration.production.tags import Cover

MODIFIED = "1980-01-01T00:00:00Z"
"""EPUB asks for a date of the last change. The same takes give the same file: it is the first day of ZIP."""
ACTIVE = "spoken"
"""Class of the sentence that is heard."""
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 4122
_STYLE = f"""\
body {{ margin: 5%; line-height: 1.5; }}
h1, h2 {{ line-height: 1.2; }}
p.section {{ margin-top: 2.5em; }}
.{ACTIVE} {{ background: #ffe9a8; color: #1d2129; }}
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph or a heading. section: whether a section begins with it."""

    sentences: tuple[Sentence, ...]
    heading: bool
    section: bool


@dataclass(frozen=True, slots=True)
class SpokenChapter:
    """audio: an MP3 file; the times of the sentences are seconds in it. seconds: of all of it."""

    title: str
    passages: tuple[Passage, ...]
    audio: Path
    seconds: float


def write_epub(
    path: Path,
    title: str,
    author: str,
    language: str,
    chapters: Sequence[SpokenChapter],
    cover: Cover | None,
) -> None:
    """Writes the book. Its identifier is made of its text and sound, so that the same content has the same
    one."""
    with zipfile.ZipFile(path, "w") as book:
        # It has to be the first, and not compressed.
        _add(book, "mimetype", b"application/epub+zip", stored=True)
        _add(book, "META-INF/container.xml", _CONTAINER.encode())
        _add(book, "OEBPS/style.css", _STYLE.encode())
        if cover is not None:
            _add(book, f"OEBPS/{cover.name}", cover.content, stored=True)
        identity = hashlib.sha256()
        for number, chapter in enumerate(chapters, 1):
            name = f"chapter{number:03}"
            text = _xhtml(chapter, language)
            audio = chapter.audio.read_bytes()
            identity.update(text.encode() + hashlib.sha256(audio).digest())
            _add(book, f"OEBPS/{name}.xhtml", text.encode())
            _add(book, f"OEBPS/{name}.smil", _smil(chapter, name).encode())
            _add(book, f"OEBPS/{name}.mp3", audio, stored=True)
        _add(book, "OEBPS/nav.xhtml", _nav(title, language, chapters).encode())
        urn = uuid.uuid5(_NAMESPACE, f"llasa-search:{identity.hexdigest()}").urn
        _add(book, "OEBPS/package.opf", _package(urn, title, author, language, chapters, cover).encode())


def _add(book: zipfile.ZipFile, name: str, content: bytes, *, stored: bool = False) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    book.writestr(entry, content)


_CONTAINER = """\
<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


def _page(title: str, language: str, body: str) -> str:
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" \
lang="{escape(language)}" xml:lang="{escape(language)}">
<head><title>{escape(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body id="text">
{body}
</body>
</html>
"""


def _xhtml(chapter: SpokenChapter, language: str) -> str:
    lines = []
    number = 0
    for place, passage in enumerate(chapter.passages, 1):
        text = line = ""
        for sentence in passage.sentences:
            number += 1
            joined = join([text, sentence.text]) if text else sentence.text
            space = joined[len(text) : len(joined) - len(sentence.text)]  # none between Chinese sentences
            line += f'{space}<span id="s{number}">{escape(sentence.text)}</span>'
            text = joined
        tag = "h1" if passage.heading and place == 1 else "h2" if passage.heading else "p"
        section = ' class="section"' if passage.section else ""
        lines.append(f'<{tag} id="p{place}"{section}>{line}</{tag}>')
    return _page(chapter.title, language, "\n".join(lines))


def _smil(chapter: SpokenChapter, name: str) -> str:
    """Each sentence lasts until the next one begins, so that nothing of the pauses is skipped."""
    found = [sentence for passage in chapter.passages for sentence in passage.sentences]
    begins = [0.0, *(one.begins for one in found[1:])]
    ends = [*begins[1:], chapter.seconds]
    pairs = [
        f'<par id="par{number}"><text src="{name}.xhtml#s{number}"/>'
        f'<audio src="{name}.mp3" clipBegin="{begin:.3f}s" clipEnd="{end:.3f}s"/></par>'
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True), 1)
    ]
    joined = "\n".join(pairs)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<smil xmlns="http://www.w3.org/ns/SMIL" xmlns:epub="http://www.idpf.org/2007/ops" version="3.0">
<body>
<seq id="seq1" epub:textref="{name}.xhtml#text">
{joined}
</seq>
</body>
</smil>
"""


def _nav(title: str, language: str, chapters: Sequence[SpokenChapter]) -> str:
    lines = "\n".join(
        f'<li><a href="chapter{number:03}.xhtml">{escape(chapter.title)}</a></li>'
        for number, chapter in enumerate(chapters, 1)
    )
    return _page(
        title, language, f'<nav epub:type="toc"><h1>{escape(title)}</h1>\n<ol>\n{lines}\n</ol></nav>'
    )


def _package(
    urn: str,
    title: str,
    author: str,
    language: str,
    chapters: Sequence[SpokenChapter],
    cover: Cover | None,
) -> str:
    names = [f"chapter{number:03}" for number in range(1, len(chapters) + 1)]
    creator = f"<dc:creator>{escape(author)}</dc:creator>\n" if author else ""
    durations = "\n".join(
        f'<meta property="media:duration" refines="#{name}-smil">{chapter.seconds:.3f}s</meta>'
        for name, chapter in zip(names, chapters, strict=True)
    )
    items = "\n".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml" '
        f'media-overlay="{name}-smil"/>\n'
        f'<item id="{name}-smil" href="{name}.smil" media-type="application/smil+xml"/>\n'
        f'<item id="{name}-mp3" href="{name}.mp3" media-type="audio/mpeg"/>'
        for name in names
    )
    if cover is not None:
        items += (
            f'\n<item id="cover" href="{cover.name}" media-type="{cover.mime}" properties="cover-image"/>'
        )
    spine = "\n".join(f'<itemref idref="{name}"/>' for name in names)
    total = sum(round(chapter.seconds, 3) for chapter in chapters)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" \
xml:lang="{escape(language)}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{urn}</dc:identifier>
<dc:title>{escape(title)}</dc:title>
<dc:language>{escape(language)}</dc:language>
{creator}<meta property="dcterms:modified">{MODIFIED}</meta>
<meta property="media:duration">{total:.3f}s</meta>
{durations}
<meta property="media:active-class">{ACTIVE}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{items}
</manifest>
<spine>
{spine}
</spine>
</package>
"""
