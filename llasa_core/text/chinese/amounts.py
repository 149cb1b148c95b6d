"""Chinese percentages, money, measures, fractions, ranges and plain numbers."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.chinese.counts import (
    MARK,
    MEASURES,
    NUMBER,
    SCALE,
    TO,
    around,
    between,
    ends_amount,
    two,
)
from llasa_core.text.english import roman
from llasa_core.text.rules import Readings, Rule, pairs, rule

_CURRENCIES = pairs(
    """
    ¥|元 ￥|元 $|美元 £|英镑 €|欧元 ₩|韩元 ₽|卢布 ₹|卢比 HK$|港元 US$|美元
    """
)
_UNITS = pairs(
    """
    km/h|公里 kmh|公里 km²|平方公里 km^2|平方公里 m^2|平方米 m^3|立方米 cm^2|平方厘米 cm^3|立方厘米
    km|公里 cm|厘米 mm|毫米 mmHg|毫米汞柱 nm|纳米 μm|微米 m|米 kg|千克 mg|毫克 μg|微克 g|克 ml|毫升
    mL|毫升 L|升 l|升 °C|摄氏度 °F|华氏度 °|度 kHz|千赫 MHz|兆赫 GHz|吉赫 Hz|赫兹 kWh|千瓦时 kW|千瓦
    MW|兆瓦 W|瓦 kV|千伏 V|伏 mAh|毫安时 mA|毫安 dB|分贝 kPa|千帕 Pa|帕 kcal|千卡 cal|卡 MB/s|兆每秒
    MB|兆 min|分钟 ms|毫秒 h|小时 s|秒 m/s^2|米每二次方秒 m/s|米每秒 ha|公顷
    oz|盎司 lb|磅 ft|英尺 mi|英里 rpm|转每分钟
    """
)
_SIGNS = pairs(
    """
    +|加 =|等于 ×|乘 ÷|除以 ±|正负 &|和 %|百分号 −|减 ≈|约等于 ≠|不等于 ≤|小于等于 ≥|大于等于 °|度 @|艾特
    √|根号 ¥|元 $|美元 €|欧元 £|英镑 ‰|千分之 ∞|无穷大 →|到 §|节
    """
)


_PER = f"{MEASURES}|日|月|小时|时|课时|晚|亩|股|平方米|平米|平|立方米|立方|千瓦时|度|盎司|罐"
_PRICE = re.compile("(?:元|公里|千米|米|千克|克|吨|升|次)$")
_PER_AMOUNT = re.compile(rf"(?:{MARK}|[一二两三四五六七八九十百千万亿半]){SCALE}*[\u4e00-\u9fff]{{0,3}}$")
_WORDY = re.compile(rf"(?:[^\W_]|{MARK}|[%）)])$|^(?:[^\W_]|{MARK})")
_MODEL = re.compile("(?:[歼轰运直苏图米卡安]|米格|伊尔|东风|巨浪|红旗|鹰击|长征|神舟|嫦娥|爱国者)$")


def rules() -> list[Rule]:
    units = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
    per = rule(
        "measure",
        rf"(?:(?<=[元角分人次个])|(?<=\^\d)|(?<=\^\d\d))/(?P<of>\d*)(?P<unit>{units})(?![A-Za-z\d^])",
        lambda m: f"每{numbers.number(m['of']) if m['of'] else ''}{_UNITS[m['unit']]}",
        "/",
    )
    return [
        rule(
            "subtraction",
            rf"(?<![\d.])({NUMBER})-({NUMBER})(?==)",
            lambda m: f"{numbers.number(m[1])}减{numbers.number(m[2])}",
            "=",
        ),
        rule(
            "number",
            r"(?<![\d.、第])([1-9])、([2-9])(?=[个個只隻人天周岁歲块元米次倍万萬千百位条條张張件辆种家名句口步秒]|"
            r"年(?![级代])|小时|分钟|公里)(?!元.?次|次方|周年)",
            _two_or_three,
            "、",
        ),
        rule("range", r"(?<=[\u4e00-\u9fff])([-–—~～]| [-–—~～] )(?=第?\d)", _hyphen, "-–—~～"),
        rule("sign", r"(?<=\d)/(?=(\d{1,3})(?![\d/.]))", _over, "/"),
        per,
        rule(
            "percent",
            rf"(?P<minus>[-−])?(?<![\d.])(?P<a>{NUMBER})%?(?:{TO}(?P<b>{NUMBER}))?(?P<sign>[%‰])",
            _percent,
            "%‰",
        ),
        rule(
            "money",
            rf"(?P<sign>(?:US|HK)?[¥￥$£€₩₽₹])\s?(?P<a>{NUMBER})(?:{TO}[¥￥$£€]?(?P<b>{NUMBER}))?"
            "(?P<scale>[万萬亿億千百])?",
            _money,
            "¥￥$£€₩₽₹",
        ),
        rule(
            "money",
            rf"(?<![\d.])(?P<a>{NUMBER})(?P<to>)(?P<b>)(?P<scale>[万萬亿億]?)\s?(?P<sign>[¥￥$£€₩₽₹])",
            _money,
            "¥￥$£€₩₽₹",
        ),
        rule("power", rf"(?<![\d.])(?P<a>{NUMBER})\^(?P<n>[-−]?\d+)", _power, "^"),
        rule(
            "measure",
            rf"(?P<minus>(?<![\dA-Za-z])[-−])?(?<![\d.A-Za-z])(?:(?P<b>{NUMBER}){TO})?(?P<a>{NUMBER})"
            rf"\s?(?P<unit>{units})(?:/(?P<of>\d*)(?P<per>{units}))?(?![A-Za-z\d^])",
            _measure,
        ),
        rule("power", r"(?<=[A-Za-z])\^([23])(?!\d)", lambda m: "的平方" if m[1] == "2" else "的立方", "^"),
        rule(
            "fraction",
            r"(?<![\d./])(?:(\d{1,3})又)?(\d{1,3})/(\d{1,4})(?![\d/]|\.\d)",
            lambda m: (
                (numbers.number(m[1]) + "又" if m[1] else "")
                + f"{numbers.number(m[3])}分之{numbers.number(m[2])}"
            ),
            "/",
        ),
        rule(
            "ratio",
            r"(?<!\d)(?<!\d[.:：])(\d+(?:\.\d+)?)[:：](\d+(?:\.\d+)?)(?![\d:：])",
            lambda m: f"{numbers.number(m[1])}比{numbers.number(m[2])}",
            ":：",
        ),
        rule(
            "range",
            rf"(?P<sign>(?<![\dA-Za-z])[-−])?(?<![\d.A-Za-z])(?P<a>{NUMBER})(?:{TO})(?P<b>{NUMBER})"
            r"(?![\d=]|-\d)",
            _range,
            "-–—~～至到",
        ),
        rule(
            "label",
            r"\b[Nn][Oo]\.\s?(\d+)",
            lambda m: [f"{numbers.number(m[1])}号", f"第{numbers.number(m[1])}"],
            ".",
        ),
        rule("number", r"(?<=[A-Za-z])-(\d{1,3})(?!\d)", lambda m: numbers.readings(m[1]), "-"),
        rule(
            "number",
            rf"(?<=第)\s?({NUMBER})",
            lambda m: [
                numbers.number(m[1]).replace("两", "二") if m[1] == "2" else numbers.number(m[1]),
                *numbers.readings(m[1]),
            ],
            "第",
        ),
        rule("number", rf"(?P<minus>(?<![\dA-Za-z)）])[-−])?(?<![\d.])(?P<a>{NUMBER})(?![\d]|\.\d)", _plain),
    ]


def signs() -> list[Rule]:
    """Signs that are left when everything else has been read."""
    return [
        rule(
            "roman number",
            r"(?<=[\u4e00-\u9fff])((?!X{2,}(?![IV])|VI(?:设计|系统|手册))[IVX]{2,}|(?<=第)[IVX](?=[章节部卷级型期世]))"
            r"(?![A-Za-z]|[\W_]+[IVX]{2,}(?![A-Za-z]))",
            _roman,
            "IVX",
        ),
        rule("range", rf"(?<={MARK})[-–—~～](?={MARK})", lambda m: ["到", "至"]),
        rule(
            "range",
            r"(?:(?<=周[一二三四五六日天])|(?<=星期[一二三四五六日天]))\s?[-–—~～]\s?(?=[周星一二三四五六日天])|"
            r"(?<=[\u4e00-\u9fff])[-–~～](?=[一二两三四五六七八九十])",
            _from_day_to_day,
            "-–—~～",
        ),
        rule("sign", rf"(?<={MARK})\*(?={MARK})", lambda m: "乘"),
        rule(
            "measure", rf"\s?/\s?((?:{_PER})(?=[的以至到左右上下内起和或]|[^\u4e00-\u9fff]|$)|)", _slash, "/"
        ),
        rule("sign", r"\s?([<>]=?)\s?", _compared, "<>"),
        rule("sign", r"(?<![A-Za-z])([CF])#(?![A-Za-z])", lambda m: [f"{m[1]} sharp", f"{m[1]}井"], "#"),
        rule("sign", "[" + "".join(re.escape(sign) for sign in _SIGNS) + "]", lambda m: _SIGNS[m.group()]),
    ]


def _percent(match: re.Match[str]) -> Readings:
    of = {"%": "百分之", "‰": "千分之"}[match["sign"]]
    first = f"{'负' if match['minus'] else ''}{of}{numbers.number(match['a'])}"
    if not match["b"]:
        return [first, "百分之百", "百分百"] if first == "百分之一百" else first
    last = numbers.number(match["b"])
    return [f"{first}{to}{again}{last}" for again in (of, "") for to in between(match["to"])]


def _money(match: re.Match[str]) -> Readings:
    name, scale = _CURRENCIES[match["sign"]], match["scale"] or ""
    first = match["a"]
    if "." in first:
        first = first.rstrip("0").rstrip(".")
    amounts = (
        [f"{two(match['a'], '元')}{to}{two(match['b'], '元')}" for to in between(match["to"])]
        if match["b"]
        else [two(first, scale or "元"), numbers.number(match["a"])]
    )
    found = [f"{one}{scale}{name}" for one in amounts]
    return [*found, *(one.replace("元", "块") for one in found if name == "元")]


def _power(match: re.Match[str]) -> Readings:
    base, exponent = numbers.number(match["a"]), match["n"]
    if exponent in ("2", "3"):
        return [f"{base}的{'平方' if exponent == '2' else '立方'}", f"{base}的{numbers.number(exponent)}次方"]
    return f"{base}的{'负' if exponent[0] in '-−' else ''}{numbers.number(exponent.lstrip('-−'))}次方"


def _measure(match: re.Match[str]) -> Readings:
    unit, name = match["unit"], _UNITS[match["unit"]]
    minus, last = "负" if match["minus"] else "", two(match["a"], "米")
    counts = [minus + last]
    if match["b"]:
        counts = [f"{minus}{two(match['b'], '米')}{to}{last}" for to in between(match["to"])]
    if unit in ("km/h", "kmh"):
        return [
            one
            for count in counts
            for one in (f"每小时{count}公里", f"{count}公里每小时", f"{count}千米每小时")
        ]
    per = f"{two(match['of'], '米') if match['of'] else ''}{_UNITS[match['per']]}" if match["per"] else ""
    if per:
        per = ("、" if match["of"] and match["per"] == unit else "每") + per
    also = {"公里": "千米", "千克": "公斤"}.get(name, name)
    found = [f"{count}{one}{per}" for one in (name, also) for count in counts]
    if minus and unit in ("°C", "°F", "°"):
        found += [f"零下{one[1:]}" for one in found] + [f"零下{count[1:]}度" for count in counts]
    return [*found, *(f"{count}度" for count in counts)] if unit == "°C" else found


def _range(match: re.Match[str]) -> Readings:
    before, after = around(match)
    first = ("负" if match["sign"] else "") + two(match["a"], after, before)
    return [f"{first}{to}{two(match['b'], after, before)}" for to in between(match["to"])]


def _two_or_three(match: re.Match[str]) -> Readings:
    """`2、3天` is 两三天."""
    if int(match[2]) != int(match[1]) + 1:
        return None
    return two(match[1], "个") + numbers.number(match[2])


def _hyphen(match: re.Match[str]) -> Readings:
    """Behind a Chinese character: 到 after an amount, a pause between spaces, nothing in a model's name."""
    before, after = around(match)
    if ends_amount(before):
        return None if re.match(r"\d[\d.]*(?:[%‰]|°C)", after) else ["到", "至"]
    if match[1] in (" - ", " – ", " — "):
        return "，"
    return "" if match[1] == "-" and _MODEL.search(before) else None


def _from_day_to_day(match: re.Match[str]) -> Readings:
    """`周一~周五`, `三月~五月`."""
    before, _ = around(match)
    return ["到", "至"] if before[-2:-1] in ("周", "期") or ends_amount(before) else None


def _over(match: re.Match[str]) -> Readings:
    """`120/80` is no fraction."""
    first = re.search(r"(?<![\d./])\d{1,3}$", around(match)[0])
    if first and int(first.group()) > int(match[1]) and (int(match[1]) >= 40 or first.group() == "24"):
        return "，"
    return None


def _slash(match: re.Match[str]) -> Readings:
    """每 between an amount and a unit, or two units; else a pause."""
    before, after = around(match)
    if not match[1] and ends_amount(before) and re.match(r"[\u4e00-\u9fff](?![\u4e00-\u9fff])", after):
        return "每"
    if match[1] and (_PRICE.search(before) or _PER_AMOUNT.search(before)):
        return f"每{match[1]}"
    if re.match("[A-Za-z]", after) and _PRICE.search(before):
        return "每"
    if re.search("[A-Za-z]$", before) or (re.match("[A-Za-z]", after) and re.search(f"{MARK}$", before)):
        return f"、{match[1]}" if re.match("[\u4e00-\u9fff]", match[1] + after) else None
    return f"、{match[1]}" if _WORDY.search(before) and (match[1] or _WORDY.match(after)) else None


def _compared(match: re.Match[str]) -> Readings:
    """Between two things of which one is a number, and no tag of HTML."""
    before, after = around(match)
    number = re.search(f"{MARK}%?$", before) or re.match(f"-?{MARK}", after)
    tag = re.search(r"<[/A-Za-z][^<>]*$", before) if match[1] == ">" else re.match(r"[/A-Za-z][^<>]*>", after)
    if (
        not number
        or tag
        or not re.search(rf"(?:\w|{MARK}|[%)）])$", before)
        or not re.match(rf"\w|-?{MARK}", after)
    ):
        return None
    return {">": "大于", "<": "小于", ">=": "大于等于", "<=": "小于等于"}[match[1]]


def _plain(match: re.Match[str]) -> Readings:
    before, after = around(match)
    best = two(match["a"], after, before + (match["minus"] or ""))
    minus = "负" if match["minus"] else ""
    return [f"{minus}{one}" for one in dict.fromkeys((best, *numbers.readings(match["a"])))]


def _roman(match: re.Match[str]) -> Readings:
    return numbers.cardinal(roman.roman(match[1])) if roman.is_roman(match[1]) else None
