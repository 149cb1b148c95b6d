import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llasa_core.errors import UserError
from llasa_core.text import as_written, spoken_form
from tests.llasa_core.text.tables import SPOKEN, blocks

WRITTEN = [written for _, written, _ in SPOKEN]
PIECES = sorted({piece for written in WRITTEN for piece in written.split()})
LOCALES = st.sampled_from(["en-US", "en-GB", "zh-CN"])
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(" ".join),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join),
    st.text(
        alphabet=sorted({character for piece in PIECES for character in piece} | set(" '\"")), max_size=24
    ),
)


def test_the_table_is_large_enough():
    assert len(SPOKEN) >= 200


@pytest.mark.parametrize("rows", blocks(SPOKEN))
def test_written_forms(rows):
    found = [(written, spoken_form(written, locale).spoken, right) for locale, written, right in rows]
    assert [one for one in found if one[1] not in one[2]] == []


@given(TEXTS, LOCALES)
def test_any_text_has_a_spoken_form_that_is_its_own(text, locale):
    spoken = spoken_form(text, locale).spoken
    assert spoken_form(spoken, locale).spoken == spoken


@given(TEXTS, st.sampled_from(["en-US", "en-GB"]))
def test_english_keeps_no_digits_and_no_signs(text, locale):
    spoken = spoken_form(text, locale).spoken
    assert not [c for c in spoken if c.isdigit() or unicodedata.category(c) in ("Sc", "Sm", "So", "Cf", "Cc")]


def test_what_was_changed_is_told():
    found = spoken_form("Dr. Lee paid $3 in 1984.")
    assert [(change.kind, change.written, change.spoken) for change in found.changes] == [
        ("abbreviation", "Dr.", "Doctor"),
        ("money", "$3", "three dollars"),
        ("year", "1984", "nineteen eighty four"),
    ]
    assert str(found.changes[-1]) == "written: 1984, spoken: nineteen eighty four"


def test_a_dropped_character_is_told():
    changes = spoken_form("great 🎉 day™").changes
    assert [str(change) for change in changes] == [
        "written: 🎉, spoken: nothing",
        "written: ™, spoken: nothing",
    ]


def test_text_as_written_keeps_everything_but_white_space():
    assert as_written("  $5 \n in 1984 ").spoken == "$5 in 1984"
    assert as_written("$5").changes == ()


@pytest.mark.parametrize("code", ["EN", "en", "en_US", "en-us", "eng", "English", "EN-US"])
def test_every_spelling_of_a_code_reads_alike(code):
    assert (
        spoken_form("12 birds on 3/4/2024", code).spoken == "twelve birds on March fourth twenty twenty four"
    )


@pytest.mark.parametrize("code", ["en-GB", "EN_gb", "en-UK", "en-AU", "british"])
def test_british_codes_read_the_day_first(code):
    assert spoken_form("3/4/2024", code).spoken == "the third of April twenty twenty four"


def test_other_languages_are_only_cleaned():
    assert spoken_form("«Ça coûte 5 €» 😀", "fr").spoken == '"Ça coûte 5 €"'


@pytest.mark.parametrize("code", ["", "e", "12", "quenya-elvish", "../en", "en;", None])
def test_what_is_no_language_is_refused(code):
    with pytest.raises(UserError, match="unknown language"):
        spoken_form("one", code)


def test_long_numbers_and_texts_are_read():
    assert spoken_form("$" + "7" * 5000).spoken.endswith("seven dollars")
    assert spoken_form("1 " * 30_000).spoken.split() == ["one"] * 30_000
