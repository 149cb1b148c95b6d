"""Units of measurement and magnitudes, as English reads them."""

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

_TABLE = """
m|meter,ms|millisecond,km|kilometer,cm|centimeter,mm|millimeter,nm|nanometer,μm|micrometer,mi|mile
yd|yard,yds|yard,ft|foot,kg|kilogram,kgs|kilogram,g|gram,mg|milligram,μg|microgram,mcg|microgram
lb|pound,lbs|pound,oz|ounce,l|liter,L|liter,ml|milliliter,mL|milliliter,cl|centiliter,dl|deciliter
gal|gallon,qt|quart,pt|pint,tbsp|tablespoon,tsp|teaspoon,km/h|kilometer per hour,kmh|kilometer per hour
kph|kilometer per hour,mph|mile per hour,m/s|meter per second,ft/s|foot per second
km/s|kilometer per second,mpg|mile per gallon,rpm|revolution per minute,bpm|beat per minute
fps|frame per second,Hz|hertz=,kHz|kilohertz=,MHz|megahertz=,GHz|gigahertz=,THz|terahertz=,W|watt
kW|kilowatt,MW|megawatt,GW|gigawatt,kWh|kilowatt hour,MWh|megawatt hour,Wh|watt hour,V|volt,kV|kilovolt
mV|millivolt,A|amp,mA|milliamp,mAh|milliamp hour,Ω|ohm,J|joule,kJ|kilojoule,MJ|megajoule,cal|calorie
kcal|kilocalorie,N|newton,Pa|pascal,kPa|kilopascal,hPa|hectopascal,MPa|megapascal
psi|pound per square inch,bar|bar,mbar|millibar,mmHg|millimeter of mercury,dB|decibel,lm|lumen,B|byte
KB|kilobyte,kB|kilobyte,MB|megabyte,GB|gigabyte,TB|terabyte,PB|petabyte,GiB|gibibyte,MiB|mebibyte
Kb|kilobit,Mb|megabit,Gb|gigabit,kbps|kilobit per second,Mbps|megabit per second
Gbps|gigabit per second,MB/s|megabyte per second,GB/s|gigabyte per second,Mb/s|megabit per second
s|second,sec|second,secs|second,min|minute,mins|minute,h|hour,hr|hour,hrs|hour,ns|nanosecond
μs|microsecond,wk|week,wks|week,yr|year,yrs|year,mo|month,mos|month,sq ft|square foot
sq. ft|square foot,sq m|square meter,sq mi|square mile,cu ft|cubic foot,ha|hectare,sqft|square foot
cc|c c=,g/L|gram per liter,mg/dL|milligram per deciliter,mg/L|milligram per liter
mg/kg|milligram per kilogram,kg/m|kilogram per meter,g/cm|gram per centimeter
mmol/L|millimole per liter,mmol|millimole,mol|mole,in|inch,px|pixel,MP|megapixel,dpi|dot per inch
ppm|part per million,IU|international unit,m2|square meter,km2|square kilometer,cm2|square centimeter
m3|cubic meter,cm3|cubic centimeter
"""
UNITS = dict(entry.split("|") for line in _TABLE.split("\n") if line for entry in line.split(","))
"""Symbol -> name of one; a name that ends in "=" has no plural."""
_IRREGULAR = {"foot": "feet", "inch": "inches"}


def unit_words(symbol: str, one: bool, british: bool) -> tuple[str, ...]:
    """The name of a unit behind a number, then the other number of it: "a five mile run", "five miles"."""
    single = UNITS[symbol].rstrip("=")
    many = single if UNITS[symbol].endswith("=") else _plural(single)
    names = (single, many) if one else (many, single)
    if british:
        names = tuple(name.replace("meter", "metre").replace("liter", "litre") for name in names)  # type: ignore[assignment]
    return tuple(dict.fromkeys(names))


def _plural(name: str) -> str:
    for mark in (" per ", " of "):
        if mark in name:
            head, _, tail = name.partition(mark)
            return f"{_plural(head)}{mark}{tail}"
    head, _, last = name.rpartition(" ")
    return f"{head} {_IRREGULAR.get(last, last + 's')}".strip()
