"""Chinese measure words, what they tell about the number before them, and the words between two numbers."""

import re

from llasa_core.text.chinese import numbers

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
TO = r"\s?(?P<to>[-–—~～至到])\s?"
MARK = "[\U000f0000-\U000ffffd]"
MEASURES = (
    "个|個|只|隻|人|位|条|條|张|張|本|件|次(?!方)|年(?!级|代)|天|小时|分钟|周|岁|歲|块|塊|种|種|家|间|間|辆|輛|台|部|座|"
    "口|句|份|杯|瓶|碗|双|雙|对(?!\\d)|群|批|项|场|倍|米|公里|千米|吨|点|點|万|萬|亿|千|名|支|枝|头|匹|棵|朵|把|篇|首|册|"
    "排(?!\\d|放)|道|扇|滴|股|盘|盒|包|袋|箱|桶|串|片|段|章|集|届|轮|枚|颗|粒|束|套|幅|根|艘|架|顿|门|星期|世纪|季(?!度)|"
    "元(?!.?次|[方化论])|美元|欧元|英镑|大(?!于)|百分点|半|封|步|秒|分(?![之贝])|层|晚|遍|户|处(?!理|于)|笔|起|例|针|局|勺|"
    "卷|圈|声|节|款|组|厘米|毫米|克|千克|公斤|斤|毫升|升"
)
SCALE = "[万萬亿億千百十多余餘几]"
_NEAR = 24
_UNITS = rf"{MEASURES}|月|日|号|時|时|度|楼|栋|角|页|字|级|折|平方米|立方米|里|亩|%|人民币"
_BEFORE_RANGE = re.compile(rf"(?:[\d一二两三四五六七八九十半]|{MARK}){SCALE}*(?:{_UNITS})$")
_AMOUNT = re.compile(rf"\s?(?:{SCALE}|{_UNITS}|[A-Za-z°卡瓦平立公毫厘]|[%‰¥￥$])")
_MEASURE = re.compile(rf"\s?(?:{MEASURES})")
_NOT_TWO = re.compile(rf"(?:第(?:\d|{MARK})[\d、,和及或至到~～–—{MARK[1:-1]}-]*|第|公元前?|[A-Za-z])$")


def around(match: re.Match[str], skip: int = 0) -> tuple[str, str]:
    """The text just before a match, and just behind it and the next `skip` characters."""
    start, end = match.start(), match.end() + skip
    return match.string[max(start - _NEAR, 0) : start], match.string[end : end + _NEAR]


def two(text: str, after: str, before: str = "") -> str:
    """A number before what it counts: 2 is 两 before measure words, but not in 第1、2条 or CO2排放."""
    if (
        text == "2"
        and _MEASURE.match(after)
        and not _NOT_TWO.search(before)
        and not (after[0] == "分" and before[-1:] in ("点", "點", "时"))
        and not (after[0] == "层" and before[-1:] in ("-", "−"))
    ):
        return "两"
    return numbers.number(text)


def is_amount(after: str) -> bool:
    """Whether what stands behind a number is a unit or a measure word."""
    return bool(_AMOUNT.match(after))


def ends_amount(before: str) -> bool:
    """Whether a number and its unit stand before: `100元`."""
    return bool(_BEFORE_RANGE.search(before))


def between(sign: str) -> tuple[str, str]:
    """至 is kept where it is written; signs are 到."""
    return ("至", "到") if sign == "至" else ("到", "至")
