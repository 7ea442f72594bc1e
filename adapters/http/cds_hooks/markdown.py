"""Plain text inside GitHub Flavored Markdown: nothing that came from data may become markup, a link or HTML."""

from __future__ import annotations

import re
from typing import Final

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]#|~!@]")
_LINKS: Final = re.compile(r"(?i)(:)(//)|(www)(\.)")
_BLANK: Final = re.compile(r"\s+")


def plain(text: str) -> str:
    """Text as itself, on one line. Entities for HTML, backslashes for markup, and autolinks taken apart."""
    text = _BLANK.sub(" ", text).strip()
    text = _SPECIAL.sub(r"\\\g<0>", text)
    text = "".join(_ENTITIES.get(letter, letter) for letter in text)
    return _LINKS.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"{found[3]}\\{found[4]}", text)
