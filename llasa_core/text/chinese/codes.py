"""Chinese phone numbers, codes, models and web addresses."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.chinese.counts import around, is_amount, two
from llasa_core.text.chinese.years import one_by_one
from llasa_core.text.rules import Readings, Rule, pairs, rule

_WEB = pairs(
    """
    .|点 /|斜杠 -|杠 _|下划线 :|冒号 @|艾特 ?|问号 =|等于 &|和 #|井号 %|百分号 +|加 ~|波浪号
    """
)
_COUNT = (
    r"\s?(?:[多余餘几万萬亿千百个個只隻人条條张張次年月日天元块秒米里字行发份套封篇件名位步下圈平架班趟]|"
    r"分(?!机))"
)
"""Behind what is no phone number or code: `打1000米`, `短信300条`."""


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
        rule("event", r"(?<![\d.])\d{1,2}·\d{1,2}(?!\d)", one_by_one, "·"),
        rule(
            "code",
            r"(?<=(?:QQ|ID)[:：])\d+|(?<=(?:微信|账号|卡号)[:：])\d+|(?<=(?:账号|卡号)是)\d+",
            one_by_one,
        ),
        rule(
            "event",
            r"(?<![\d.])(\d{1,2})[.·](\d{1,2})(?=事件|假期|劳动节|运动|地震|恐怖)",
            lambda m: [numbers.digits(m[1] + m[2]), numbers.digits(m[1] + m[2], "幺")],
        ),
        rule(
            "phone",
            r"(?<![\d.-])\+\s?(\d{1,3})[ -]?(\d[\d -]{5,14}\d)(?!\d)",
            lambda m: [f"加{numbers.digits(m[1], one)}{numbers.digits(m[2], one)}" for one in ("幺", "一")],
            "+",
        ),
        rule(
            "phone",
            r"(?<![\d.])(?:1[3-9]\d{9}|1[3-9]\d[ -]\d{4}[ -]\d{4}|0\d{1,3}\s?-\s?\d{7,8}|"
            r"0\d{9,11}|[48]00-?\d{3}-?\d{4})"
            r"(?!\d)",
            _phone,
        ),
        rule(
            "phone",
            "(?:(?<=拨打)|(?<=热线)|(?<=拨)|(?<=致电)|(?<=号码)|(?<=号码是)|(?<=号码为)|(?<=电话：)|(?<=打)|(?<=电话)|(?<=客服)|"
            rf"(?<=短信))([\s“\"「]?)(\d{{3,12}})(?![\d.])(?!{_COUNT})",
            lambda m: [m[1].strip(' "') + numbers.digits(m[2], one) for one in ("幺", "一")],
        ),
        rule(
            "phone",
            r"(?<!\d)(\d{3,6})(?=热线|客服|急救|报警|打电话|打来)|(?<!\d)1(?:10|19|20|22)(?=电话)",
            lambda m: [numbers.digits(m.group(), one) for one in ("幺", "一")],
        ),
        rule("phone", rf"(?<![\d.,-])(?:12306|12315|10086)(?![\d.,-])(?!{_COUNT})", _phone, "1"),
        rule(
            "code",
            "(?:(?<=编号)|(?<=房间号)|(?<=邮编)|(?<=邮政编码)|(?<=密码)|(?<=密码是)|(?<=学号)|(?<=车牌)|"
            r"(?<=验证码)|(?<=验证码是))[:：]?\s?(\d{3,})(?![\d.])|"
            rf"(?:(?<=房间)|(?<=航班)|(?<=代码))[:：]?\s?(\d{{3,}})(?![\d.])(?!{_COUNT})",
            one_by_one,
        ),
        rule(
            "code",
            r"(?<!\d)(\d{3,4})(?=房间|室(?![内外温])|号房|教室|航班)",
            lambda m: [numbers.digits(m[1]), numbers.digits(m[1], "幺"), numbers.number(m[1])],
        ),
        rule(
            "code",
            r"(?<![\d.])(?:985(?=[、/和]211)|211(?=[、/和]985)|(?<=985[、/和])211|(?<=211[、/和])985|(?:985|211)(?=(?:[、/和]?(?:985|211))?(?:高校|大学|院校|工程|名校|毕业|本科|硕士))|"
            r"618(?=大促|购物节|年中|活动|期间|促销)|996(?=工作制|加班))",
            one_by_one,
        ),
        rule(
            "code",
            r"(?<![\d.A-Za-z-])\d+(?:-\d+){2,}(?![\d=-]|\.\d)",
            lambda m: one_by_one(m) if len(m.group()) > 9 or re.fullmatch(r"\d(?:-\d)+", m.group()) else None,
            "-",
        ),
        rule(
            "code",
            r"(?<=ISBN)[:：\s]*(\d[\d-]{8,})|(?<![\d.,¥￥$£€₩₽₹])(?<![¥￥$£€] )(\d{7,})(?<!00)"
            r"(?![\d.,%‰~～至到+=×^-])",
            lambda m: one_by_one(m) if m[1] or not is_amount(around(m)[1]) else None,
        ),
        rule(
            "model",
            r"(?<![\d.A-Za-z])(?:\d[gG](?=时代|网络|手机|信号|基站|技术|套餐|通信|商用)|\d+[gG](?=内存|运存|显存|流量|硬盘)|"
            r"[46]s(?=店))",
            lambda m: numbers.number(m.group()[:-1]) + m.group()[-1].upper(),
            "gGs",
        ),
        rule(
            "number",
            r"(?<![\d.A-Za-z])(\d+(?:\.\d+)?)[wW](?=[人元块粉赞票字+]|用户|播放|阅读|点赞|年薪|存款)",
            lambda m: two(m[1], "万") + "万",
            "wW",
        ),
        rule(
            "number",
            r"(?:(?<=\d米)|(?<=\d秒))\d{2}(?![\d.:/%-])",
            lambda m: (
                None if is_amount(around(m)[1]) else [numbers.digits(m.group()), numbers.number(m.group())]
            ),
            "米秒",
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


def _phone(match: re.Match[str]) -> Readings:
    return [numbers.digits(match.group(), one) for one in ("幺", "一")]


def _address(text: str) -> Readings:
    words = []
    for part in re.findall(r"[A-Za-z]+|\d+|[^\w\s]|_", text):
        words.append(_WEB[part] if part in _WEB else numbers.digits(part) if part.isdigit() else f" {part} ")
    return "".join(words)
