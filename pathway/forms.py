"""The forms of rule files: which keys a rule, a parameter, a citation and a rule set have, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast

from pathway import strict_yaml
from pathway.conditions import SECONDS, Parameter
from pathway.effective import Period
from pathway.errors import RuleBookError
from pathway.vocabulary import Scope

VERDICTS: Final = ("met", "not-met", "unknown")


class Stratum(StrEnum):
    """The three strata; each is closed before the next begins."""

    CRITERIA = "criteria"
    RECOMMENDATION = "recommendation"
    OBLIGATIONS = "obligations"


_RULE_KEYS: Final = (
    "id", "title", "stratum", "scope", "catalogue", "role", "per", "parameters", "outcome", "when", "closed-by",
    "lasts-through", "task", "due", "owner", "priority", "ask", "say", "evidence",
)  # fmt: skip
_EVERY: Final = ("id", "title", "stratum", "scope")
_NEEDED: Final[Mapping[Stratum, tuple[str, ...]]] = {
    Stratum.CRITERIA: ("role", "when", "say", "evidence"),
    Stratum.RECOMMENDATION: ("outcome", "when", "say"),
    Stratum.OBLIGATIONS: ("per", "when", "closed-by", "task", "due", "owner", "priority", "say", "evidence"),
}
SAYS: Final[Mapping[Stratum, tuple[str, ...]]] = {
    Stratum.CRITERIA: VERDICTS,
    Stratum.RECOMMENDATION: ("reason",),
    Stratum.OBLIGATIONS: ("open", "closed"),
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "stratum": tuple(Stratum),
    "scope": tuple(Scope),
    "role": ("gate", "flag", "note"),
    "per": ("patient", "episode", "procedure"),
    "priority": ("routine", "urgent", "asap", "stat"),
    "owner": ("coordinator", "nurse", "clinician", "operator", "on-call"),
}
SITE: Final = "site"
"""The status of a parameter that a site's own layer has set; no rule file may say it."""
_READ: Final = ("read", "abstract", "secondary", "project-default")
NOT_VERIFIED: Final = "not-verified"
"""How a statement of a header stands for which nobody found a text that says it."""

_HEADER: Final = (
    "id", "family", "kind", "version", "title", "question", "status", "effective", "approvers", "lcd", "contractor",
    "jurisdiction", "applies-to", "lists", "shared", "hit-order", "refusals", "evidence", "open-questions", "developer",
    "funding", "sources",
)  # fmt: skip
_HEADER_NEEDED: Final = ("id", "kind", "version", "title", "question", "status", "effective", "approvers", "sources")
_COVERAGE: Final = ("family", "lcd", "contractor", "jurisdiction", "applies-to", "evidence", "open-questions")
"""What coverage says beyond the others: whose it is, for whom and where it holds, what it rests on, what is open."""

_KINDS: Final = ("clinical", "coverage", "safety", "follow-up", "bone-health", "measure")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VERSION: Final = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def check_rule(document: Mapping[str, Any], where: str, text: str = "") -> None:
    """Refuse a rule with a key missing, unknown or (where `text` is its file) out of order, or a value not known.

    Raises RuleBookError with file, line, key and fix.
    """
    for key in document:
        if key not in _RULE_KEYS:
            fix = f"Known keys, in order: {', '.join(_RULE_KEYS)}"
            raise RuleBookError(f"unknown key {key!r}", where=_place(where, text, key), fix=fix)
    if text and list(document) != sorted(document, key=_RULE_KEYS.index):
        raise RuleBookError("the keys are out of order", where=where, fix=f"Order: {', '.join(_RULE_KEYS)}")
    for key, choices in _CHOICES.items():
        if key in document and document[key] not in choices:
            place = _place(where, text, key)
            raise RuleBookError(
                f"{key} {document[key]!r} is not known", where=place, fix=f"One of: {', '.join(choices)}"
            )
    stratum = document.get("stratum", "")
    for key in (*_EVERY, *(_NEEDED[Stratum(stratum)] if stratum else ())):
        if key not in document:
            raise RuleBookError(
                f"key {key!r} is missing", where=where, fix=f"A rule of {stratum or 'any stratum'} says it"
            )
    wanted = SAYS[Stratum(stratum)]
    if set(document["say"]) != set(wanted):
        place = _place(where, text, "say")
        raise RuleBookError("say holds other messages than it should", where=place, fix=f"Say: {', '.join(wanted)}")
    for citation in document.get("evidence", ()):
        _check_citation(citation, where)


def _place(where: str, text: str, key: str) -> str:
    return f"{where}:{strict_yaml.line_of(text, key)}" if text else where


def _check_citation(citation: Mapping[str, Any], where: str) -> None:
    for key in ("label", "strength", "read", "status"):
        if key not in citation:
            raise RuleBookError(f"a citation lacks {key!r}", where=where, fix="Give label, strength, read, status")
    if citation["status"] not in _READ:
        what = f"a citation with status {citation['status']!r} may not ship"
        raise RuleBookError(what, where=where, fix="Read the source first")


def parameter(key: str, body: Mapping[str, Any], where: str) -> Parameter:
    """One parameter: a plain number, its unit, how it is known and since when."""
    for name in ("value", "unit", "status", "set-on"):
        if name not in body:
            fix = "Give value, unit, status, set-on"
            raise RuleBookError(f"parameter {key!r} lacks {name!r}", where=where, fix=fix)
    value, unit = body["value"], body["unit"]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RuleBookError(f"parameter {key!r} is no plain number", where=where, fix="Write 18 or 2.5")
    if unit in SECONDS and value < 0:
        raise RuleBookError(f"parameter {key!r} is a negative time", where=where, fix="Write how long, without a sign")
    if body["status"] not in (*_READ, SITE):
        what = f"parameter {key!r} has a status that may not ship"
        raise RuleBookError(what, where=where, fix=f"One of: {', '.join(_READ)}")
    if not _DAY.fullmatch(str(body["set-on"])):
        raise RuleBookError(f"parameter {key!r} has no day in set-on", where=where, fix="Write 2026-11-22")
    return Parameter(key, Decimal(value), str(unit), body["status"], body["set-on"])


def check_header(header: Mapping[str, Any]) -> None:
    """Refuse a rule set's header with a key missing or unknown, or a kind, version or status that is none."""
    where = f"{header.get('id')}/ruleset.yaml"
    for key in header:
        if key not in _HEADER:
            raise RuleBookError(f"unknown key {key!r}", where=where, fix=f"Known keys: {', '.join(_HEADER)}")
    for key in _HEADER_NEEDED:
        if key not in header:
            raise RuleBookError(f"key {key!r} is missing", where=where, fix="Add it")
    for key, choices in (("kind", _KINDS), ("status", ("draft", "active", "retired"))):
        if header[key] not in choices:
            raise RuleBookError(f"{key} {header[key]!r} is not known", where=where, fix=f"One of: {', '.join(choices)}")
    Period.read(header["effective"], where)
    _check_coverage(header, where)
    if not _VERSION.fullmatch(str(header["version"])):
        raise RuleBookError("the version is not like 0.1.0", where=where, fix="Write three plain numbers")
    if header["status"] == "active" and len(cast(list[str], header["approvers"])) < 2:
        raise RuleBookError("an active rule set names two approvers", where=where, fix="Keep it draft")


def _check_coverage(header: Mapping[str, Any], where: str) -> None:
    """Whose LCD it is and where it holds is said by coverage, each with how it is known; and only by coverage."""
    if header["kind"] != "coverage":
        strange = [key for key in _COVERAGE if key in header]
        if strange:
            raise RuleBookError(
                f"{strange[0]!r} belongs to coverage", where=where, fix="Leave it out, or mend the kind"
            )
        return
    for key in _COVERAGE:
        if key not in header:
            raise RuleBookError(f"key {key!r} is missing", where=where, fix="Coverage says it")
    for part in (header["contractor"], *header["jurisdiction"]):
        for key in ("name", "status", "from"):
            if not part.get(key):
                raise RuleBookError(f"{part} lacks {key!r}", where=where, fix="Give name, status and from")
        if part["status"] not in (*_READ, NOT_VERIFIED):
            fix = f"One of: {', '.join((*_READ, NOT_VERIFIED))}"
            raise RuleBookError(f"{part['name']} has a status that is not known", where=where, fix=fix)
    for citation in header["evidence"]:
        _check_citation(citation, where)
