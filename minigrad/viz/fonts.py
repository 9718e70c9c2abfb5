"""The fonts of pictures painted by matplotlib: with Hangul, wherever a font that has it is installed."""

from __future__ import annotations

import contextlib
import functools
import logging
from pathlib import Path

__all__ = ["families", "quiet_log"]

LATIN = "DejaVu Sans"  # comes with matplotlib
HANGUL = (
    "Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "NanumBarunGothic", "Apple SD Gothic Neo", "AppleGothic",
    "Malgun Gothic",
)  # fmt: skip
FILES = ("notosanscjk-", "notosanskr", "nanumgothic.", "nanumgothicbold.", "malgun", "applesdgothicneo", "applegothic")


@functools.cache
def families() -> tuple[str, ...]:
    """Names of installed fonts, in the order in which a character is looked for in them."""
    from matplotlib import font_manager

    present = set(font_manager.get_font_names())
    if not present.intersection(HANGUL):  # matplotlib keeps the list of its first start: fonts may have come since
        for path in sorted(font_manager.findSystemFonts()):
            if Path(path).name.lower().startswith(FILES):
                font_manager.fontManager.addfont(path)
        present = set(font_manager.get_font_names())
    return LATIN, *[name for name in HANGUL if name in present]


@contextlib.contextmanager
def quiet_log():
    """While something is painted matplotlib does not log that a font's bold is a semi-bold: good enough."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
