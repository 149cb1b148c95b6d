"""English abbreviations, titles and initials."""

import re

from llasa_core.text.english.patterns import MARKED, SAINTS, SENTENCE_BEGINS, SENTENCE_END
from llasa_core.text.rules import Readings, Rule, pairs, rule

_NUMBER = r"[\d\U000f0000-\U000ffffd]"
_TITLES = pairs(
    """
    Mr|Mister Mrs|Missus Ms|Ms Mx|Mx Messrs|Messieurs Dr|Doctor Drs|Doctors Prof|Professor Rev|Reverend
    Hon|Honorable Gen|General Col|Colonel Sgt|Sergeant Capt|Captain Lt|Lieutenant Cmdr|Commander
    Adm|Admiral Maj|Major Gov|Governor Sen|Senator Rep|Representative Pres|President Mt|Mount Ft|Fort
    Cpl|Corporal Brig|Brigadier Pfc|Private_First_Class Msgr|Monsignor Atty|Attorney Insp|Inspector
    Det|Detective Amb|Ambassador Cdr|Commander Comdr|Commander Sec|Secretary Bro|Brother Sra|Señora
    Pvt|Private Supt|Superintendent Fr|Father Mme|Madame Mlle|Mademoiselle Lieut|Lieutenant
    """
)
_FIRST_NAMES = pairs(
    "Wm|William Geo|George Thos|Thomas Chas|Charles Jas|James Robt|Robert Benj|Benjamin Saml|Samuel"
)
_MONTHS_OF_LETTERS = pairs("inst|instant ult|ultimo prox|proximo")
"""Of old letters: "yours of the 5th inst."."""
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
    ct|court pl|place ter|terrace cir|circle pkwy|parkway expy|expressway hts|heights mts|mountains
    attn|attention op|opus co|company appt|appointment
    """
)
_WITHIN = frozenset("vs cf viz esp approx".split())
"""Abbreviations that end no sentence."""
_NEEDS_CAPITAL = frozenset(
    "inc ltd corp bros hwy blvd ave rd ln sq jr sr esq est co op max min rep ct pl ter cir pkwy expy hts "
    "mts".split()
)
"""Abbreviations that follow a name ("Acme Inc."), and are words, or the end of a sentence, elsewhere."""
_INITIALISMS = {
    "e.g.": ("for example", "e g"), "i.e.": ("that is", "i e"), "a.k.a.": ("also known as", "A K A"),
    "a.m.": ("A M",), "p.m.": ("P M",), "o.k.": ("okay",), "p.s.": ("P S",), "ph.d.": ("P H D",),
    "r.i.p.": ("R I P",), "c.f.": ("compare",), "n.b.": ("N B", "note well"),
    "w.r.t.": ("with respect to",), "d.i.y.": ("D I Y",),
}  # fmt: skip
_SLANG = {"w/o": "without", "w/": "with", "b/c": "because", "c/o": "care of", "n/a": "N A", "a/c": "A C"}
_DAY_NAMES = dict(
    zip(
        "Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun".split(),
        "Monday Tuesday Tuesday Wednesday Thursday Thursday Thursday Friday Saturday Sunday".split(),
        strict=True,
    )
)
_MONTH_NAMES = dict(
    zip(
        "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec".split(),
        "January February March April June July August September September October November December".split(),
        strict=True,
    )
)
_STREETS = (
    "Main|Elm|Oak|High|Park|Church|Market|Wall|Bond|Baker|Fleet|Front|Water|Pine|Maple|Cedar|"
    "Washington|Lincoln|Jefferson|Broad|Bourbon"
)


_RATES = {"km/h": "kilometers per hour", "m/s": "meters per second"}
_CLIPPED = pairs("gov't|government int'l|international nat'l|national dep't|department ass'n|association")


def _clipped(match: re.Match[str]) -> Readings:
    words = _CLIPPED[match.group().lower()]
    return words.capitalize() if match.group()[0].isupper() else words


def _days_and_months() -> list[Rule]:
    """`Mon.-Fri.`, `Jan–Mar`, `Sun. morning`, `Thurs 4 July`."""
    mark = "[\U000f0000-\U000ffffd]"
    days, months = "|".join(_DAY_NAMES), "|".join(_MONTH_NAMES)
    names = _DAY_NAMES | _MONTH_NAMES

    def between(match: re.Match[str]) -> Readings:
        first, last = names[match[1]], names[match[2]]
        return [_ending(match, f"{first} {word} {last}") for word in ("to", "through")]

    return [
        *(
            rule("range", rf"\b({each})\b\.?\s?[-–—]\s?({each})\b\.?", between, "-–—")
            for each in (days, months)
        ),
        rule(
            "date",
            rf"\b({days})(?:\.(?=,?\s(?:morning|afternoon|evening|night|noon|at)\b)|"
            rf"(?=,?\s{mark})(?!\s{mark}\s(?:days?|hours?|weeks?|months?|years?|minutes?|times)\b))",
            lambda m: names[m[1]],
        ),
    ]


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
        *_days_and_months(),
        rule("rate", r"(?<![\w/])(?:km/h|m/s)(?![\w/^])", lambda m: _RATES[m.group()], "/"),
        rule("abbreviation", r"\b(?:[Gg]ov't|[Ii]nt'l|[Nn]at'l|[Dd]ep't|[Aa]ss'n)(?!\w)", _clipped, "'"),
        rule("abbreviation", r"\baka\b", lambda m: ("A K A", "also known as"), "k"),
        rule("abbreviation", r"(?<=[A-Za-z])\sv\.(?=\s[A-Z])", lambda m: (" versus", " v"), "."),
        rule("era", r"(?<=[\U000f0000-\U000ffffd] )(?:BCE?|AD|CE)\b", lambda m: " ".join(m.group())),
        rule("abbreviation", rf"\b({titles})\.{before_name}", lambda m: _title(m[1], british), "."),
        rule(
            "abbreviation",
            r"\b(MRS?|MS|DR|PROF|REV|CAPT|COL|GEN|SGT|LT)\.(?=\s[A-Z][A-Z'])",
            lambda m: _title(m[1].capitalize(), british),
            ".",
        ),
        rule("abbreviation", r"\b(Mme|Mlle)\.(?=\sd(?:e|u|es|'))", lambda m: _TITLES[m[1]], "M"),
        rule(
            "abbreviation",
            rf"(?<!Nat )\b({'|'.join(_FIRST_NAMES)})\.{before_name}",
            lambda m: None if SENTENCE_BEGINS.match(m.string[m.end() :]) else _FIRST_NAMES[m[1]],
            ".",
        ),
        rule(
            "abbreviation",
            rf"(?<={MARKED} )({'|'.join(_MONTHS_OF_LETTERS)})\.(?!\w)",
            lambda m: _ending(m, _MONTHS_OF_LETTERS[m[1]]),
            ".",
        ),
        rule("abbreviation", rf"\b({_BARE_TITLES}){before_name}", lambda m: _title(m[1], british)),
        rule(
            "abbreviation",
            r"\b(?:Mrs|Mr|Ms)\b\.?(?=\s?(?:&|and\b))",
            lambda m: _title(m.group().rstrip("."), british),
        ),
        rule("abbreviation", r"(?<!\w)St\b\.?(?:'s)?", _saint_or_street, "S"),
        rule("abbreviation", r"(?<!\w)Dr\b\.?(?!\w)", _doctor_or_drive, "D"),
        rule(
            "abbreviation",
            rf"(?:^|(?<=[a-z,.] ))Sr\.{before_name}",
            lambda m: ("Sister", "Señor"),
            "S",
        ),
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


def _title(title: str, british: bool) -> Readings:
    if title == "Mrs":
        return ["Missus", "Mrs", "Misses", "Mistress"]
    if title == "Hon" and british:
        return ["Honourable", "Hon"]
    return [_TITLES[title], title]


def _ending(match: re.Match[str], words: str) -> str:
    """The words, with the abbreviation's full stop where it ends the sentence too."""
    ends = match.group().endswith(".") and SENTENCE_END.match(match.string[match.end() :])
    return f"{words}." if ends else words


def _always(match: re.Match[str]) -> Readings:
    short = match[1].lower()
    before = match.string[: match.start()]
    if short in _NEEDS_CAPITAL and not re.search(r"(?:[A-Z\U000f0000-\U000ffffd][\w'&.]*,?|&)\s$", before):
        return None
    if (
        short in ("co", "op", "temp", "min", "max", "para", "est", "sq", "ext", "co", "orig")
        and match[1][0].islower()
        and SENTENCE_END.match(match.string[match.end() :])
    ):
        return None
    if short in ("max", "min") and match[1][0].isupper():
        return None  # a name
    if match[1] in ("EST", "CT", "CO", "PL"):
        return None  # a time zone, a state
    words = _ALWAYS[short]
    words = words.capitalize() if match[1][0].isupper() else words
    if re.match(r"\s(?:Ltd|Inc|LLC|Corp)\b", match.string[match.end() :]):
        return [words, match[1]]
    if short in _WITHIN:
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
    if re.match(rf"\s(?:{SAINTS})\b", after) and re.search(rf"(?:^|{MARKED}\s)$", before):
        return ["Saint", "St"]
    if re.match(r"\s(?:John|Clair|Clare)\b", after) and re.search(rf"{MARKED}\s[A-Z][a-z]+\s$", before):
        return ["Saint", "St"]  # "Mr. Neville St. Clair"
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
    stop = "." if written.endswith(".") and SENTENCE_END.match(match.string[match.end() :]) else ""
    for ending in (plain, f"{plain}."):
        if ending in _INITIALISMS:
            # The stop of "p.m." may end a sentence, those of the others only a text.
            after = match.string[match.end() :]
            last = not after.strip("\"') ") or (ending == "o.k." and SENTENCE_BEGINS.match(after))
            stop = stop if ending in ("a.m.", "p.m.") or (last and ending not in ("e.g.", "i.e.")) else ""
            return [one + stop for one in _INITIALISMS[ending]]
    tail = re.search(r"'?s$", written)
    letters = [c for c in (written[: tail.start()] if tail else written) if c.isalpha()]
    if len(letters) < 2 or (tail and len(letters) < 2):
        return None
    after = match.string[match.end() :]
    end = re.match(r"\s*[\"')]*\s*$", after) or SENTENCE_BEGINS.match(after)
    return [
        " ".join(c.upper() for c in letters) + (tail.group() if tail else "") + ("." if stop and end else "")
    ]
