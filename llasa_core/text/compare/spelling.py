"""Spellings of one English word: British and American, and other pairs that are said the same way."""

import re
from functools import lru_cache

_STEMS = dict(pair.split("|") for pair in (
    # -our, -re, -ogue, and what is formed from them
    "colour|color favour|favor honour|honor humour|humor labour|labor neighbour|neighbor rumour|rumor "
    "savour|savor vapour|vapor vigour|vigor valour|valor "
    "harbour|harbor armour|armor behaviour|behavior endeavour|endeavor flavour|flavor odour|odor parlour|"
    "parlor rigour|rigor saviour|savior splendour|splendor "
    "tumour|tumor candour|candor clamour|clamor ardour|ardor demeanour|demeanor fervour|fervor succour|"
    "succor rancour|rancor arbour|arbor glamour|glamor "
    "centre|center theatre|theater litre|liter fibre|fiber calibre|caliber sombre|somber spectre|specter "
    "sabre|saber meagre|meager lustre|luster metre|meter "
    "sceptre|scepter mitre|miter ochre|ocher centring|centering manoeuvre|maneuver manoeuvr|maneuver "
    "catalogue|catalog dialogue|dialog analogue|analog "
    "monologue|monolog prologue|prolog epilogue|epilog travelogue|travelog synagogue|synagog centred|"
    "centered "
    # ae, oe
    "encyclopaedi|encyclopedi anaem|anem paediatr|pediatr foetus|fetus foetal|fetal oestrogen|estrogen "
    "haem|hem anaesth|anesth archaeolog|archeolog mediaeval|medieval "
    "diarrhoea|diarrhea leukaemi|leukemi faeces|feces caesium|cesium orthopaed|orthoped gynaecolog|"
    "gynecolog aesthet|esthet homoeopath|homeopath amoeba|ameba oesophag|esophag "
    "caesar|cesar palaeo|paleo "
    # consonants
    "grey|gray tyre|tire kerb|curb cheque|check plough|plow mould|mold moustache|mustache pyjamas|"
    "pajamas sceptic|skeptic smoulder|smolder sulphur|sulfur jewellery|jewelry "
    "whisky|whiskey gaol|jail cosy|cozy cosier|cozier cosily|cozily artefact|artifact doughnut|donut "
    "judgement|judgment acknowledgement|acknowledgment enquir|inquir "
    "omelette|omelet carat|karat yoghurt|yogurt tsar|czar draught|draft storey|story programme|program "
    "gramme|gram axe|ax cypher|cipher hiccough|hiccup "
    "likeable|likable sizeable|sizable loveable|lovable ageing|aging skilful|skillful wilful|willful "
    "fulfil|fulfill enrol|enroll instalment|installment enthral|enthrall distil|distill "
    "appal|appall instil|instill defence|defense offence|offense licence|license pretence|pretense "
    "practise|practice disc|disk woollen|woolen marvellous|marvelous "
    "counsellor|counselor jeweller|jeweler traveller|traveler councillor|councilor tranquillity|"
    "tranquility chilli|chili vice|vise mollusc|mollusk almanack|almanac "
    "aluminium|aluminium woah|whoa hm|hmm mm|hmm mmm|hmm mhm|hmm ahh|ah ooh|oo ohh|oh aah|ah uhh|uh umm|"
    "um ok|okay yeh|yeah thru|through tho|though "
    "mr|mister mrs|missus dr|doctor prof|professor jr|junior sr|senior vs|versus sgt|sergeant capt|"
    "captain etc|etcetera mcdonald|macdonald mt|mount "
    "snowplough|snowplow pedlar|peddler furore|furor liquorice|licorice cancelation|cancellation "
    "sulphate|sulfate kidnapp|kidnap worshipp|worship benefitt|benefit focuss|focus "
    "biass|bias learnt|learned burnt|burned spelt|spelled spoilt|spoiled dreamt|dreamed leapt|leaped "
    "learned|learned grille|grill speciality|speciality "
    "advisor|adviser convertor|converter protestor|protester dispatch|despatch despatch|despatch encase|"
    "incase insure|insure naivete|naivety"
).split())  # fmt: skip
_DIFFERENT = frozenset(
    "learnt burnt spelt spoilt dreamt leapt speciality dispatch despatch encase insure naivete "
    "aluminium vice".split()
)
"""Left out: said differently, or other words too."""
_PREFIXES = {stem: plain for stem, plain in _STEMS.items() if stem not in _DIFFERENT and len(stem) > 4}
_WORDS = {stem: plain for stem, plain in _STEMS.items() if stem not in _DIFFERENT}
_ENDINGS = (
    "",
    "s",
    "es",
    "ed",
    "d",
    "ing",
    "er",
    "ers",
    "y",
    "ful",
    "less",
    "able",
    "ment",
    "ments",
    "hood",
    "hoods",
    "ist",
    "ists",
    "ly",
    "e",
    "al",
    "ic",
    "ous",
    "ite",
    "ites",
)
_LOOKUP = {
    f"{stem}{end}": f"{plain}{end}" for stem, plain in _WORDS.items() for end in _ENDINGS if len(stem) > 2
} | _WORDS
_PART = re.compile("|".join(sorted(_PREFIXES, key=len, reverse=True)))
_ABBREVIATED = frozenset("ok mr mrs dr prof jr sr vs sgt capt etc mt".split())
_DOUBLED = re.compile(
    "((?:travel|cancel|label|model|level|fuel|signal|quarrel|counsel|marvel|jewel|tunnel|channel|dial|"
    "equal|duel|shovel|swivel|panel|pedal|rival|total|"
    "unravel|chisel|funnel|libel|parcel|pencil|revel|spiral|stencil|towel|cudgel|enamel|initial|medal|"
    "squirrel|grovel|drivel|shrivel|hovel|bevel|ravel|trowel|tinsel|barrel|carol))"
    r"l(ed|ing|er|ers|ation|ations|ous|ings)$"
)
_ISE = re.compile(r"(?<=[a-z]{2})([iy])s(e|es|ed|er|ers|ing|ings|ation|ations|ational|able)$")
_LL = re.compile(r"(fulfil|enrol|enthral|distil|instil|skil|wil)l?(s|ment|ments|ful|fully|fulness)?$")


@lru_cache(maxsize=16384)
def same_spelling(word: str) -> str:
    """A form that all spellings of the word share; the word is in lower case without accents."""
    word = _LOOKUP.get(word, word)
    if len(word) > 4:
        word = _PART.sub(lambda match: _PREFIXES[match.group()], word)
        word = _ISE.sub(r"\1z\2", word)
        word = _DOUBLED.sub(r"\1\2", word)
        word = _LL.sub(lambda match: f"{match[1]}l{match[2] or ''}", word)
    return word


def is_abbreviation(word: str) -> bool:
    """Whether the word is the short form of another: `ok`, `dr`."""
    return word in _ABBREVIATED
