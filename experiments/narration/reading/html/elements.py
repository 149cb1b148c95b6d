"""What an element of (X)HTML is by itself: a block, a line, something that is left out, a drop cap."""

from __future__ import annotations

import re

from lxml import etree

from experiments.narration.book import Reason, letters

BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup li main nav ol p pre section summary table td th tr "
    "ul".split()
)
UNSEEN = frozenset("script style template noscript".split())
"""Elements whose text no reader of the book sees."""
EMPTY = frozenset("hr br img".split())
_BY_TAG = {
    "table": Reason.TABLE,
    "figure": Reason.PICTURE,
    "svg": Reason.PICTURE,
    "object": Reason.PICTURE,
    "math": Reason.FORMULA,
    "nav": Reason.CONTENTS,
    "rt": Reason.READING,
    "rp": Reason.READING,
    "del": Reason.DELETED,
    "audio": Reason.HIDDEN,
    "video": Reason.HIDDEN,
}
"""The text in a recording or a film is for programs that cannot play it."""
_BY_TYPE = {
    **dict.fromkeys(
        "footnote footnotes endnote endnotes rearnote rearnotes note doc-footnote doc-endnote "
        "doc-endnotes".split(),
        Reason.FOOTNOTE,
    ),
    **dict.fromkeys("noteref doc-noteref backlink doc-backlink".split(), Reason.FOOTNOTE_MARK),
    **dict.fromkeys("pagebreak doc-pagebreak page-list doc-pagelist".split(), Reason.PAGE_NUMBER),
    **dict.fromkeys("toc doc-toc landmarks".split(), Reason.CONTENTS),
}
"""By the words of `epub:type` and `role`."""
_BY_CLASS = {
    **dict.fromkeys(
        "footnote footnotes endnote endnotes duokan-footnote-content duokan-footnote-item".split(),
        Reason.FOOTNOTE,
    ),
    **dict.fromkeys(
        "footnote-ref footnote-back footnote-backref noteref fnref fnanchor duokan-footnote".split(),
        Reason.FOOTNOTE_MARK,
    ),
    **dict.fromkeys(
        "pagenum pageno page-number pagenumber pagebreak linenum lnum ln-num".split(), Reason.PAGE_NUMBER
    ),
    **dict.fromkeys("figure figcaption caption".split(), Reason.PICTURE),
    **dict.fromkeys("pg-boilerplate pgheader".split(), Reason.LICENCE),
    **dict.fromkeys("transnote tnote".split(), Reason.COMMENT),
}
"""Numbers of lines are told with those of pages, and what the transcriber says with comments."""
_BY_ID = dict.fromkeys(("pg-header", "pg-footer"), Reason.LICENCE)
TYPE = ("{http://www.idpf.org/2007/ops}type", "epub:type", "role")
_LONGEST_MARK = 20
_RAISED = frozenset("sup super superscript".split())
_FOR_EARS = frozenset("sr-only visually-hidden visuallyhidden screen-reader-text".split())
"""Classes of text that is not seen, but read aloud."""
_DROP = re.compile(r"[“\"‘'«„]?([^\W\d_])")
"""The one letter of a drop cap, maybe with the quotation mark before it."""
_WORDS = "AIO"
"""Letters that are words, so that what follows need not belong to them."""
_INITIAL = re.compile(r"\s*([^\W\d_])")


def local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def reason_of(element: etree._Element, tag: str) -> Reason | None:
    """Why the element is left out, whatever it stands between; None if that does not follow from it."""
    for word in (word for key in TYPE for word in element.get(key, "").split()):
        if word in _BY_TYPE:
            return _BY_TYPE[word]
    for word in element.get("class", "").lower().split():
        if (reason := _BY_CLASS.get(word)) is not None:
            inline = reason is Reason.FOOTNOTE and tag in ("a", "sup", "span")
            return Reason.FOOTNOTE_MARK if inline else reason
    if (reason := _BY_ID.get(element.get("id", ""))) is not None:
        return reason
    if tag in _BY_TAG:
        return _BY_TAG[tag]
    if tag == "pre" and element.find("{*}code") is not None:
        return Reason.CODE
    if "hidden" in element.attrib or "display:none" in _style(element) or _is_said_twice(element):
        return Reason.HIDDEN
    return None


def _style(element: etree._Element) -> str:
    return str(element.get("style", "")).replace(" ", "").lower()


def _is_said_twice(element: etree._Element) -> bool:
    """Whether it is for eyes alone, and stands beside the same letters for ears."""
    around = element.getparent()
    if element.get("aria-hidden") != "true" or around is None:
        return False
    beside = list(around.iterchildren("*"))
    seen = (one for one in beside if one.get("aria-hidden") == "true")
    heard = [one for one in beside if _FOR_EARS & set(one.get("class", "").lower().split())]
    return bool(heard) and letters("".join(map(text_of, seen))) == letters("".join(map(text_of, heard)))


def is_raised(element: etree._Element, tag: str) -> bool:
    """Whether it stands above the line: by its tag, its class or its style, or because all in it does."""
    if tag == "sup" or "vertical-align:super" in _style(element):
        return True
    if _RAISED & set(element.get("class", "").lower().split()):
        return True
    if tag != "a" or not (text := text_of(element).strip()) or len(text) > _LONGEST_MARK:
        return False
    return any(
        text_of(one).strip() == text and is_raised(one, local(one))
        for one in element.iterdescendants()
        if isinstance(one.tag, str)
    )


def is_line(element: etree._Element, tag: str) -> bool:
    """Whether it is a line of its own within a block."""
    return tag not in BLOCKS and "display:block" in _style(element)


def text_of(element: etree._Element) -> str:
    return "".join(map(str, element.itertext()))


def is_drop_cap(element: etree._Element, tag: str) -> bool:
    """Whether this block is the first letter of the next one. Without a class that says so: a capital that
    is no word, before a small letter that is another one (in glossaries, "B" stands above "banana")."""
    letter = _DROP.fullmatch(text_of(element).strip()) if tag in ("p", "div") else None
    if letter is None:
        return False
    follows = element.tail or ""
    if not follows.strip():
        behind = next((one for one in element.itersiblings() if isinstance(one.tag, str)), None)
        follows = "" if behind is None or local(behind) not in ("p", "div") else text_of(behind)
    initial = _INITIAL.match(follows)
    if initial is None:
        return False
    if any(word.startswith("drop") for word in element.get("class", "").lower().split()):
        return True
    other = initial[1].islower() and initial[1] != letter[1].lower()
    return letter[1].isupper() and letter[1] not in _WORDS and other


def is_picture_of_letter(alt: str, before: str, behind: str) -> bool:
    """Whether a picture with these words for it is the first letter of the word behind it; or, at the begin
    of a block, a word of one letter."""
    letter = _DROP.fullmatch(alt.strip())
    if letter is None or not behind.strip() or letter[1].lower() == letter[1].upper():
        return False
    return behind[0].isalpha() or (letter[1] in _WORDS and not before.strip())


def are_two_words(first: str, second: str) -> bool:
    """Whether two neighbouring spans of a heading are words of their own: letters meet digits, small letters
    capitals, or a full stop a word; or both are words in capitals.

    >>> are_two_words("1", "The Start"), are_two_words("CHAPTER", "TWO"), are_two_words("One:", "Home")
    (True, True, True)
    >>> are_two_words("T", "HE ROAD"), are_two_words("1", "st of May"), are_two_words("Mc", "kay")
    (False, False, False)
    """
    left, right = re.search(r"\w+$|[.,:;!?]$", first), re.match(r"\w+", second)
    if left is None or right is None:
        return False
    one, two = left[0], right[0]
    if not one[-1].isalnum():
        return True
    if one[-1].isdigit():
        return two[0].isupper()
    if len(one) == 1:
        return False
    return two[0].isdigit() or (two[0].isupper() and (one[-1].islower() or (one.isupper() and len(two) > 1)))
