"""English Roman numerals: of rulers, wars, chapters and centuries; "I" the pronoun and "mix" are words."""

import re
import unicodedata

from llasa_core.text.english import numbers
from llasa_core.text.rules import Readings, Rule, pairs, rule
from llasa_core.text.vocabulary import common_words

_ROMAN = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_SMALL_ROMAN = re.sub("[A-Z]", lambda match: match.group().lower(), _ROMAN)
_COUNTED = (
    "Chapter|Part|Act|Scene|Volume|Vol\\.|Book|Section|Article|Phase|Stage|Type|Class|World War|Super "
    "Bowl|Appendix|Title|Level|Grade|Figure|"
    "Table|Canto|Episode|Season|Round|Unit|Lesson|Mark|Apollo|Star Wars|Rocky|Rambo|Saturn|Final Fantasy|"
    "Sonata|Symphony|Form|Division|Schedule|"
    "Factor|Amendment|Plate|Psalm|No\\.|Number|Category|Group|Tier|Zone|War|Track|Ch\\.|Pt\\.|Part the|"
    "Verse|Olympiad|Concerto|Quartet|Opus|Stave|Letter|Chap\\.|Sec\\."
)
_RULERS = (
    "Louis|Henry|Elizabeth|Charles|George|Edward|Richard|James|William|Mary|Philip|Felipe|Francis|"
    "Frederick|Friedrich|Wilhelm|Napoleon|Nicholas|Alexander|"
    "Catherine|Peter|Ivan|Paul|John|Pius|Benedict|Leo|Gregory|Innocent|Urban|Clement|Boniface|Sixtus|"
    "Celestine|Ramesses|Ramses|Rameses|Ptolemy|Darius|"
    "Xerxes|Artaxerxes|Cyrus|Otto|Leopold|Ferdinand|Carlos|Juan|Alfonso|Alphonse|Gustav|Gustavus|"
    "Christian|Haakon|Harald|Harold|Olaf|Victoria|Margaret|"
    "Margrethe|Anne|Robert|Malcolm|David|Stephen|Rudolf|Rudolph|Maximilian|Albert|Baldwin|Constantine|"
    "Justinian|Theodosius|Mehmed|Murad|Selim|Mustafa|"
    "Ahmed|Rama|Thutmose|Tuthmosis|Amenhotep|Seti|Cleopatra|Franz Josef|Joseph|Umberto|Victor Emmanuel|"
    "Vittorio Emanuele|Sigismund|Casimir|Boris|Carol|"
    "Michael|Matthew|Thomas|Hassan|Abdullah|Mohammed|Muhammad|Faisal|Fuad|Farouk|Naruhito|Pedro|Manuel|"
    "Isabella|Isabel|Beatrix|Wilhelmina|Willem|Conrad|"
    "Lothar|Eric|Erik|Canute|Cnut|Sancho|Roger|Tancred|Guy|Amalric|Bohemond|Raymond|Theodore|Davis|"
    "Loudon|Thurston|Patrick|Edmund|Ethelred|Aethelred|"
    "Henri|Frederic|Franz|Antiochus|Mithridates|Tiglath-Pileser|Nebuchadnezzar|Childeric|Sargon"
)
_HONOURS = (
    "King|Queen|Pope|Emperor|Empress|Tsar|Tsarina|Czar|Kaiser|Prince|Princess|"
    "Sultan|Shah|Pharaoh|Duke|Count|Archduke|Patriarch|Saint"
)


ROMAN_CHARACTERS = re.compile(r"[\u2160-\u217f]+")


def plain_roman(text: str) -> str:
    """Unicode's Roman numerals as letters behind a ruler's name, as figures elsewhere."""

    def put(match: re.Match[str]) -> str:
        letters = unicodedata.normalize("NFKC", match.group()).upper()
        if not is_roman(letters) or re.search(
            rf"\b(?:{_HONOURS}|{_RULERS})(?: [A-Z]\w+)? $", text[: match.start()]
        ):
            return letters
        return str(roman(letters))

    return ROMAN_CHARACTERS.sub(put, text)


_OLD_STOP = r"(?:\.(?=[,;]?\s[a-z]|[,;]))?"
"""Older books write "Charles I., king of England"."""


def rules() -> list[Rule]:
    return [
        rule("roman number", rf"\b({_RULERS}) the ({_ROMAN})(?![\w'])", _the_nth, "IVX"),
        rule(
            "roman number",
            rf"\b({_HONOURS})((?:\s[A-Z][\w']+){{1,3}})\s({_ROMAN})(?:'s)?(?!\w){_OLD_STOP}",
            lambda m: _regnal(f"{m[1]}{m[2]}", m),
            "IVXLCDM",
        ),
        rule(
            "roman number",
            rf"\b({_RULERS})((?:\s[A-Z][a-z]\w+)?)\s({_ROMAN})('s)?(?![\w']){_OLD_STOP}",
            lambda m: _regnal(f"{m[1]}{m[2]}", m),
            "IVXLCDM",
        ),
        rule(
            "roman number",
            rf"\b((?i:{_COUNTED}|Vols?\.|Chs\.|Pts\.)(?i:s?))\s({_ROMAN})(?:\s?[-–—]\s?|\s(to|and|or|through|&)\s)"
            rf"(?!I\s[a-z])({_ROMAN})(?![\w'])",
            _several,
            "IVXLCDM",
        ),
        rule("roman number", rf"\b((?i:{_COUNTED}))(?i:s?)\s({_ROMAN})(?![\w'])", _counted, "IVXLCDM"),
        rule(
            "roman number",
            rf"\b((?i:{_COUNTED}))\s"
            f"({_SMALL_ROMAN})"
            r"(?![\w'])",
            _counted,
            "ivx",
        ),
        rule(
            "roman number",
            rf"\b({_ROMAN})(?:th|st|nd|rd)?(?=\s(?:century|centuries|Century)\b)",
            _century,
            "IVX",
        ),
        rule("roman number", r"\bWW(?:(I{1,2})\b|(?=[12\U000f0000-\U000ffffd]))", _war, "W"),
        rule("roman number", r"\b(?i:pages?|p\.|pp\.) ([ivxl]+)(?!\w)", _page, "ivxl"),
        rule("roman number", rf"(?<![\w'.-])([A-Z][a-z]\w+\s)?({_ROMAN})(?![\w'-]|\.\w)", _bare_roman, "IVX"),
    ]


def is_roman(letters: str) -> bool:
    """Whether capital letters are a well-formed Roman numeral ("VV" is none)."""
    return re.fullmatch(_ROMAN, letters) is not None


def roman(text: str) -> int:
    """The value of a Roman numeral, in either case."""
    values = [
        {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in text.upper()
    ]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


_ONLY_RULERS = frozenset("Elizabeth Pius Leo Napoleon Ramesses Ptolemy Xerxes Darius Cyrus Innocent".split())
_REIGN = r"\b(?:[Uu]nder|[Rr]eign of|order of|heir of|heir to|daughter of|son of|throne of)\s$"
_SURNAME = re.compile(r"\.\s([A-Z][\w'-]+)")
"""Behind a full stop: a name, unless it begins a sentence. "James V. Forrestal" has a letter in it."""
_FIRST_PERSON = re.compile(
    r"\s(?:am|have|think|know|do|don't|mean|believe|wish|want|feel|see|find|love|remember|cannot|can't)\b"
)
_ASIDE = re.compile(
    r",\s(?:for one|personally|too|as|like|unlike|myself|at least|alone|who|being|having|of course)\b"
)
"""Behind the pronoun: "the part I, personally, hate"."""


def _regnal(name: str, match: re.Match[str]) -> Readings:
    number = next(group for group in reversed(match.groups()) if group and re.fullmatch(_ROMAN, group))
    after = match.string[match.end() :]
    begins = not match.string[: match.start()].rstrip() or match.string[: match.start()].rstrip()[-1] in ".!?"
    ruler = (
        re.match(rf"(?!Saint|Count)(?:{_HONOURS})\b", match.group())
        or re.match(r"\s(?:of|and [A-Z]|is|has|reigns|rules|dies|marries)\b", after)
        or (begins and re.match(r"\s(?:was|had|became|died|reigned|ruled|married|succeeded)\b", after))
    )
    pronoun = not ruler or _FIRST_PERSON.match(after) or not re.search(rf"\b(?:{_RULERS})$", name)
    if (
        number == "I"
        and "'" not in match.group()
        and (_ASIDE.match(after) or (re.match(r"\s\w", after) and pronoun))
    ):
        return None  # "said George I think" has no first George
    if number in ("C", "D", "L", "M", "CD", "MD", "DC", "MC") or f"{name} {number}" == "Malcolm X":
        return None
    tail = "'s" if match.group().endswith("'s") else ""
    value = roman(number)
    following = _SURNAME.match(after)
    surname = following and following[1].lower() not in common_words()
    reign = re.search(_REIGN, match.string[: match.start()])
    letter = len(number) == 1 and surname and not ruler and not reign and name not in _ONLY_RULERS
    return [
        *([f"{name} {number}"] if letter else []),
        f"{name} the {numbers.ordinal(value)}{tail}",
        f"~{name} {numbers.ordinal(value)}{tail}",
        f"{name} {numbers.cardinal(value)}{tail}",
    ]


_NOT_A_PRONOUN = re.compile(
    r"\s(?:of|is|or|to|in|contains|covers|begins|ends|deals|describes|diabetes|errors?|"
    r"listed (?:building|church|house)s?|[A-Z][a-z]+s)\b"
)
"""Behind "Book I": what does not follow "the book I read"."""
_NEVER_A_PRONOUN = ("World War", "Super Bowl", "Star Wars", "Rocky", "Apollo", "Saturn", "Olympiad")
_OF_BOOKS = frozenset(
    "chapter ch. chap. part pt. act scene volume vol. book canto psalm section sec. letter stave".split()
)
_WHOLE = pairs("vol.|volume no.|number ch.|chapter chap.|chapter pt.|part sec.|section")
"""Labels and abbreviations in small letters."""
_LETTERED = frozenset("C D L M".split())
"""Numerals that are letters behind a label: "Grade C"."""


def _the_nth(match: re.Match[str]) -> Readings:
    """`Henry the VIII`"""
    if len(match[2]) < 2:
        return None
    return f"{match[1]} the {numbers.ordinal(roman(match[2]))}"


_BEGINS = re.compile(r"(?:^|[.!?\u2026\"'(\u201c\u2014-])\s*$")
"""Where a sentence begins."""


def is_answer(before: str, after: str) -> bool:
    """Whether "No. I" between these begins a sentence with an answer: "No. I... I don't know."."""
    return bool(_BEGINS.search(before)) and not re.match(r"\s(?:or|and|to)\s[NIVX]|[.:;)]?\s*$", after)


def is_pronoun(after: str) -> bool:
    """Whether the "I" before this is the pronoun: "the book I read", "No. I, who had none"."""
    return bool(_ASIDE.match(after) or (re.match(r"'|\s\w", after) and not _NOT_A_PRONOUN.match(after)))


def _counted(match: re.Match[str]) -> Readings:
    after = match.string[match.end() :]
    if match[2] in _LETTERED:
        return None  # "Grade C", "Appendix D"
    label = match[1].lower()
    if match[2].islower() and (
        roman(match[2]) > 200
        or match[2].upper() in _LETTERED
        or (len(match[2]) == 1 and label not in _OF_BOOKS)
        or (set(match[2]) - set("ivx") and label not in _OF_BOOKS)
    ):
        return None  # "class c", "the class mix", "number x"
    if label == "letter" and len(match[2]) == 1:
        return None
    answers = label == "no." and is_answer(match.string[: match.start()], after)
    if match[2].upper() == "I" and (
        match[2] == "i" or answers or (match[1] not in _NEVER_A_PRONOUN and is_pronoun(after))
    ):
        return None
    value = roman(match[2])
    written = match.group()[: match.start(2) - match.start()].strip()
    whole = _WHOLE.get(written.lower(), written)
    words = whole.capitalize() if written[0].isupper() and whole != written else whole
    return [f"{words} {numbers.cardinal(value)}", f"{words} the {numbers.ordinal(value)}"]


def _war(match: re.Match[str]) -> Readings:
    number = numbers.cardinal(len(match[1])) if match[1] else ""
    return [f"World War {number}", f"W W {number}"]


def _several(match: re.Match[str]) -> Readings:
    """`Parts I-III`, `Class I or II`."""
    words = {"vols.": "Volumes", "vol.": "Volume", "chs.": "Chapters", "pts.": "Parts"}.get(
        match[1].lower(), match[1]
    )
    if {match[2], match[4]} & _LETTERED:
        return None
    joined = {None: "to", "&": "and"}.get(match[3], match[3])
    return f"{words} {numbers.cardinal(roman(match[2]))} {joined} {numbers.cardinal(roman(match[4]))}"


def _century(match: re.Match[str]) -> Readings:
    return numbers.ordinal(roman(match[1])) if len(match[1]) > 1 else None


def _page(match: re.Match[str]) -> Readings:
    if not re.fullmatch(_SMALL_ROMAN, match[1]):
        return None
    words = match.group()[: match.start(1) - match.start()].strip()
    name = {"p.": "page", "pp.": "pages"}.get(words, words)
    return f"{name} {numbers.cardinal(roman(match[1]))}"


_TITLES = r"(?:Mr|Dr|Prof|Rev|Capt|Col|Gen|Sen|Gov)\."
_UNITS = frozenset("Force Fleet Corps Group Project Operation Division Mission Station".split())
_ARTICLES = frozenset("The This That An Her His My Your".split())


def _bare_roman(match: re.Match[str]) -> Readings:
    name, number = match[1] or "", match[2]
    named = name.strip() not in ("", *_ARTICLES)
    if len(number) > 3 and number[0] == "M" and 1500 <= roman(number) < 2100:
        return [f"{name}{one}" for one in numbers.years(str(roman(number)))]
    if (
        len(number) < 2
        or not set(number) <= set("IVXL")
        or (
            number in ("IV", "XL", "LI", "XXL", "XXXL", "LIV", "VI", "XI", "XX", "XXX", "LL", "LX")
            and not named
        )
    ):
        return None
    if number in ("XL", "XXL", "LI", "LV", "XX") or (
        number == "IV"
        and (
            name.strip() in ("Give", "Administer", "Start", "When", "After", "If", "With", "Without")
            or re.match(
                r"\s(?:drip|fluids?|bag|line|therapy|pole|needle|antibiotics|access|saline)",
                match.string[match.end() :],
            )
        )
    ):
        return None
    value = roman(number)
    person = re.search(
        rf"(?<!\w)(?<!the )(?<!The )(?:[A-Z][a-z]+|{_TITLES}) (?:[A-Z]\. )?$", match.string[: match.start()]
    )
    if name and person and number in ("II", "III", "IV") and name.strip() not in _UNITS:
        return [f"{name}the {numbers.ordinal(value)}", f"{name}{numbers.cardinal(value)}"]
    name = name.strip() and f"{name.strip()} "
    return [
        f"{name}{numbers.cardinal(value)}",
        f"{name}the {numbers.ordinal(value)}",
        f"{name}{' '.join(number)}",
    ]
