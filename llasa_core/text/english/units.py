"""Units of measurement and magnitudes, as English reads them."""

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
    gal|gallon qt|quart pt|pint tbsp|tablespoon tsp|teaspoon km/h|kilometer_per_hour
    kmh|kilometer_per_hour kph|kilometer_per_hour mph|mile_per_hour m/s|meter_per_second
    ft/s|foot_per_second km/s|kilometer_per_second mpg|mile_per_gallon rpm|revolution_per_minute
    bpm|beat_per_minute fps|frame_per_second Hz|hertz= kHz|kilohertz= MHz|megahertz= GHz|gigahertz=
    THz|terahertz= W|watt kW|kilowatt MW|megawatt GW|gigawatt kWh|kilowatt_hour MWh|megawatt_hour
    Wh|watt_hour V|volt kV|kilovolt mV|millivolt mA|milliamp mAh|milliamp_hour Ω|ohm J|joule
    kJ|kilojoule MJ|megajoule cal|calorie kcal|kilocalorie N|newton Pa|pascal kPa|kilopascal
    hPa|hectopascal MPa|megapascal psi|pound_per_square_inch bar|bar mbar|millibar
    mmHg|millimeter_of_mercury dB|decibel lm|lumen KB|kilobyte kB|kilobyte MB|megabyte GB|gigabyte
    TB|terabyte PB|petabyte GiB|gibibyte MiB|mebibyte Kb|kilobit Mb|megabit Gb|gigabit
    kbps|kilobit_per_second Mbps|megabit_per_second Gbps|gigabit_per_second MB/s|megabyte_per_second
    GB/s|gigabyte_per_second Mb/s|megabit_per_second s|second sec|second secs|second min|minute
    mins|minute h|hour hr|hour hrs|hour ns|nanosecond μs|microsecond wk|week wks|week yr|year yrs|year
    mo|month mos|month sq_ft|square_foot sq._ft|square_foot sq_m|square_meter sq_mi|square_mile
    cu_ft|cubic_foot ha|hectare sqft|square_foot cc|c_c= g/L|gram_per_liter mg/dL|milligram_per_deciliter
    mg/L|milligram_per_liter mg/kg|milligram_per_kilogram kg/m|kilogram_per_meter g/cm|gram_per_centimeter
    mmol/L|millimole_per_liter mmol|millimole mol|mole in|inch px|pixel MP|megapixel dpi|dot_per_inch
    ppm|part_per_million IU|international_unit m2|square_meter km2|square_kilometer cm2|square_centimeter
    m3|cubic_meter cm3|cubic_centimeter
    """
)
UNITS = {symbol.replace("_", " "): name for symbol, name in _TABLE.items()}
"""Symbol -> name of one; a name that ends in "=" has no plural."""
_IRREGULAR = {"foot": "feet", "inch": "inches"}


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


def _plural(name: str) -> str:
    for mark in (" per ", " of "):
        if mark in name:
            head, _, tail = name.partition(mark)
            return f"{_plural(head)}{mark}{tail}"
    head, _, last = name.rpartition(" ")
    return f"{head} {_IRREGULAR.get(last, last + 's')}".strip()
