"""Places: which Medicare contractor's area an address lies in, from `fhir_profiles/medicare-jurisdictions.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from adapters.fhir.terminology import PROFILES
from pathway import strict_yaml
from pathway.errors import RuleBookError

ELSEWHERE: Final = "elsewhere"
_FILE: Final = "medicare-jurisdictions.yaml"
_UNITED_STATES: Final = frozenset({"us", "usa", "unitedstates", "unitedstatesofamerica"})


@dataclass(frozen=True, slots=True)
class Found:
    """What an address says: a jurisdiction or `elsewhere`; not `sure` where it is only likely, empty where unknown.

    `state` is its two letters, small, or `elsewhere`; where it is known it is sure, though two contractors share it.
    """

    jurisdiction: str
    sure: bool
    why: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """States by their two letters and by name, each with its jurisdiction; and states that two contractors share."""

    states: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]
    divided: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, folder: Path = PROFILES) -> Places:
        """Read the table; RuleBookError for a state without a source that the file names."""
        document = strict_yaml.read_file(folder / _FILE, folder)
        for code, row in document["states"].items():
            if not row.get("source") or not set(row["source"]) <= document["sources"].keys():
                raise RuleBookError(f"{code} names no source of the file", where=_FILE, fix="Name one, or leave it out")
        names = {_plain(row["name"]): code for code, row in document["states"].items()}
        return cls(document["states"], names, document["divided"])

    def of_address(self, address: Mapping[str, Any]) -> Found:
        """The jurisdiction of a FHIR Address. A state that is not in the table, or a shared one, is never guessed."""
        state, country = self._state(address.get("state")), _plain(address.get("country"))
        if country and country not in _UNITED_STATES:
            own = self._state(address.get("country"))
            if not self.states.get(own, {}).get("territory"):  # Puerto Rico has a country code of its own
                return Found(ELSEWHERE, True, "outside the United States", ELSEWHERE)
            state = state or own
        if state not in self.states:
            return Found("", False, "its state is not in the table" if address.get("state") else "it has no state")
        return self._within(state, {_plain(address.get("district")), _plain(address.get("city"))})

    def of_setting(self, text: str) -> Found:
        """The site's own: a state, or its jurisdiction where a state is shared, or `elsewhere`; empty is unknown."""
        known = {row["jurisdiction"] for row in self.states.values()} | {ELSEWHERE}
        if text.lower() in known:
            return Found(text.lower(), True, "the site's own setting", ELSEWHERE if text.lower() == ELSEWHERE else "")
        if not text:
            return Found("", False, "the site's own state is not set")
        if self._state(text) not in self.states:
            raise RuleBookError(
                "the site's own state is not in the table", where="PATHWAY_PLACE_STATE",
                fix="Give its two letters, a jurisdiction such as jm, or elsewhere",
            )  # fmt: skip
        return self._within(self._state(text), set())

    def _state(self, text: Any) -> str:
        plain = _plain(text)
        return plain.upper() if plain.upper() in self.states else self.names.get(plain, "")

    def _within(self, state: str, towns: set[str]) -> Found:
        own = str(self.states[state]["jurisdiction"])
        shared = self.divided.get(state)
        if shared is None:
            return Found(own, True, f"{state} lies in {own.upper()}", state.lower())
        inside = {town.removesuffix("county") for town in towns} & {_plain(name) for name in shared["districts"]}
        likely = str(shared["also"]) if inside else own
        why = f"{state} is shared by {own.upper()} and {shared['also'].upper()}"
        return Found(likely, False, why, state.lower())


@cache
def places() -> Places:
    """The table as it is shipped, read once."""
    return Places.load()


def _plain(text: Any) -> str:
    """A name as it is compared: letters alone, without case."""
    return "".join(c for c in text.lower() if c.isalpha()) if isinstance(text, str) else ""
