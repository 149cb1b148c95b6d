"""Chinese percentages, money, measures, fractions, ranges and plain numbers."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.chinese.codes import TO
from llasa_core.text.english import roman
from llasa_core.text.rules import Readings, Rule, pairs, rule

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_MEASURES = (
    "个|只|人|位|条|张|本|件|次|年(?!级|代)|天|小时|分钟|周(?!岁)|岁|块|种|家|间|辆|台|部|座|口|句|份|杯|瓶|碗|双|对|群|批|项|场|倍|米|公里|千米|吨|点|万|亿|千|"
    "名|支|枝|头|匹|棵|朵|把|篇|首|册|排|道|扇|滴|股|盘|盒|包|袋|箱|桶|串|片|段|章|集|届|轮|枚|颗|粒|束|套|幅|根|艘|架|顿|门|星期|世纪|季|元|美元|欧元|英镑|"
    "大|百分点|半"
)
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
    MB|兆 min|分钟 ms|毫秒 h|小时 s|秒 m/s|米每秒 ha|公顷 oz|盎司 lb|磅 ft|英尺 mi|英里 rpm|转每分钟
    """
)
_SIGNS = pairs(
    """
    +|加 =|等于 ×|乘 ÷|除以 ±|正负 &|和 %|百分号 −|减 ≈|约等于 ≠|不等于 ≤|小于等于 ≥|大于等于 °|度 @|艾特
    √|根号 ¥|元 $|美元 €|欧元 £|英镑 ‰|千分之 ∞|无穷大 →|到 §|节
    """
)


_MARK = "[\U000f0000-\U000ffffd]"


def rules() -> list[Rule]:
    units = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
    return [
        rule(
            "subtraction",
            rf"(?<![\d.])({_NUMBER})-({_NUMBER})(?==)",
            lambda m: f"{numbers.number(m[1])}减{numbers.number(m[2])}",
            "=",
        ),
        rule(
            "percent",
            rf"(?P<minus>[-−])?(?<![\d.])(?P<a>{_NUMBER})%?(?:{TO}(?P<b>{_NUMBER}))?(?P<sign>[%‰])",
            _percent,
            "%‰",
        ),
        rule(
            "money",
            rf"(?P<sign>(?:US|HK)?[¥￥$£€₩₽₹])\s?(?P<a>{_NUMBER})(?:{TO}[¥￥$£€]?(?P<b>{_NUMBER}))?"
            "(?P<scale>[万亿千百])?",
            _money,
            "¥￥$£€₩₽₹",
        ),
        rule(
            "money",
            rf"(?<![\d.])(?P<a>{_NUMBER})(?P<b>)(?P<scale>[万亿]?)\s?(?P<sign>[¥￥$£€₩₽₹])",
            _money,
            "¥￥$£€₩₽₹",
        ),
        rule("power", rf"(?<![\d.])(?P<a>{_NUMBER})\^(?P<n>[-−]?\d+)", _power, "^"),
        rule(
            "measure",
            rf"(?P<minus>(?<![\dA-Za-z])[-−])?(?<![\d.A-Za-z])(?:(?P<b>{_NUMBER}){TO})?(?P<a>{_NUMBER})"
            rf"\s?(?P<unit>{units})(?![A-Za-z\d^])",
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
            r"(?<![\d.:])(\d+)[:：](\d+)(?![\d:：])",
            lambda m: f"{numbers.number(m[1])}比{numbers.number(m[2])}",
            ":：",
        ),
        rule(
            "range",
            rf"(?P<sign>(?<![\dA-Za-z])[-−])?(?<![\d.A-Za-z])(?P<a>{_NUMBER})(?:{TO})(?P<b>{_NUMBER})"
            r"(?![\d=]|-\d)",
            lambda m: (
                f"{'负' if m['sign'] else ''}{_two(m['a'], m.string[m.end() :])}到"
                f"{_two(m['b'], m.string[m.end() :])}"
            ),
            "-–—~～至",
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
            rf"(?<=第)\s?({_NUMBER})",
            lambda m: [
                numbers.number(m[1]).replace("两", "二") if m[1] == "2" else numbers.number(m[1]),
                *numbers.readings(m[1]),
            ],
            "第",
        ),
        rule(
            "number", rf"(?P<minus>(?<![\dA-Za-z)）])[-−]\s?)?(?<![\d.])(?P<a>{_NUMBER})(?![\d]|\.\d)", _plain
        ),
    ]


def signs() -> list[Rule]:
    """Signs that are left when everything else has been read."""
    return [
        rule(
            "roman number",
            r"(?<=[\u4e00-\u9fff])((?!X{2,}(?![IV]))[IVX]{2,}|[IVX](?=[章节部卷级型期世]))"
            r"(?![A-Za-z]|[\W_]+[IVX]{2,}(?![A-Za-z]))",
            _roman,
            "IVX",
        ),
        rule("range", rf"(?<={_MARK})[-–—~～](?={_MARK})", lambda m: "到"),
        rule("sign", rf"(?<={_MARK})\*(?={_MARK})", lambda m: "乘"),
        rule("sign", r"(?<=[\u4e00-\u9fff\U000f0000-\U000ffffd])/(?=[\u4e00-\u9fff])", lambda m: "每"),
        rule("sign", "[" + "".join(re.escape(sign) for sign in _SIGNS) + "]", lambda m: _SIGNS[m.group()]),
    ]


def _two(text: str, after: str) -> str:
    """A number before what it counts: 2 is 两 before measure words."""
    if text == "2" and re.match(rf"\s?(?:{_MEASURES})", after):
        return "两"
    return numbers.number(text)


def _percent(match: re.Match[str]) -> Readings:
    of = {"%": "百分之", "‰": "千分之"}[match["sign"]]
    first = f"{'负' if match['minus'] else ''}{of}{numbers.number(match['a'])}"
    if not match["b"]:
        return first
    return [f"{first}到{of}{numbers.number(match['b'])}", f"{first}到{numbers.number(match['b'])}"]


def _money(match: re.Match[str]) -> Readings:
    name, scale = _CURRENCIES[match["sign"]], match["scale"] or ""
    first = match["a"]
    if "." in first:
        first = first.rstrip("0").rstrip(".")
    amounts = (
        [f"{_two(match['a'], '元')}到{_two(match['b'], '元')}"]
        if match["b"]
        else [_two(first, scale or "元"), numbers.number(match["a"])]
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
    count = f"{_two(match['b'], '米')}到{_two(match['a'], '米')}" if match["b"] else _two(match["a"], "米")
    count = "负" + count if match["minus"] else count
    if unit in ("km/h", "kmh"):
        return [f"每小时{count}公里", f"{count}公里每小时", f"{count}千米每小时"]
    also = {"公里": "千米", "千克": "公斤"}.get(name, name)
    found = [f"{count}{name}", f"{count}{also}"]
    if match["minus"] and unit in ("°C", "°F", "°"):
        found += [f"零下{one[1:]}" for one in found] + [f"零下{count[1:]}度"]
    return [*found, f"{count}度"] if unit == "°C" else found


def _plain(match: re.Match[str]) -> Readings:
    after = match.string[match.end() :]
    minus = "负" if match["minus"] else ""
    best = _two(match["a"], after)
    if after[:1] == "两" and match["a"] == "2":
        best = "二"
    return [f"{minus}{one}" for one in dict.fromkeys((best, *numbers.readings(match["a"])))]


def _roman(match: re.Match[str]) -> Readings:
    return numbers.cardinal(roman.roman(match[1])) if roman.is_roman(match[1]) else None
