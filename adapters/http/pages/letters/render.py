"""A letter as one document that needs nothing else: HTML with its own style, one A4 page in the ordinary case.

What is kept is what is printed. Of a document that was kept only the line of its standing ever changes.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from adapters.http.pages.assets import FOLDER as STYLES
from adapters.http.pages.frame import instant as shown_instant
from adapters.http.pages.letters.content import Content
from pathway.errors import PathwayError
from pathway.people import Person

FOLDER: Final = Path(__file__).parent
PRELIMINARY: Final = "Preliminary: not signed off, not to be sent."
_STANDING: Final = re.compile(r'<p class="standing">[^<]*</p>')
_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_STYLE: Final = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_ASKED: Final = re.compile(r"<p>To: <strong>[^<]*</strong>|<p class=\"remark\">[^<]*</p>")
_ARTICLE: Final = re.compile(r'<article class="letter">.*</article>', re.DOTALL)


@cache
def _template() -> Template:
    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters["dated"] = _dated
    return made.get_template("letter.html")


def _dated(text: str) -> Markup:
    """Text in which no date is broken over two lines."""
    return Markup(_DATE.sub(r'<span class="date">\g<0></span>', str(escape(text))))


def rendered(it: Content, id: str, person: Person, at: datetime, remark: str, replaces: str) -> bytes:
    """The document of a letter that nobody has signed."""
    style = Markup((STYLES / "letter.css").read_text(encoding="utf-8"))  # ours, no word of a patient in it
    return _template().render(
        it=it, id=id, author=person.author, made=shown_instant(at), remark=remark, replaces=replaces, style=style,
        standing=PRELIMINARY, as_of=shown_instant(it.as_of),
    ).encode()  # fmt: skip


def standing(document: bytes, words: str) -> bytes:
    """The same document with another line of its standing, and nothing else. PathwayError for one that has no line."""
    line = f'<p class="standing">{escape(words)}</p>'
    changed, count = _STANDING.subn(lambda _: line, document.decode(), count=1)
    if count != 1:
        raise PathwayError("this is no letter of ours", where="letter", fix="Make a new one")
    return changed.encode()


def asked_for(document: bytes) -> list[str]:
    """What somebody chose and wrote in the form of a letter, as the document has it: to whom, and the remark."""
    return _ASKED.findall(document.decode())


def article(document: bytes) -> Markup:
    """The letter within its document, for a page of ours: it was escaped when it was made."""
    found = _ARTICLE.search(document.decode())
    return Markup(found[0] if found else "")


def style_hashes(document: bytes) -> str:
    """What a content policy has to allow so that the document keeps its own style, and nothing else."""
    hashes = (b64encode(hashlib.sha256(style).digest()).decode() for style in _STYLE.findall(document))
    return " ".join(f"'sha256-{one}'" for one in hashes)
