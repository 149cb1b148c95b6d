"""Latin letters without their marks, for whatever knows the letters a to z alone."""

import unicodedata

_PLAIN = str.maketrans(
    dict(
        pair.split("=")
        for pair in "æ=ae œ=oe ø=o ł=l đ=d ð=d þ=th ı=i ß=ss Æ=AE Œ=OE Ø=O Ł=L Đ=D Ð=D Þ=TH ẞ=SS".split()
    )
)
"""Letters that Unicode does not take apart."""


def without_marks(text: str) -> str:
    """The text without accents and other marks, and with two letters for one where one is two.

    >>> without_marks("Søren paid at the Café Łódź, Weißstraße")
    'Soren paid at the Cafe Lodz, Weissstrasse'
    >>> without_marks("Ǣthel ǿ")
    'AEthel o'
    """
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    return "".join(character for character in plain if not unicodedata.combining(character))
