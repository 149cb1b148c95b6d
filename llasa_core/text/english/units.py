"""Units of measurement and magnitudes, as English reads them."""

import re

from llasa_core.text.rules import pairs

MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "mln": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
    "trn": "trillion",
}

_TABLE = pairs(
    """
    m|meter ms|millisecond km|kilometer cm|centimeter mm|millimeter nm|nanometer μm|micrometer mi|mile
    yd|yard yds|yard ft|foot kg|kilogram kgs|kilogram g|gram mg|milligram μg|microgram mcg|microgram
    lb|pound lbs|pound oz|ounce l|liter L|liter ml|milliliter mL|milliliter cl|centiliter dl|deciliter
    gal|gallon qt|quart pt|pint tbsp|tablespoon tsp|teaspoon kmh|kilometer_per_hour kph|kilometer_per_hour
    mph|mile_per_hour mpg|mile_per_gallon rpm|revolution_per_minute bpm|beat_per_minute
    m.p.h|mile_per_hour m.p.g|mile_per_gallon r.p.m|revolution_per_minute
    fps|frame_per_second Hz|hertz= kHz|kilohertz= MHz|megahertz= GHz|gigahertz= THz|terahertz= W|watt
    kW|kilowatt MW|megawatt GW|gigawatt kWh|kilowatt_hour MWh|megawatt_hour Wh|watt_hour V|volt
    kV|kilovolt mV|millivolt mA|milliamp mAh|milliamp_hour Ω|ohm J|joule kJ|kilojoule MJ|megajoule
    cal|calorie kcal|kilocalorie N|newton Pa|pascal kPa|kilopascal hPa|hectopascal MPa|megapascal
    psi|pound_per_square_inch bar|bar mbar|millibar mmHg|millimeter_of_mercury dB|decibel lm|lumen
    KB|kilobyte kB|kilobyte MB|megabyte GB|gigabyte TB|terabyte PB|petabyte GiB|gibibyte MiB|mebibyte
    Kb|kilobit Mb|megabit Gb|gigabit kbps|kilobit_per_second Mbps|megabit_per_second
    Gbps|gigabit_per_second s|second sec|second secs|second min|minute mins|minute h|hour hr|hour hrs|hour
    ns|nanosecond μs|microsecond wk|week wks|week yr|year yrs|year mo|month mos|month sq_ft|square_foot
    sq._ft|square_foot sq_m|square_meter sq_mi|square_mile cu_ft|cubic_foot ha|hectare sqft|square_foot
    cc|c_c= mmol|millimole mol|mole in|inch px|pixel MP|megapixel dpi|dot_per_inch ppm|part_per_million
    IU|international_unit m2|square_meter km2|square_kilometer cm2|square_centimeter m3|cubic_meter
    cm3|cubic_centimeter fl_oz|fluid_ounce fl._oz|fluid_ounce fl_oz.|fluid_ounce fl._oz.|fluid_ounce
    kΩ|kilohm MΩ|megohm kA|kiloamp μA|microamp μL|microliter μl|microliter ng|nanogram pg|picogram
    nmol|nanomole μmol|micromole pmol|picomole mEq|milliequivalent kN|kilonewton kbit|kilobit Mbit|megabit
    Gbit|gigabit TWh|terawatt_hour GJ|gigajoule nF|nanofarad μF|microfarad pF|picofarad mT|millitesla
    keV|kiloelectronvolt MeV|megaelectronvolt GeV|gigaelectronvolt eV|electronvolt ppb|part_per_billion
    kt|kiloton Mt|megaton rad|radian msec|millisecond hp|horsepower= bhp|brake_horsepower=
    mm2|square_millimeter ft2|square_foot ft3|cubic_foot KM|kilometer Km|kilometer KG|kilogram Kg|kilogram
    CM|centimeter MPH|mile_per_hour KPH|kilometer_per_hour LB|pound LBS|pound Lb|pound Lbs|pound OZ|ounce
    Oz|ounce HRS|hour Hrs|hour MINS|minute Mins|minute Tbsp|tablespoon TBSP|tablespoon tbsps|tablespoon
    tbs|tablespoon Tsp|teaspoon TSP|teaspoon tsps|teaspoon gb|gigabyte mb|megabyte tb|terabyte kb|kilobyte
    hz|hertz= khz|kilohertz= mhz|megahertz= ghz|gigahertz= Mhz|megahertz= Ghz|gigahertz= kwh|kilowatt_hour
    KWh|kilowatt_hour kmph|kilometer_per_hour dL|deciliter
    """
)
UNITS = {symbol.replace("_", " "): name for symbol, name in _TABLE.items()}
"""Symbol -> name of one; a name that ends in "=" has no plural."""
ATTACHED = frozenset("A J N T B in rad".split())
"""Units that are read only where they touch the number: "5 A" may be a grade, "5 in" a preposition."""
_BEHIND = "|".join(
    re.escape(symbol)
    for symbol in sorted(UNITS, key=len, reverse=True)
    if symbol not in ATTACHED | {"bar", "mole"}
    and (symbol[0].islower() or symbol == "W" or symbol.endswith("Hz"))
)
_UNIT_BEHIND = re.compile(rf"\s(?:{_BEHIND})(?![\w^'-])")
_LETTER_BEHIND = re.compile(r"\s[A-Za-z](?:\.?\s[A-Z\d\U000f0000-\U000ffffd]|\.[A-Za-z])|\s[A-Z]\.")
"""An initial or a point of the compass, not a unit: "In 1912 L. Frank Baum", "1200 W. Main"."""
_ARTICLE = re.compile(r"(?:\ban?|(?:^|[.!?\"(]\s?)An?)\s$")
NOT_COUNTED = frozenset(
    "to and or in of for at by on from the a an is was are were per each more less off with when if that as "
    "but plus minus than into over under between through until because who which he she it we they".split()
)
"""Words behind an amount that it does not describe: "a $5 fine", but "a $5 to"."""
PERIODS = (
    "second minute hour day night week month year person capita serving inch foot mile gallon acre user game "
    "head cycle frame core child dose cell"
).split()
"""Words that stand behind the slash of a rate: `5 km/day`."""
_IRREGULAR = {"foot": "feet", "inch": "inches"}


def describes(before: str, after: str) -> bool:
    """Whether an amount between these says what a thing is like: "a 9mm pistol", but "a 5 km from"."""
    follows = re.match(r"\s([a-z]+|\d)", after)  # "a 5 lb 3 oz baby"
    counted = follows and (follows[1].isdigit() or follows[1] in NOT_COUNTED)
    return bool(_ARTICLE.search(before[-4:])) and not counted


def is_measured(after: str) -> bool:
    """Whether a unit stands behind a number that might be a year: ` km wide`, ` ft. above`.

    Symbols with a capital are more often names: "the 2012 GB team", "In 1881 Pa came home."
    """
    return bool(_UNIT_BEHIND.match(after)) and not _LETTER_BEHIND.match(after)


def unit_words(symbol: str, one: bool, british: bool) -> tuple[str, ...]:
    """The name of a unit behind a number, then the other number of it: "a five mile run", "five miles"."""
    names: tuple[str, ...]
    single = UNITS[symbol].rstrip("=")
    many = single if UNITS[symbol].endswith("=") else _plural(single)
    names = (single, many) if one else (many, single)
    if british:
        names = tuple(name.replace("meter", "metre").replace("liter", "litre") for name in names)
    if " per " in names[0]:
        names += tuple(name.replace(" per ", " an " if name.endswith("hour") else " a ") for name in names)
    return tuple(dict.fromkeys(names))


def rate_words(written: str, british: bool) -> tuple[str, ...]:
    """What stands behind a unit: `/s^2` -> ` per second squared`, `/m^3` -> ` per cubic meter`."""
    first = second = ""
    for part in written.split("/")[1:]:
        symbol, exponent = (part[:-2], part[-1]) if "^" in part else (part, "")
        name = (
            "degree Celsius"
            if symbol == "°C"
            else unit_words(symbol, True, british)[0]
            if symbol in UNITS
            else symbol
        )
        squared = {"": "", "2": f"{name} squared", "3": f"{name} cubed"}[exponent]
        square = {"": name, "2": f"square {name}", "3": f"cubic {name}"}[exponent]
        both = (squared, square) if name == "second" and exponent else (square, squared or square)
        first, second = f"{first} per {both[0]}", f"{second} per {both[1]}"
    return tuple(dict.fromkeys((first, second)))


def _plural(name: str) -> str:
    for mark in (" per ", " of "):
        if mark in name:
            head, _, tail = name.partition(mark)
            return f"{_plural(head)}{mark}{tail}"
    head, _, last = name.rpartition(" ")
    return f"{head} {_IRREGULAR.get(last, last + 's')}".strip()
