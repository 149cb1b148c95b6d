"""The words that the nano family is trained on: common English, sorted by what a sentence template needs.

Inflected forms are made by rule from the lists below, so that every form has the spelling a reader expects.
"""

from __future__ import annotations

from functools import cache

NAMES = """anna peter maria john lucy david sarah tom emma james helen paul kate george alice robert laura michael
susan william julia henry nancy edward martha charles rachel daniel linda thomas jane andrew mary simon
ruth martin clara frank rose victor grace oliver diana arthur eva philip sophie walter ellen oscar irene
max nora leo""".split()

PEOPLE = """friend teacher doctor brother sister neighbour farmer driver father mother captain student boy girl man
woman child baby uncle aunt cousin grandfather grandmother husband wife son daughter king queen prince
princess soldier sailor painter writer singer actor dancer cook baker waiter judge lawyer nurse dentist
engineer pilot guard officer manager worker boss player reader visitor guest stranger tourist hunter
fisher shepherd artist musician scientist president mayor minister priest clerk secretary builder
mechanic butcher customer owner member leader partner winner speaker author editor expert hero thief""".split()

ANIMALS = """dog cat horse bird fish cow sheep mouse pig goat duck chicken lion tiger bear wolf fox rabbit monkey
elephant snake frog spider butterfly bee ant eagle owl donkey camel whale dolphin shark turtle puppy
kitten lamb""".split()

THINGS = """book letter table chair window door box bottle hat coat cup knife basket picture camera guitar clock
lamp ticket ring key map bag tree boat car train bicycle bridge house shoe shirt dress skirt pocket
button blanket pillow carpet curtain mirror shelf cupboard drawer desk computer telephone radio
television newspaper magazine pencil pen notebook envelope stamp card present toy ball doll kite drum
piano violin flute bell candle match stove oven plate bowl spoon fork glass pot pan bucket brush broom
soap towel sponge hammer nail saw rope chain wheel engine machine ladder tent flag stone rock stick leaf
branch flower root seed fence gate wall roof floor ceiling stair kettle jar barrel wagon truck bus ship
plane rocket helmet glove scarf belt umbrella purse wallet coin bill package suitcase trunk sword shield
arrow bow gun statue fountain tower painting photograph film song story poem letter message note list
question answer idea plan problem lesson game puzzle secret dream joke rule word sentence page chapter
number line circle square triangle corner edge""".split()

FOOD = """bread apple orange cake cheese soup tea coffee water milk rice meat butter sugar salt pepper honey jam
potato tomato onion carrot cabbage bean pea corn banana lemon cherry grape peach pear plum melon
strawberry biscuit sandwich pie pudding chocolate candy salad sausage egg juice wine beer lemonade toast
noodle mushroom pumpkin nut""".split()
MASS = set(
    """bread soup tea coffee water milk rice meat butter sugar salt pepper honey jam corn juice wine beer
lemonade toast cheese chocolate fish sheep candy salad""".split()
)

PLACES = """kitchen garden market school hospital station library office park river village city beach forest
mountain church museum hotel airport street shop town castle farm field lake island valley desert hill
port factory theatre cinema restaurant bakery bank prison palace temple stadium university college
classroom bedroom bathroom cellar attic balcony hall corridor barn stable yard square road path tunnel
border coast cave jungle meadow pond stream waterfall country""".split()

ADJECTIVES = """red blue green yellow black white brown grey pink purple golden silver small large old new heavy light
long short clean dirty broken beautiful cheap strong warm cold quiet empty round simple big little tall
wide narrow deep thick thin soft hard smooth rough sharp wet dry hot cool bright dark loud sweet bitter
sour fresh rich poor young modern ancient famous strange common rare special normal perfect terrible
wonderful pretty ugly nice kind cruel gentle wild safe dangerous easy difficult important useful
expensive free busy lazy clever stupid wise foolish brave careful careless polite rude honest friendly
lonely funny serious gloomy cheerful wooden plastic metal paper cotton woollen flat straight crooked
open closed full public private local foreign early late quick slow huge tiny giant different similar
favourite popular secret silent noisy hidden frozen lost real false pale fat slim royal holy shiny dusty
muddy sunny rainy cloudy windy""".split()

FEELINGS = """happy tired hungry angry afraid ready busy sick lucky proud sad glad nervous worried calm bored excited
surprised thirsty sleepy jealous confused ashamed grateful curious lonely upset pleased disappointed
alone awake asleep alive certain sure""".split()

# base and past; where the past is regular only the base is given
TRANSITIVE = """buy:bought sell:sold find:found lose:lost open close carry paint break:broke clean move drop take:took
bring:brought want need like see:saw keep:kept leave:left make:made build:built read:read write:wrote
draw:drew cut:cut throw:threw catch:caught hold:held pull push lift turn cover wash cook eat:ate
drink:drank give:gave send:sent show receive borrow lend:lent pay:paid steal:stole hide:hid watch
hear:heard use fix repair destroy burn fill choose:chose count check touch follow help visit remember
forget:forgot love hate miss meet:met thank invite teach:taught ask answer call join save spend:spent
share offer accept refuse protect attack hunt feed:fed ride:rode drive:drove plant pick collect order
pack wrap bake mix taste smell describe explain discover invent change prepare finish start stop enjoy
prefer expect notice admire trust paint grip lock kick hit:hit shake:shook measure weigh""".split()

INTRANSITIVE = """walk run:ran work wait sleep:slept sing:sang dance talk play study live arrive stay travel laugh cry
smile shout whisper sit:sat stand:stood fall:fell rise:rose jump climb swim:swam fly:flew listen
speak:spoke think:thought dream pray rest return hurry wander march hide:hid fight:fought win:won
disappear happen begin:began die grow:grew shine:shone rain snow complain argue agree breathe cough
sneeze worry""".split()

AUXILIARY = "will can could should would must may might did does do".split()
ADVERBS = """slowly quickly quietly yesterday today again early late often never always together alone outside
tomorrow soon now then here there everywhere somewhere inside upstairs downstairs away already still
almost suddenly finally carefully easily happily sadly loudly softly badly gently usually sometimes
rarely once twice perhaps maybe probably certainly really nearly everyday abroad forward backward""".split()

TIMES = """in the morning|in the evening|at night|after lunch|before dinner|on monday|on tuesday|on wednesday
|on thursday|on friday|on saturday|on sunday|last week|next year|every day|in the summer|in the winter|at noon
|last month|in the spring|in the autumn|at midnight|this afternoon|before breakfast|after school|in january
|in february|in march|in april|in may|in june|in july|in august|in september|in october|in november|in december
|two hours ago|all day long|during the holidays|since last year|until the end|for a minute|for many years
|at the weekend|every second hour|before sunrise|after sunset|a long time ago""".replace("\n", "").split("|")

PREPOSITIONS = [
    "in",
    "near",
    "behind",
    "under",
    "above",
    "beside",
    "across",
    "around",
    "through",
    "towards",
    "into",
    "from",
    "without",
    "beyond",
    "between",
]
DETERMINERS = "the a this that my his her our your their every another some any no each".split()
PLURAL_DETERMINERS = "the these those my his her our your their some many few several all both most".split()
PRONOUNS = "i you he she we they it".split()
OBJECTS = "me you him her us them it everyone nobody somebody something nothing everything".split()
WEATHER = "rain snow wind sun storm clouds fog thunder lightning ice hail heat".split()
QUESTION = "where when why how who what which whose".split()
LINKS = "and but or because so while if although before after when until as than".split()
OTHER = """yes no please thanks hello goodbye sorry not too very also only just even well much more less least
better best worse worst enough quite rather away back up down off out over again about against among per
half quarter whole part side end top bottom middle front left right north south east west piece pair
group kind way time day week month year hour minute second moment morning evening night noon world life
death money price job war peace love hope fear truth lie luck news music colour shape size name place
home family people children men women feet teeth hand head face eye ear nose mouth hair arm leg foot
finger knee back heart voice body skin blood bone health pain medicine fire air earth sky moon star
light shadow costs pounds pieces is are was were be been being am has have had having go goes went gone
going come came coming get got getting say said tell told know knew let put set done seen taken given
written spoken""".split()

UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = "hundred thousand million".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()

_DOUBLING = set(
    """stop plan run sit swim win get set put cut hit prefer grip begin forget drop wrap""".split()
)
_IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "wife": "wives", "thief": "thieves", "leaf": "leaves",
    "shelf": "shelves", "knife": "knives", "wolf": "wolves", "mouse": "mice", "hero": "heroes",
    "potato": "potatoes", "tomato": "tomatoes", "scarf": "scarves",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural of a countable noun of this lexicon."""
    if noun in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + (base[-1] if base in _DOUBLING else "") + "ed"


def gerund(base: str) -> str:
    """The -ing form of a verb of this lexicon."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    return base + (base[-1] if base in _DOUBLING else "") + "ing"


def third(base: str) -> str:
    """The third person of a verb of this lexicon."""
    return plural(base) if base not in {"leaf"} else base + "s"


def verbs(entries: list[str]) -> list[tuple[str, str]]:
    """(base, past) of each entry, for example ``buy:bought`` or ``walk``."""
    split = [entry.partition(":") for entry in entries]
    return [(base, past or _past(base)) for base, _, past in split]


def number_words(value: int) -> str:
    """An English number below one million in words, as the synthesizers and the tokenizer know them."""
    if value < 20:
        return UNITS[value]
    if value < 100:
        return TENS[value // 10 - 2] + (f" {UNITS[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = value % 100
        return f"{UNITS[value // 100]} hundred" + (f" {number_words(rest)}" if rest else "")
    rest = value % 1000
    return f"{number_words(value // 1000)} thousand" + (f" {number_words(rest)}" if rest else "")


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word that the sentence templates and phrases can use, sorted."""
    words: set[str] = set()
    for group in (
        NAMES, PEOPLE, ANIMALS, THINGS, FOOD, PLACES, ADJECTIVES, FEELINGS, AUXILIARY, ADVERBS, PREPOSITIONS,
        DETERMINERS, PLURAL_DETERMINERS, PRONOUNS, OBJECTS, WEATHER, QUESTION, LINKS, OTHER, UNITS, TENS, SCALES,
        ORDINALS,
    ):  # fmt: skip
        words.update(group)
    for phrase in TIMES:
        words.update(phrase.split())
    words.update(plural(noun) for noun in PEOPLE + ANIMALS + THINGS + FOOD + PLACES if noun not in MASS)
    for base, past in verbs(TRANSITIVE) + verbs(INTRANSITIVE):
        words.update((base, past, gerund(base), third(base)))
    return tuple(sorted(words))
