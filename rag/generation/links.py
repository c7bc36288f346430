"""Where a text could lead a reader: links as programs that show text make them, written out or hidden.

A link is compared as it would be followed: entities decoded, characters that look or count alike as one,
invisible ones gone, case folded.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, directions, joiners, tags, lone surrogates: what changes a text and is not seen."""

_ALIKE = str.maketrans("∕⁄╱⧸꞉ː∶", "////:::")
_KNOWN_SCHEMES = (
    "mailto|javascript|vbscript|livescript|data|tel|sms|mms|file|blob|about|feed|magnet|callto|skype|xmpp|sips?"
    "|whatsapp|intent|itms|market|bitcoin|ethereum|view-source|jar|geo|news|urn|cid|mid|ms-[a-z-]+"
)
_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|name|pro|aero|asia|coop|jobs|mobi|museum|travel|cat|tel|post|arpa|xxx"
    "|xyz|top|site|online|website|web|club|shop|store|tech|space|live|life|news|blog|page|link|click|cloud|host"
    "|app|dev|zip|mov|icu|vip|win|bid|loan|work|world|today|email|digital|media|agency|group|network|systems"
    "|solutions|services|support|company|center|academy|download|stream|review|reviews|trade|science|party|date"
    "|racing|cricket|faith|accountant|men|gdn|ltd|fun|art|bar|buzz|cyou|rest|quest|monster|onion|local|internal"
    "|bank|finance|money|credit|games?|video|photo|photos|social|chat|wiki|ninja|rocks|ink|run|surf|best|bot"
)
_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw "
    "by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et "
    "eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie "
    "il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv "
    "ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr "
    "nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl "
    "sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz "
    "va vc ve vg vi vn vu wf ws ye yt za zm zw"
).replace(" ", "|")
_FOREIGN_TOP = (
    "рф|бел|мкд|срб|укр|онлайн|сайт|дети|москва"
    "|中国|中國|公司|网络|网址|网站|在线|香港|台湾|台灣|한국|みんな|भारत"
)
_LINK = re.compile(
    rf"(?:\w[\w+.-]{{1,40}}:[/\\]\S*"
    rf"|\b(?:{_KNOWN_SCHEMES}):(?=[^\s]).\S*"
    r"|[\w.+%-]{1,64}@[\w-]{1,63}(?:[.。][\w-]{1,63})+"
    r"|(?<![\w:/\\])[/\\]{2,}[^\s/\\]\S*"
    r"|\bwww\d{0,3}[.。]\S+"
    rf"|\b(?:[\w-]{{1,63}}[.。]){{1,9}}(?:xn--[\w-]{{1,59}}|{_COUNTRIES}|{_TOP}|{_FOREIGN_TOP})(?![\w-])(?:[:/?#]\S*)?"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}[:/]\S*)",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"[:/\\@&]|\.\w|[^\x00-\x7f]")
_AROUND = "\"'“”‘’«»‹›()[]{}<>*_`~.,;:!?…|"
_WORD = re.compile(r"[^\s\x00]+")
_PIECE, _STEP = 4_000, 3_600  # characters; a longer word is looked at in pieces that overlap


def links_in(text: str) -> frozenset[str]:
    """The links in a text, each as it would be followed."""
    found: set[str] = set()
    for word in _WORD.findall(text):
        for at in range(0, len(word), _STEP):
            found.update(_links_of(word[at : at + _PIECE]))
    return frozenset(found)


def without_links(text: str, allowed: frozenset[str], instead: str) -> str:
    """The text with `instead` in place of each word that holds a link not in `allowed`."""
    return _WORD.sub(lambda word: word[0] if links_in(word[0]) <= allowed else instead, text)


def _links_of(word: str) -> set[str]:
    if not _MAYBE.search(word):
        return set()
    plain = unicodedata.normalize("NFKC", unescape(INVISIBLE.sub("", word))).translate(_ALIKE)
    plain = INVISIBLE.sub("", plain).casefold()
    spellings = {plain, plain.replace("\\", "")}
    return {link[0].strip(_AROUND) for spelling in spellings for link in _LINK.finditer(spelling)} - {""}
