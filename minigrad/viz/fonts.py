"""The fonts of pictures painted by matplotlib: with Hangul, wherever a font that has it is installed."""

from __future__ import annotations

import functools
import logging
from pathlib import Path

__all__ = ["families"]

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

    logging.getLogger(font_manager.__name__).addFilter(_says_something)
    present = set(font_manager.get_font_names())
    if not present.intersection(HANGUL):  # matplotlib keeps the list of its first start: fonts may have come since
        for path in sorted(font_manager.findSystemFonts()):
            if Path(path).name.lower().startswith(FILES):
                font_manager.fontManager.addfont(path)
        present = set(font_manager.get_font_names())
    return LATIN, *[name for name in HANGUL if name in present]


def _says_something(record) -> bool:
    """Whether a message of matplotlib's about fonts is worth a line: that a bold one is a bit lighter is not."""
    return "Failed to find font weight" not in str(record.msg)
