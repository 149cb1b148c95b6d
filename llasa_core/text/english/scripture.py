"""Chapters and verses: `1 Cor. 13:4` is First Corinthians thirteen four."""

import re

from llasa_core.text.english import numbers
from llasa_core.text.rules import Readings, Rule, pairs, rule

_BOOKS = pairs(
    """
    Genesis| Gen|Genesis Exodus| Exod|Exodus Ex|Exodus Leviticus| Lev|Leviticus Numbers| Num|Numbers
    Deuteronomy| Deut|Deuteronomy Joshua| Josh|Joshua Judges| Judg|Judges Ruth| Samuel| Sam|Samuel Kings|
    Kgs|Kings Chronicles| Chron|Chronicles Chr|Chronicles Ezra| Nehemiah| Neh|Nehemiah Esther| Job|
    Psalms| Psalm| Pss|Psalms Ps|Psalm Proverbs| Prov|Proverbs Ecclesiastes| Eccl|Ecclesiastes Isaiah|
    Isa|Isaiah Jeremiah| Jer|Jeremiah Lamentations| Lam|Lamentations Ezekiel| Ezek|Ezekiel Daniel|
    Dan|Daniel Hosea| Hos|Hosea Joel| Amos| Obadiah| Jonah| Micah| Mic|Micah Nahum| Habakkuk| Hab|Habakkuk
    Zephaniah| Zeph|Zephaniah Haggai| Zechariah| Zech|Zechariah Malachi| Mal|Malachi Matthew|
    Matt|Matthew Mt|Matthew Mark| Mk|Mark Luke| Lk|Luke John| Jn|John Acts| Romans| Rom|Romans
    Corinthians| Cor|Corinthians Galatians| Gal|Galatians Ephesians| Eph|Ephesians Philippians|
    Phil|Philippians Colossians| Col|Colossians Thessalonians| Thess|Thessalonians Timothy| Tim|Timothy
    Titus| Philemon| Hebrews| Heb|Hebrews James| Jas|James Peter| Pet|Peter Jude| Revelation| Rev|Revelation
    Koran| Quran| Qur'an| Sura| Surah|
    """
)
_NUMBERED = "Samuel|Kings|Chronicles|Corinthians|Thessalonians|Timothy|Peter|John|Maccabees|Esdras"
_NTH = {"1": ("First", "one"), "2": ("Second", "two"), "3": ("Third", "three")}


def rules() -> list[Rule]:
    books = "|".join(sorted(_BOOKS, key=len, reverse=True))
    return [
        rule(
            "verse",
            rf"(?<![\w.,:])(?:(?P<nth>[123])\s)?\b(?P<book>{books})\b\.?\s(?P<chapter>\d{{1,3}}):(?P<verse>\d{{1,3}})"
            r"(?:[-–](?P<last>\d{1,3}))?(?![\w:]|\.\d)",
            _verse,
            ":",
        ),
        rule(
            "verse",
            rf"(?<![\w.,:])([123])\s({_NUMBERED})\b(?=\s(?:\d|[ivxlc]+\b))",
            lambda m: [f"{nth} {m[2]}" for nth in _NTH[m[1]]],
            "123",
        ),
    ]


def _verse(match: re.Match[str]) -> Readings:
    book = _BOOKS[match["book"]] or match["book"]
    chapter, verse = (numbers.cardinal(int(match[part])) for part in ("chapter", "verse"))
    last = f" to {numbers.cardinal(int(match['last']))}" if match["last"] else ""
    verses = "verses" if last else "verse"
    return [
        f"{nth}{book} {one}{last}"
        for nth in ([f"{each} " for each in _NTH[match["nth"]]] if match["nth"] else [""])
        for one in (
            f"{chapter} {verse}",
            f"{chapter} {verses} {verse}",
            f"chapter {chapter} {verses} {verse}",
        )
    ]
