"""English places: states behind a city, compass points of a street."""

import re

from llasa_core.text.english.patterns import MARKED, SENTENCE_BEGINS
from llasa_core.text.rules import Readings, Rule, pairs, rule

STATES = pairs(
    """
    AL|Alabama AK|Alaska AZ|Arizona AR|Arkansas CA|California CO|Colorado CT|Connecticut DE|Delaware
    FL|Florida GA|Georgia HI|Hawaii ID|Idaho IL|Illinois IN|Indiana IA|Iowa KS|Kansas KY|Kentucky
    LA|Louisiana ME|Maine MD|Maryland MA|Massachusetts MI|Michigan MN|Minnesota MS|Mississippi
    MO|Missouri MT|Montana NE|Nebraska NV|Nevada NH|New_Hampshire NJ|New_Jersey NM|New_Mexico NY|New_York
    NC|North_Carolina ND|North_Dakota OH|Ohio OK|Oklahoma OR|Oregon PA|Pennsylvania RI|Rhode_Island
    SC|South_Carolina SD|South_Dakota TN|Tennessee TX|Texas UT|Utah VT|Vermont VA|Virginia WA|Washington
    WV|West_Virginia WI|Wisconsin WY|Wyoming DC|D_C
    """
)
_OTHERS_TOO = frozenset("OK OR IN ME HI OH MD ID MA PA AL DE LA CO MS MT NE".split())
"""Codes that stand behind a name for something else as well: "John Smith, MD\"."""
_SHORT = pairs(
    """
    Ala|Alabama Ariz|Arizona Ark|Arkansas Calif|California Colo|Colorado Conn|Connecticut Del|Delaware
    Ct|Connecticut Fla|Florida Ga|Georgia Ill|Illinois Ind|Indiana Kan|Kansas Ky|Kentucky La|Louisiana
    Md|Maryland Mass|Massachusetts Mich|Michigan Minn|Minnesota Miss|Mississippi Mo|Missouri Mont|Montana
    Neb|Nebraska Nev|Nevada N.H|New_Hampshire N.J|New_Jersey N.M|New_Mexico N.Y|New_York
    N.C|North_Carolina N.D|North_Dakota Okla|Oklahoma Ore|Oregon Pa|Pennsylvania Penn|Pennsylvania
    R.I|Rhode_Island S.C|South_Carolina S.D|South_Dakota Tenn|Tennessee Tex|Texas Va|Virginia Vt|Vermont
    Wash|Washington W.Va|West_Virginia Wis|Wisconsin Wyo|Wyoming Ont|Ontario Que|Quebec B.C|British_Columbia
    """
)
_NAMES_TOO = frozenset("Miss Pa Tex Del Wash Mo Penn Mass Ct".split())
"""Short forms that are also forms of address, names, or words: "Yes, Miss.", "On Christmas, Mass."."""
_FIRST_NAMES = frozenset("Robert John James William George Thomas Harry Charles Mary Martin".split())
_POINTS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_STREET = (
    r"(?:St|Ave|Blvd|Rd|Dr|Ln|Ct|Pl|Hwy|Pkwy|Street|Avenue|Boulevard|Road|Drive|Lane|Court|Place|Parkway|"
    r"Highway|Broadway)\b"
)


def rules() -> list[Rule]:
    city = r"(?<=[a-z],\s)(?<!\bthe,\s)"
    return [
        rule("abbreviation", rf"{city}({'|'.join(STATES)})(?![\w.-])", _state, ","),
        rule(
            "abbreviation",
            rf"(?:{city}|(?<=\b[DRI]-))({'|'.join(map(re.escape, _SHORT))})\.(?!\w)",
            _short_state,
            ".",
        ),
        rule(
            "abbreviation",
            rf"(?<![A-Z]\.)\b([NSEW])\.?(?=\s(?:(?:[A-Z][a-z]+|{MARKED})\s){{1,2}}{_STREET}|\s{MARKED}\s{_STREET})",
            _point,
            "NSEW",
        ),
    ]


def _point(match: re.Match[str]) -> Readings:
    """`30 S. Oak Ave.`; in "Robert E. Lee Boulevard" and "the U S Supreme Court" it is an initial."""
    before = re.search(r"(^|[.!?]\s)?\b([A-Z][\w']*)\.?\s$", match.string[: match.start()])
    if before and before[1] is None and not before[2].endswith("'s"):
        return None
    if before and (len(before[2]) == 1 or before[2] in _FIRST_NAMES):
        return None
    return _POINTS[match[1]], match[1]


def _state(match: re.Match[str]) -> Readings:
    if not re.search(r"\b[A-Z][a-z]+,\s$", match.string[: match.start()]):
        return None
    letters, name = match[1], STATES[match[1]]
    return [letters, name] if letters in _OTHERS_TOO else [name, " ".join(letters), letters]


def _short_state(match: re.Match[str]) -> Readings:
    if not re.search(r"(?:\b[A-Z][a-z]+,\s|\b[DRI]-)$", match.string[: match.start()]):
        return None
    short, name = match[1], _SHORT[match[1]]
    after = match.string[match.end() :]
    party = match.string[: match.start()].endswith("-")
    if (
        short in _NAMES_TOO
        and not party
        and not (
            re.match(rf"(?:,|\s{MARKED}|\s?[(:;\u2013\u2014-]|\s(?!was\s|were\s)[a-z])", after)
            or re.search(
                rf"(?:\b[a-z]+|{MARKED})[,;]?\s(?:[A-Z][a-z]+\s)?[A-Z][a-z]+,\s$",
                match.string[: match.start()],
            )
        )
    ):
        return None
    ends = "." if SENTENCE_BEGINS.match(after) or not after.strip("\"') ") else ""
    plain = " ".join(short.split(".")) if "." in short else short
    # "N.Y." is as often read as its letters.
    found = [plain, name] if "." in short and "Va" not in short else [name, plain]
    return [f"{one}{ends}" for one in found]
