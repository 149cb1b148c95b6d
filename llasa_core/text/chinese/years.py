"""Chinese dates and years: a year is read by its digits, a span of years as a number."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.chinese.counts import TO, around, between, is_amount
from llasa_core.text.rules import Readings, Rule, rule

_ERA = re.compile(
    "(?:公元|西元|民国|民國|康熙|雍正|乾隆|嘉庆|道光|咸丰|同治|光绪|宣统|洪武|永乐|嘉靖|万历|崇祯|贞观|开元|明治|大正|昭和|平成)前?$"
)
_LASTED = re.compile("(?:近|约|了|逾|达|满|隔|距今|历经|经历|经过|超过|过去|整整|在位|第)$")
_AGE = re.compile(r"前(?!后)|来|的?(?:历史|时间|经验|文明|古)|以上|之久")
_YEARLY = re.compile(
    r"\d{1,2}月|底(?![薪蕴层])|初(?!中)|末|的?[夏冬]|的?[春秋](?!秋)|[上下]半年|毕业|出生|入学|世界杯|奥运|总决赛|元旦|国庆|高考|暑假|寒假"
)

_DATE = (
    r"(?<![\d{before}])(?P<y>[12]\d{{3}})(?P<sep>{sign})(?P<m>0?[1-9]|1[0-2])(?P=sep)(?P<d>[0-2]?\d|3[01])"
    r"(?![\d{after}])"
)


def rules() -> list[Rule]:
    return [
        rule("date", _DATE.format(before="./-", sign="[-/.]", after="./-"), _date, "-/."),
        rule("date", _DATE.format(before="./", sign="[/.]", after="./"), _date, "/."),
        rule(
            "date",
            r"(?<![\d.])0([1-9])(?=月)|(?<=月)0([1-9])(?=[日号])",
            lambda m: [numbers.number(m[1] or m[2]), numbers.digits(m.group())],
            "0",
        ),
        rule("year", r"(?<=《)\d{4}(?=》)|(?<!\d)[12]\d{3}(?=年代|级(?!别))", one_by_one),
        rule(
            "decade",
            r"(?<!\d)((?:1[5-9]|20)\d0)[sS](?![A-Za-z])",
            lambda m: f"{numbers.digits(m[1])}年代",
            "sS",
        ),
        rule(
            "years",
            rf"(?<![\d.])(?P<a>1[5-9]\d\d|20\d\d)(?P<year>){TO}(?P<b>1[5-9]\d\d|20\d\d)(?![\d年届]|[.,]\d)"
            r"(?!学年|赛季|财年)",
            lambda m: None if _are_amounts(m) else _years(m),
        ),
        rule(
            "years",
            rf"(?<![\d.])(?P<a>[12]\d{{3}})(?P<year>年?){TO}(?P<b>[12]\d{{3}}|\d{{2}})"
            r"(?=年(?!代)|学年|赛季|财年|届)",
            _years,
        ),
        rule(
            "years",
            r"(?<![\d.])(?P<a>[12]\d{3})(?P<year>)(?P<to>/)(?P<b>\d{2}|[12]\d{3})(?=学年|赛季|财年|年度)",
            lambda m: [*_years(m), numbers.digits(m["a"] + m["b"])],
            "/",
        ),
        rule(
            "years",
            rf"(?<![\d.])(?P<a>\d{{2}})(?P<year>年?){TO}(?P<b>\d{{2}})(?=年(?![级代龄薪期]))",
            _short_years,
            "年",
        ),
        rule("year", r"(?<![\d.,])(?:[12]\d{3}(?=年|/[12]\d{3}年)|\d{2}(?=年(?![级代龄薪期])))", _year, "年"),
        rule(
            "decade",
            r"(?<![\d.到至达了过])[0-9][05](?=(?:、[0-9][05])?[后後](?![来面天续退方期卫排]))",
            lambda m: numbers.digits(m.group()),
            "后後",
        ),
    ]


def one_by_one(match: re.Match[str]) -> Readings:
    return [numbers.digits(match.group(), one) for one in ("一", "幺")]


def _date(match: re.Match[str]) -> Readings:
    month, day = (numbers.cardinal(int(match[part])) for part in "md")
    stem = f"{numbers.digits(match['y'])}年{month}月{day}"
    return [f"{stem}日", f"{stem}号"]


def _are_amounts(match: re.Match[str]) -> bool:
    """`1500-2000字`, and what is as round without brackets."""
    _, after = around(match)
    round_numbers = match["a"].endswith("00") and match["b"].endswith("00")
    return is_amount(after) or (round_numbers and after[:1] not in (")", "）"))


def _years(match: re.Match[str]) -> list[str]:
    """`1998年至2003年`; `1500-1800年前` is a span."""
    before, after = around(match, skip=1)
    span = _is_span(match["a"], before, after) and len(match["b"]) == 4
    say = numbers.number if span else numbers.digits
    units = dict.fromkeys((match["year"], "年", ""))
    words = between(match["to"])
    return [f"{say(match['a'])}{year}{to}{say(match['b'])}" for year in units for to in words]


def _short_years(match: re.Match[str]) -> Readings:
    """`19年到23年`, `08-12年`; what is as round as `10-15年` is a span."""
    before, after = around(match, skip=1)
    both = (match["a"], match["b"])
    if _LASTED.search(before) or _ERA.search(before):
        return None
    years = (
        any(int(one) % 5 for one in both)
        if match["year"] and not re.match("[时不的以有]", after)
        else all(_looks_like_year(one, after) for one in both)
    )
    if not years and both[0][0] != "0":
        return None
    return [
        f"{numbers.digits(both[0])}{match['year']}{to}{numbers.digits(both[1])}"
        for to in between(match["to"])
    ]


def _year(match: re.Match[str]) -> Readings:
    """`2030年前` and `08年` are years, `2000年前`, `公元前1046年` and `12年的陪伴` numbers."""
    year, (before, after) = match.group(), around(match, skip=1)
    if len(year) == 4:
        span = bool(re.search(r"(?:公元|^|[^\w\s])前$", before)) or _is_span(year, before, after)
    else:
        begun = re.search("[从自]$", before) and re.match("开始|起|至今", after)
        dated = _looks_like_year(year, after) or _YEARLY.match(after) or begun
        span = bool(_ERA.search(before) or _LASTED.search(before)) or not dated
    found = [numbers.number(year), numbers.digits(year)]
    return found if span else found[::-1]


def _is_span(year: str, before: str, after: str) -> bool:
    if year.endswith("00"):
        to_it = re.search("[到于至]$|公元$", before)
        return bool(_LASTED.search(before) or (_AGE.match(after) and not to_it))
    history = re.match("的?(?:历史|时间|经验)", after)
    return bool(history and (year.endswith("0") or re.search("[有了近约着过]$", before)))


def _looks_like_year(year: str, after: str) -> bool:
    return year[0] == "0" or (
        int(year) > 50 and year[1] != "0" and not re.match("[前后來来间里之以内多]", after)
    )
