"""English abbreviations, titles, initials and Roman numerals."""

import re
import unicodedata

from llasa_core.text.english import numbers
from llasa_core.text.rules import Readings, Rule, pairs, rule

_NUMBER = r"[\d\U000f0000-\U000ffffd]"
_TITLES = pairs(
    """
    Mr|Mister Mrs|Missus Ms|Ms Mx|Mx Messrs|Messieurs Dr|Doctor Drs|Doctors Prof|Professor Rev|Reverend
    Hon|Honorable Gen|General Col|Colonel Sgt|Sergeant Capt|Captain Lt|Lieutenant Cmdr|Commander
    Adm|Admiral Maj|Major Gov|Governor Sen|Senator Rep|Representative Pres|President Mt|Mount Ft|Fort
    Cpl|Corporal Pvt|Private Supt|Superintendent Fr|Father Mme|Madame Mlle|Mademoiselle
    """
)
_BARE_TITLES = "Mr|Mrs|Ms|Mx|Dr|Prof|Rev|Capt|Sgt|Lt|Messrs"
"""British style writes them without a full stop."""
_ALWAYS = pairs(
    """
    etc|et_cetera vs|versus approx|approximately dept|department govt|government est|established
    inc|incorporated ltd|limited corp|corporation bros|brothers esp|especially cf|compare viz|namely
    max|maximum min|minimum misc|miscellaneous tel|telephone ext|extension avg|average temp|temperature
    hwy|highway blvd|boulevard ave|avenue rd|road ln|lane sq|square jr|junior sr|senior esq|esquire
    assn|association dist|district asst|assistant mgr|manager univ|university yrs|years hrs|hours
    mins|minutes lbs|pounds intl|international orig|original para|paragraph pron|pronounced acct|account
    attn|attention op|opus co|company appt|appointment
    """
)
_NEEDS_CAPITAL = frozenset("inc ltd corp bros hwy blvd ave rd ln sq jr sr esq est co op max min rep".split())
"""Abbreviations that follow a name ("Acme Inc."), and are words, or the end of a sentence, elsewhere."""
_INITIALISMS = {
    "e.g.": ("for example", "e g"), "i.e.": ("that is", "i e"), "a.k.a.": ("also known as", "A K A"),
    "a.m.": ("A M",), "p.m.": ("P M",), "o.k.": ("okay",), "p.s.": ("P S",), "ph.d.": ("P H D",),
    "r.i.p.": ("R I P",), "c.f.": ("compare",), "n.b.": ("N B", "note well"),
    "w.r.t.": ("with respect to",), "d.i.y.": ("D I Y",),
}  # fmt: skip
_SLANG = {"w/o": "without", "w/": "with", "b/c": "because", "c/o": "care of", "n/a": "N A", "a/c": "A C"}
_ROMAN = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_SMALL_ROMAN = re.sub("[A-Z]", lambda match: match.group().lower(), _ROMAN)
_COUNTED = (
    "Chapter|Part|Act|Scene|Volume|Vol\\.|Book|Section|Article|Phase|Stage|Type|Class|World War|Super "
    "Bowl|Appendix|Title|Level|Grade|Figure|"
    "Table|Canto|Episode|Season|Round|Unit|Lesson|Mark|Apollo|Star Wars|Rocky|Rambo|Saturn|Final Fantasy|"
    "Sonata|Symphony|Form|Division|Schedule|"
    "Factor|Amendment|Plate|Psalm|No\\.|Number|Category|Group|Tier|Zone|War|Track|Ch\\.|Pt\\.|Part the|"
    "Verse|Olympiad|Concerto|Quartet|Opus"
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
    "Loudon|Thurston|Patrick|Edmund|Ethelred|Aethelred"
)
_HONOURS = (
    "King|Queen|Pope|Emperor|Empress|Tsar|Tsarina|Czar|Kaiser|Prince|Princess|"
    "Sultan|Shah|Pharaoh|Duke|Count|Archduke|Patriarch|Saint"
)
_STREETS = (
    "Main|Elm|Oak|High|Park|Church|Market|Wall|Bond|Baker|Fleet|Front|Water|Pine|Maple|Cedar|"
    "Washington|Lincoln|Jefferson|Broad|Bourbon"
)
_SENTENCE_END = re.compile(r"\s*[\"')]*\s*(?:$|[A-Z\"'])")


ROMAN_CHARACTERS = re.compile(r"[\u2160-\u217f]+")


def plain_roman(text: str) -> str:
    """Unicode's Roman numerals as letters behind a ruler's name, as figures elsewhere."""

    def put(match: re.Match[str]) -> str:
        letters = unicodedata.normalize("NFKC", match.group()).upper()
        if not re.fullmatch(_ROMAN, letters) or re.search(
            rf"\b(?:{_HONOURS}|{_RULERS})(?: [A-Z]\w+)? $", text[: match.start()]
        ):
            return letters
        return str(roman(letters))

    return ROMAN_CHARACTERS.sub(put, text)


def rules(british: bool) -> list[Rule]:
    before_name = r"(?=\s(?:[A-Z]|\U000f0000))"
    titles = "|".join(sorted(_TITLES, key=len, reverse=True))
    always = "|".join(sorted(_ALWAYS, key=len, reverse=True))
    return [
        rule(
            "slang",
            r"(?<![\w/])(?:[wW]/o|[wW]/(?=\s?\w)|b/c|c/o|[nN]/[aA]|[aA]/[cC])(?![\w/])|(?<![\w/])w/"
            r"(?=\s?[a-z\U000f0000-\U000ffffd])",
            lambda m: [_SLANG[m.group().lower()] + (" " if m.group()[-1] == "/" else "")],
            "/",
        ),
        rule(
            "roman number",
            rf"\b({_HONOURS})((?:\s[A-Z][\w']+){{1,3}})\s({_ROMAN})(?:'s)?(?!\w)",
            lambda m: _regnal(f"{m[1]}{m[2]}", m),
            "IVXLCDM",
        ),
        rule(
            "roman number",
            rf"\b({_RULERS})((?:\s[A-Z][a-z]\w+)?)\s({_ROMAN})('s)?(?![\w'])",
            lambda m: _regnal(f"{m[1]}{m[2]}", m),
            "IVXLCDM",
        ),
        rule("roman number", rf"\b({_COUNTED})(?i:s?)\s({_ROMAN})(?![\w'])", _counted, "IVXLCDM"),
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
        rule("roman number", r"\bWW(I{1,2})\b", lambda m: f"World War {numbers.cardinal(len(m[1]))}", "W"),
        rule("roman number", r"\b(?i:pages?|p\.|pp\.) ([ivxl]+)(?!\w)", _page, "ivxl"),
        rule("roman number", rf"(?<![\w'.-])([A-Z][a-z]\w+\s)?({_ROMAN})(?![\w'-]|\.\w)", _bare_roman, "IVX"),
        rule("era", r"(?<=[\U000f0000-\U000ffffd] )(?:BCE?|AD|CE)\b", lambda m: " ".join(m.group())),
        rule("abbreviation", rf"\b({titles})\.{before_name}", lambda m: _title(m[1], british), "."),
        rule("abbreviation", rf"\b({_BARE_TITLES}){before_name}", lambda m: _title(m[1], british)),
        rule(
            "abbreviation",
            r"\b(?:Mrs|Mr|Ms)\b\.?(?=\s?(?:&|and\b))",
            lambda m: _title(m.group().rstrip("."), british),
        ),
        rule("abbreviation", r"(?<!\w)St\b\.?(?:'s)?", _saint_or_street, "S"),
        rule("abbreviation", r"(?<!\w)Dr\b\.?(?!\w)", _doctor_or_drive, "D"),
        rule("abbreviation", r"\b(?:Mount|Mt)\.(?=\s[A-Z])", lambda m: "Mount", "M"),
        rule("abbreviation", rf"\b({always})\.(?!\w)", _always, ".", re.IGNORECASE),
        rule("abbreviation", r"(?<![\w/.])(?:vs|etc|approx)\b(?![./])", lambda m: _ALWAYS[m.group()]),
        rule("abbreviation", r"(?<![\w.])&c\b\.?", lambda m: _ending(m, "et cetera"), "&"),
        rule(
            "initials", r"(?<![\w.])(?:Ph\.\s?D|[A-Za-z](?:\.[A-Za-z])+)\b\.?(?:'?s\b)?(?!\w)", _initials, "."
        ),
        rule(
            "abbreviation",
            r"(?<![\w'])(?:Ph\.?D|PhD)(?:\.(?=\s|$))?(s?)\b",
            lambda m: "P H D" + ("s" if m[1] else ""),
            "P",
        ),
    ]


def roman(text: str) -> int:
    """The value of a Roman numeral, in either case."""
    values = [
        {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in text.upper()
    ]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _title(title: str, british: bool) -> Readings:
    if title == "Mrs":
        return ["Missus", "Mrs", "Misses", "Mistress"]
    if title == "Hon" and british:
        return ["Honourable", "Hon"]
    return [_TITLES[title], title]


def _ending(match: re.Match[str], words: str) -> str:
    """The words, with the abbreviation's full stop where it ends the sentence too."""
    ends = match.group().endswith(".") and _SENTENCE_END.match(match.string[match.end() :])
    return f"{words}." if ends else words


def _always(match: re.Match[str]) -> Readings:
    short = match[1].lower()
    before = match.string[: match.start()]
    if short in _NEEDS_CAPITAL and not re.search(r"(?:[A-Z\U000f0000-\U000ffffd][\w'&.]*,?|&)\s$", before):
        return None
    if (
        short in ("co", "op", "temp", "min", "max", "para", "est", "sq", "ext", "co", "orig")
        and match[1][0].islower()
        and _SENTENCE_END.match(match.string[match.end() :])
    ):
        return None
    if short in ("max", "min") and match[1][0].isupper():
        return None  # a name
    words = _ALWAYS[short]
    words = words.capitalize() if match[1][0].isupper() else words
    if re.match(r"\s(?:Ltd|Inc|LLC|Corp)\b", match.string[match.end() :]):
        return [words, match[1]]
    return [_ending(match, words), _ending(match, match[1])]


def _doctor_or_drive(match: re.Match[str]) -> Readings:
    """ "Dr. and Mrs. Hall", but "12 Elm Dr.\""""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if re.match(r"\s(?:and|&) (?:Mrs?|Ms|Dr|Prof)\b", after):
        return ["Doctor", "Dr"]
    if re.search(r"(?:[A-Z][a-z]+|[\U000f0000-\U000ffffd])\s$", before):
        return [_ending(match, "Drive"), _ending(match, "Doctor")]
    return [_ending(match, "Doctor"), _ending(match, "Dr")] if match.group().endswith(".") or after else None


def _saint_or_street(match: re.Match[str]) -> Readings:
    before, after = match.string[: match.start()], match.string[match.end() :]
    named = re.match(r"\s[A-Z]", after)
    street = re.search(
        rf"(?:\d[\w\U000f0000-\U000ffffd]*|[\U000f0000-\U000ffffd]|\b(?:{_STREETS}))(?:\s[A-Z][\w'.]*)*\s$",
        before,
    ) or (re.search(r"(?<![.!?]\s)\b[A-Z][\w']*\s(?<!The )(?<!In )(?<!At )$", before) and not named)
    street = street or (
        re.search(r"(?:Saint|[\U000f0000-\U000ffffd]) [A-Z][a-z]+(?:'s)? $", before) and not named
    )
    if match.group().endswith("'s"):
        return None
    if street:
        return [_ending(match, "Street"), _ending(match, "St")]
    if named:
        return ["Saint", "St"]
    return (
        None
        if not match.group().endswith(".")
        else [_ending(match, "Street"), "Saint"]
        if re.search(r"[a-z]\s$", before)
        else None
    )


def _initials(match: re.Match[str]) -> Readings:
    written = match.group()
    plain = written.lower().replace(" ", "")
    stop = "." if written.endswith(".") and _SENTENCE_END.match(match.string[match.end() :]) else ""
    for ending in (plain, f"{plain}."):
        if ending in _INITIALISMS:
            # The stop of "p.m." may end a sentence, those of the others only a text.
            last = not match.string[match.end() :].strip("\"') ")
            stop = stop if ending in ("a.m.", "p.m.") or (last and ending not in ("e.g.", "i.e.")) else ""
            return [one + stop for one in _INITIALISMS[ending]]
    tail = re.search(r"'?s$", written)
    letters = [c for c in (written[: tail.start()] if tail else written) if c.isalpha()]
    if len(letters) < 2 or (tail and len(letters) < 2):
        return None
    end = re.match(r"\s*[\"')]*\s*$", match.string[match.end() :])
    return [
        " ".join(c.upper() for c in letters) + (tail.group() if tail else "") + ("." if stop and end else "")
    ]


def _regnal(name: str, match: re.Match[str]) -> Readings:
    number = next(group for group in reversed(match.groups()) if group and re.fullmatch(_ROMAN, group))
    after = match.string[match.end() :]
    ruler = re.match(rf"(?:{_HONOURS})\b", match.group()) or re.match(r"\s(?:of|and [A-Z])", after)
    if number == "I" and re.match(r"\s\w", after) and not ruler:
        return None  # "said George I think" has no first George
    if number in ("C", "D", "L", "M", "CD", "MD", "DC", "MC") or f"{name} {number}" == "Malcolm X":
        return None
    tail = "'s" if match.group().endswith("'s") else ""
    value = roman(number)
    return [
        f"{name} the {numbers.ordinal(value)}{tail}",
        f"~{name} {numbers.ordinal(value)}{tail}",
        f"{name} {numbers.cardinal(value)}{tail}",
    ]


_NOT_A_PRONOUN = re.compile(r"\s(?:of|is|or|to|in|diabetes|errors?|[A-Z][a-z]+s)\b")
"""Behind "World War I": what does not follow "the book I read"."""


def _counted(match: re.Match[str]) -> Readings:
    after = match.string[match.end() :]
    if match[2].upper() == "I" and (
        match[2] == "i" or (re.match(r"\s\w", after) and not _NOT_A_PRONOUN.match(after))
    ):
        return None
    value = roman(match[2])
    written = match.group()[: match.start(2) - match.start()].strip()
    words = {"Vol.": "Volume", "No.": "Number", "Ch.": "Chapter", "Pt.": "Part"}.get(written, written)
    return [f"{words} {numbers.cardinal(value)}", f"{words} the {numbers.ordinal(value)}"]


def _century(match: re.Match[str]) -> Readings:
    return numbers.ordinal(roman(match[1])) if len(match[1]) > 1 else None


def _page(match: re.Match[str]) -> Readings:
    if not re.fullmatch(_SMALL_ROMAN, match[1]):
        return None
    words = match.group()[: match.start(1) - match.start()].strip()
    name = {"p.": "page", "pp.": "pages"}.get(words, words)
    return f"{name} {numbers.cardinal(roman(match[1]))}"


def _bare_roman(match: re.Match[str]) -> Readings:
    name, number = match[1] or "", match[2]
    if len(number) > 3 and number[0] == "M" and 1500 <= roman(number) < 2100:
        return [f"{name}{one}" for one in numbers.years(str(roman(number)))]
    if (
        len(number) < 2
        or not set(number) <= set("IVXL")
        or (
            number in ("IV", "XL", "LI", "XXL", "XXXL", "LIV", "VI", "XI", "XX", "XXX", "LL", "LX")
            and not name
        )
    ):
        return None
    if number in ("XL", "XXL", "LI", "LV", "XX") or (
        number == "IV"
        and re.match(
            r"\s(?:drip|fluids?|bag|line|therapy|pole|needle|antibiotics)", match.string[match.end() :]
        )
    ):
        return None
    value = roman(number)
    person = re.search(r"(?<!\w)(?<!the )(?<!The )[A-Z][a-z]+ (?:[A-Z]\. )?$", match.string[: match.start()])
    if name and person and number in ("II", "III", "IV"):
        return [f"{name}the {numbers.ordinal(value)}", f"{name}{numbers.cardinal(value)}"]
    name = name.strip() and f"{name.strip()} "
    return [
        f"{name}{numbers.cardinal(value)}",
        f"{name}the {numbers.ordinal(value)}",
        f"{name}{' '.join(number)}",
    ]
