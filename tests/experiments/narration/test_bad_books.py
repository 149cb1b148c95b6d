"""Bad books: one line that names the cause and the cure, before any model."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from experiments.narration.reading.archive import Archive
from experiments.narration.reading.book import read_book
from llasa_core.errors import UserError
from tests.experiments.narration.books import DATA, write_epub

ENCRYPTED = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{way}"/></EncryptedData>
</encryption>"""
PAGES = {"a.xhtml": "<h1>One</h1><p>It rained.</p>"}


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_book(path)
    line = str(error.value)
    assert "\n" not in line
    assert path.name in line
    return line


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.epub", b"%PDF-1.7 a picture", "is a PDF"),
        ("a.txt", b"%PDF-1.7", "is a PDF"),
        ("a.epub", b"not a zip file at all", "no epub at all"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Word file, or a .docx with a password"),
        ("a.docx", b"PK\x03\x04 cut off", "damaged"),
        ("a.txt", b"", "empty"),
        ("a.txt", b"  \n\n ", "no words"),
        ("a.md", "Das ist für Müller.".encode("latin-1"), "iconv -f WINDOWS-1252"),
        ("a.txt", b"a\0b\0c\0 binary \xff", "no text file"),
        ("a.txt", "It was â€œgoodâ€\x9d. Donâ€™t. cafÃ©".encode(), "wrong encoding"),
        ("a.txt", ("word " * 200_000).encode(), "without the end of a sentence"),
        ("a.mobi", b"BOOKMOBI", "which is not read"),
    ],
)
def test_files(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert says in refused(tmp_path / name)


def test_encrypted(tmp_path: Path) -> None:
    locked = ENCRYPTED.format(way="http://www.w3.org/2001/04/xmlenc#aes256-cbc")
    path = write_epub(tmp_path / "a.epub", PAGES, {"META-INF/encryption.xml": locked})
    assert "encrypted (DRM)" in refused(path)
    fonts = ENCRYPTED.format(way="http://www.idpf.org/2008/embedding")
    read_book(write_epub(tmp_path / "b.epub", PAGES, {"META-INF/encryption.xml": fonts}))


def test_pictures_alone(tmp_path: Path) -> None:
    path = write_epub(tmp_path / "a.epub", {"a.xhtml": '<p><img src="1.png" alt="page one"/></p>'})
    assert "pictures alone (1)" in refused(path)


def test_entities_of_its_own(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><html><body><p>&b;</p></body></html>'
    path = write_epub(tmp_path / "a.epub", PAGES, {})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bomb if name.endswith("a.xhtml") else content)
    assert "entities of its own" in refused(path)


def test_zip_bomb(tmp_path: Path) -> None:
    path = write_epub(tmp_path / "a.epub", PAGES, {"OEBPS/big.xhtml": b"\0" * 50_000_000})
    assert "no book but a trap" in refused(path)
    with zipfile.ZipFile(DATA / "trial.docx") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, "word/big.xml": b" " * 50_000_000}.items():
            archive.writestr(name, content)
    assert "no book but a trap" in refused(tmp_path / "b.docx")


@pytest.mark.parametrize("at", [40, 400, 4000, 8000])
def test_a_book_that_was_cut_or_changed_is_refused_or_read(tmp_path: Path, at: int) -> None:
    for name in ("trial.epub", "trial.docx"):
        content = (DATA / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-at])
        refused(tmp_path / name)
        (tmp_path / name).write_bytes(content[:at] + bytes(64) + content[at + 64 :])
        try:
            read_book(tmp_path / name)
        except UserError as error:
            assert "\n" not in str(error)


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    path = write_epub(tmp_path / "a.epub", PAGES)
    with Archive(path, "BOOK") as archive, pytest.raises(UserError, match=r"has no nothing\.xhtml"):
        archive.read("nothing.xhtml")


def test_deep_nesting(tmp_path: Path) -> None:
    refused(write_epub(tmp_path / "a.epub", {"a.xhtml": "<div>" * 240 + "x" + "</div>" * 240}))
