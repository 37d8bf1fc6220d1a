"""Keys that lie beside each other, and letters that optical recognition takes for others.

Short tables of our own: the pairs that anyone meets who types on QWERTY or reads scans.
"""

from __future__ import annotations

from collections import defaultdict

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _keys() -> dict[str, str]:
    """Each lower-case ASCII letter and the letter keys that touch it: left and right in its row,
    and those above and below, half a key aside."""
    near: dict[str, str] = {}
    for y, row in enumerate(_ROWS):
        for x, key in enumerate(row):
            places = [
                (y, x - 1),
                (y, x + 1),
                (y - 1, x),
                (y - 1, x + 1),
                (y + 1, x - 1),
                (y + 1, x),
            ]
            near[key] = "".join(
                _ROWS[j][i] for j, i in places if 0 <= j < len(_ROWS) and 0 <= i < len(_ROWS[j])
            )
    return near


NEAR_KEYS = _keys()

_CONFUSED = """
    rn m   cl d   vv w   li h   l 1   I l   I 1   O 0   o 0   S 5   B 8   Z 2   G 6   g 9   e c
    h b   f t   u v   i j   C G   ı i   ş s   ç c   ğ g   ß B   é e   ö o   ü u   ñ n
    ν v   ο o   ι i   η n   з 3   б 6   О 0   и н   ш щ   ь ъ   п л   е с   І l
    ד ר   ה ח   ו ן   ב כ   ب ت   ح خ   د ذ   ر ز   س ش   ع غ   ف ق
    ब व   घ ध   म भ   ष प   ด ต   ค ศ   ผ ฝ   ก ภ
    ソ ン   シ ツ   ロ 口   カ 力   ニ 二   エ 工   は ほ   る ろ   ぬ め
    日 曰   未 末   己 已   土 士   人 入   大 太   天 夭   千 干   午 牛   目 自   白 自
    이 아   를 률   은 온   의 외
    """.split()


def _both_ways() -> dict[str, tuple[str, ...]]:
    table: defaultdict[str, list[str]] = defaultdict(list)
    for a, b in zip(_CONFUSED[::2], _CONFUSED[1::2], strict=True):
        table[a].append(b)
        table[b].append(a)
    return {key: tuple(values) for key, values in table.items()}


CONFUSED = _both_ways()
"""What is read, and what it may be taken for; both ways round."""
