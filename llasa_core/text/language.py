"""Language codes: every spelling of a code means the same everywhere."""

import re
from difflib import get_close_matches
from functools import lru_cache

from llasa_core.errors import UserError

_NAMES = {
    "eng": "en",
    "english": "en",
    "american": "en-US",
    "british": "en-GB",
    "zho": "zh",
    "chi": "zh",
    "cmn": "zh",
    "chinese": "zh",
    "mandarin": "zh",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "jpn": "ja",
    "kor": "ko",
    "rus": "ru",
}
_CODES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv "
    "dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie "
    "ig ii ik io is it iu ja jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu "
    "lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu "
    "rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr "
    "ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu haw yue ".split()
)
"""Of ISO 639-1, and two more that Whisper knows."""
_DEFAULT_REGION = {"en": "US", "zh": "CN"}
_REGIONS = {"UK": "GB", "USA": "US", "GBR": "GB", "CHN": "CN", "HANS": "CN", "HANT": "TW"}
_CODE = re.compile(r"[A-Za-z]{2,10}(?:[-_ ][A-Za-z0-9]{2,8})*")


def language(code: str) -> str:
    """The one spelling of a language code: `en-US`, `en-GB`, `zh-CN`, `de`, `pt-BR`.

    Case, `_` or `-`, names ("English") and codes of three letters make no difference. English without region
    is American, Chinese that of the mainland. Raises UserError, with the nearest, for an unknown code.

    >>> [language(code) for code in ("EN", "en_GB", "en-us", "eng", "zh-Hans-CN", "pt_br")]
    ['en-US', 'en-GB', 'en-US', 'en-US', 'zh-CN', 'pt-BR']
    """
    if not isinstance(code, str):
        raise UserError(f'unknown language {code!r}: give a code such as "en", "en-GB" or "zh"')
    return _canonical(code)


@lru_cache(maxsize=256)
def _canonical(code: str) -> str:
    if not _CODE.fullmatch(code.strip()):
        raise UserError(f'unknown language {code!r}: give a code such as "en", "en-GB" or "zh"')
    first, *subtags = re.split(r"[-_ ]", code.strip())
    base, _, region = _NAMES.get(first.lower(), first.lower()).partition("-")
    if base not in _CODES:
        near = get_close_matches(first.lower(), [*_NAMES, *sorted(_CODES)], n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f'unknown language {code!r}: {guess}give a code such as "en", "en-GB" or "zh"')
    for subtag in subtags:
        found = _REGIONS.get(subtag.upper(), subtag.upper())
        if len(found) == 2:
            region = found
    region = region or _DEFAULT_REGION.get(base, "")
    return f"{base}-{region}" if region else base


def base_language(code: str) -> str:
    """`en` of `en-US`. Raises UserError for what is no language code."""
    return language(code).partition("-")[0]


def is_british(code: str) -> bool:
    """Whether English is read the British way, as outside of North America: the day before the month."""
    return language(code).partition("-")[2] not in ("US", "CA", "PH", "PR")
