"""Chinese dates, times, phone numbers, codes and web addresses."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.rules import Readings, Rule, pairs, rule

TO = r"\s?[-–—~～至]\s?"
_WEB = pairs(
    """
    .|点 /|斜杠 -|杠 _|下划线 :|冒号 @|艾特 ?|问号 =|等于 &|和 #|井号 %|百分号 +|加 ~|波浪号
    """
)


def rules() -> list[Rule]:
    return [
        rule(
            "address",
            r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
            lambda m: [
                "点".join(numbers.digits(part, one) for part in m.group().split(".")) for one in ("一", "幺")
            ],
            ".",
        ),
        rule(
            "date",
            r"(?<![\d./-])(?P<y>[12]\d{3})(?P<sep>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=sep)(?P<d>[0-2]?\d|"
            r"3[01])(?![\d./-])",
            _date,
            "-/.",
        ),
        rule("year", r"(?<=《)\d{4}(?=》)|(?<!\d)[12]\d{3}(?=年代|级(?!别))", _one_by_one),
        rule(
            "decade",
            r"(?<!\d)((?:1[5-9]|20)\d0)[sS](?![A-Za-z])",
            lambda m: f"{numbers.digits(m[1])}年代",
            "sS",
        ),
        rule("event", r"(?<![\d.])\d{1,2}·\d{1,2}(?!\d)", _one_by_one, "·"),
        rule(
            "code",
            r"(?<=(?:QQ|ID)[:：])\d+|(?<=(?:微信|账号|卡号)[:：])\d+|(?<=(?:账号|卡号)是)\d+",
            _one_by_one,
        ),
        rule(
            "years",
            rf"(?<!\d)(1[5-9]\d\d|20\d\d){TO}(1[5-9]\d\d|20\d\d)"
            r"(?![\d.,元个米人块名万千只件年])",
            lambda m: f"{numbers.digits(m[1])}到{numbers.digits(m[2])}",
        ),
        rule(
            "years",
            rf"(?<!\d)([12]\d{{3}})年?{TO}([12]\d{{3}}|\d{{2}})(?=年|学年|赛季|财年|届)",
            lambda m: f"{numbers.digits(m[1])}到{numbers.digits(m[2])}",
        ),
        rule(
            "year",
            r"(?<!\d)(?:(?<=前)(\d{1,4})|([12]\d{3}|\d{2}))(?=年(?![级内之以前后纪龄薪]|代))(?!年(?:的)?(?:时间|经验|历史))",
            lambda m: (
                [numbers.number(m[1]), numbers.digits(m[1])]
                if m[1]
                else [numbers.digits(m[2]), numbers.number(m[2])]
            ),
            "年",
        ),
        rule(
            "decade",
            r"(?<!\d)(\d{2})(?=后(?:们|的|$|[，。、！？,.]|一代|年轻))",
            lambda m: [numbers.digits(m[1])],
            "后",
        ),
        rule(
            "event",
            r"(?<![\d.])(\d{1,2})[.·](\d{1,2})(?=事件|假期|劳动节|运动|地震|恐怖)",
            lambda m: [numbers.digits(m[1] + m[2]), numbers.digits(m[1] + m[2], "幺")],
        ),
        rule("time", r"(?<![\d:])(\d{1,2})[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:：])", _time, ":："),
        rule(
            "phone",
            r"(?<![\d.-])\+\s?(\d{1,3})[ -]?(\d[\d -]{5,14}\d)(?!\d)",
            lambda m: [f"加{numbers.digits(m[1], one)}{numbers.digits(m[2], one)}" for one in ("幺", "一")],
            "+",
        ),
        rule(
            "phone",
            r"(?<![\d.])(?:1[3-9]\d{9}|1[3-9]\d[ -]\d{4}[ -]\d{4}|0\d{2,3}-?\d{7,8}|[48]00-?\d{3}-?\d{4})"
            r"(?!\d)",
            _phone,
        ),
        rule(
            "phone",
            "(?:(?<=拨打)|(?<=电话)|(?<=热线)|(?<=电话：)|(?<=拨)|(?<=打)|(?<=客服)|(?<=致电)|(?<=短信)|(?<=号码)|(?<=号码是)|"
            r"(?<=号码为))\s?(\d{3,12})(?![\d.年月日次个万亿元分])",
            lambda m: [numbers.digits(m[1], one) for one in ("幺", "一")],
        ),
        rule(
            "phone",
            r"(?<!\d)(\d{3,6})(?=热线|客服|急救|报警)",
            lambda m: [numbers.digits(m[1], one) for one in ("幺", "一")],
        ),
        rule(
            "code",
            "(?:(?<=编号)|(?<=房间号)|(?<=房间)|(?<=邮编)|(?<=邮政编码)|(?<=密码)|(?<=密码是)|(?<=学号)|(?<=车牌)|(?<=航班)|"
            r"(?<=验证码)|(?<=验证码是)|(?<=代码))[:：]?\s?(\d{3,})(?![\d.])",
            lambda m: [numbers.digits(m[1], one) for one in ("一", "幺")],
        ),
        rule(
            "code",
            r"(?<!\d)(\d{3,4})(?=房间|室|号房|教室|航班)",
            lambda m: [numbers.digits(m[1]), numbers.digits(m[1], "幺"), numbers.number(m[1])],
        ),
        rule(
            "version",
            r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])",
            lambda m: "点".join(numbers.number(part) for part in m.group().split(".")),
            ".",
        ),
        rule(
            "code", r"(?<=[A-Za-z])-?(\d{4,})(?!\d)", lambda m: [numbers.digits(m[1]), numbers.number(m[1])]
        ),
    ]


def web() -> list[Rule]:
    """Addresses of the web, with digits or without."""
    return [
        rule(
            "url",
            r"(?:[a-z]+://|www\.)[A-Za-z0-9./?=&_#%+~:@-]*[A-Za-z0-9/]|[A-Za-z0-9_.+-]+@"
            r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}|(?<![A-Za-z0-9.])(?:[A-Za-z0-9-]+\.)+(?:com|cn|org|net|"
            r"edu|gov|io)\b(?:/[A-Za-z0-9./_-]*[A-Za-z0-9])?",
            lambda m: _address(m.group()),
            ".@",
        ),
    ]


def _one_by_one(match: re.Match[str]) -> Readings:
    return [numbers.digits(match.group(), one) for one in ("一", "幺")]


def _date(match: re.Match[str]) -> Readings:
    month, day = (numbers.cardinal(int(match[part])) for part in "md")
    stem = f"{numbers.digits(match['y'])}年{month}月{day}"
    return [f"{stem}日", f"{stem}号"]


def _time(match: re.Match[str]) -> Readings:
    hour, minute = int(match[1]), match[2]
    if hour > 24:
        return f"{numbers.cardinal(hour)}比{numbers.number(str(int(minute)))}"
    hours = ["两" if hour == 2 else numbers.cardinal(hour), numbers.cardinal(hour)]
    minutes = (
        "零" + numbers.cardinal(int(minute))
        if minute[0] == "0" and minute != "00"
        else numbers.cardinal(int(minute))
    )
    if match[3]:
        shown = f"{minutes if minute != '00' else '零'}分{numbers.cardinal(int(match[3]))}秒"
        return [f"{one}点{shown}" for one in hours]
    if minute == "00":
        return [*(f"{one}点" for one in hours), *(f"{one}点整" for one in hours)]
    found = [f"{one}点{minutes}分" for one in hours] + [f"{one}点{minutes}" for one in hours]
    return [*found, *(f"{one}点半" for one in hours)] if minute == "30" else found


def _phone(match: re.Match[str]) -> Readings:
    return [numbers.digits(match.group(), one) for one in ("幺", "一")]


def _address(text: str) -> Readings:
    words = []
    for part in re.findall(r"[A-Za-z]+|\d+|[^\w\s]|_", text):
        words.append(_WEB[part] if part in _WEB else numbers.digits(part) if part.isdigit() else f" {part} ")
    return "".join(words)
