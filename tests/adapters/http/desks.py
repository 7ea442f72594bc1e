"""People at their desks: a client that is signed in, and pages read as a person reads them."""

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient

from adapters.bootstrap import House
from pathway.people import Role
from tests.adapters.http.people import app_of, form_token, peopled, signed


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text with blanks folded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._text += " "

    def handle_data(self, data: str) -> None:
        self._text += data

    @property
    def text(self) -> str:
        return " ".join(self._text.split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self, begin: str) -> list[str]:
        """The addresses that links lead to, of those that begin so."""
        return [href for a in self.all("a") if (href := a.get("href") or "").startswith(begin)]


class Desk:
    """Somebody of a role, signed in to a house."""

    def __init__(self, house: House, role: str) -> None:
        with house.store.accounts(write=False) as accounts:
            known = accounts.find(Role.COORDINATOR) is not None
        if not known:
            peopled(house)
        self.client: FlaskClient = signed(app_of(house), house, role)

    def read(self, address: str, status: int = 200, *, part: bool = False) -> Reader:
        """A page, or for htmx the part of one."""
        answer = self.client.get(address, headers=_asking(part))
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.get_data(as_text=True)[:2000]
        return Reader(answer.get_data(as_text=True))

    def act(self, id: str, act: str, version: int = 1, *, part: bool = False, **fields: Any) -> Any:
        """An act on a task, as the form sends it."""
        form = {"act": act, "version": str(version), "csrf_token": form_token(self.client, "/rulesets"), **fields}
        return self.client.post(f"/tasks/{id}", data=form, headers=_asking(part))


def _asking(part: bool) -> dict[str, str]:
    """What a browser says, or htmx in it."""
    return {"Accept": "*/*", "HX-Request": "true"} if part else {"Accept": "text/html,*/*;q=0.8"}


def bands(page: Reader) -> dict[str, list[str]]:
    """The text of each row of the work list, by the band that it stands in."""
    found: dict[str, list[str]] = {}
    for section in re.findall(r'<section class="band .*?</section>', page.html, re.DOTALL):
        title = re.search(r'<h2 id="band-([a-z]+)"', section)
        assert title
        rows = re.findall(r'<li class="task .*?</li>', section, re.DOTALL)
        found[title[1]] = [Reader(row).text for row in rows]
    return found


def ids(page: Reader) -> list[str]:
    """The tasks of a list, from the top."""
    return re.findall(r'<li class="task [^"]*" id="task-([0-9a-f-]+)"', page.html)
