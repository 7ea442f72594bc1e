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
    "overtaken-by", "lasts-through", "task", "card", "indicator", "yields-to", "checklist", "start", "due", "expires",
    "opens-within", "owner", "priority", "ask", "say", "evidence",
)  # fmt: skip
_EVERY: Final = ("id", "title", "stratum", "scope")
_NEEDED: Final[Mapping[Stratum, tuple[str, ...]]] = {
    Stratum.CRITERIA: ("role", "when", "say", "evidence"),
    Stratum.RECOMMENDATION: ("outcome", "when", "say"),
    Stratum.OBLIGATIONS: ("per", "when", "closed-by", "task", "due", "owner", "priority", "say", "evidence"),
}
_HINT: Final = ("when", "card", "indicator", "say", "evidence")
"""What an obligation says that gives a dismissible card and never a task."""
_HINT_ALONE: Final = ("indicator", "yields-to")
_TASK_ALONE: Final = (
    "per", "closed-by", "overtaken-by", "lasts-through", "task", "checklist", "start", "due", "expires", "opens-within",
    "owner", "priority",
)  # fmt: skip
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
    "indicator": ("info", "warning"),
}
SITE: Final = "site"
"""The status of a parameter that a site's own layer has set; no rule file may say it."""
_READ: Final = ("read", "abstract", "secondary", "project-default")
NOT_VERIFIED: Final = "not-verified"
"""How a statement of a header stands for which nobody found a text that says it."""

_HEADER: Final = (
    "id", "family", "kind", "version", "title", "question", "basis", "status", "effective", "approvers", "concerns",
    "lcd", "contractor", "jurisdiction", "applies-to", "lists", "shared", "measures", "not-computed", "hit-order",
    "refusals", "evidence", "open-questions", "developer", "funding", "sources",
)  # fmt: skip
_HEADER_NEEDED: Final = ("id", "kind", "version", "title", "question", "status", "effective", "approvers", "sources")
_DETERMINATION: Final = ("family", "lcd", "contractor", "jurisdiction", "applies-to")
"""What the reading of a determination says: whose it is, for whom and where it holds."""
_COVERAGE: Final = (*_DETERMINATION, "concerns", "evidence")
"""What only coverage says. A set that reads no determination says in words whom it `concerns`."""
_OPEN: Final = "open-questions"
"""What nobody has read or settled: coverage has to say it, others may."""
BASIS: Final = ("label", "strength", "read", "status", "funding")
"""What a `basis` says of the work that a policy rests on; who paid for it may be `not-verified`."""
OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "clinical": (
        "out-of-scope", "contraindicated", "not-a-candidate", "needs-specialist-review", "insufficient-data", "defer",
        "candidate",
    ),
}  # fmt: skip
"""The words that tasks of a kind may compare an outcome with, so that sets which never say one can share a task."""

_KINDS: Final = ("clinical", "coverage", "safety", "follow-up", "bone-health", "measure", "considerations")
CONSIDERATIONS: Final = "considerations"
"""The kind that lists what a physician weighs: notes alone, no outcome and no task."""
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
    _check_hint(document, where, text)
    needed = _HINT if "card" in document else _NEEDED[Stratum(stratum)] if stratum else ()
    for key in (*_EVERY, *needed):
        if key not in document:
            raise RuleBookError(
                f"key {key!r} is missing", where=where, fix=f"A rule of {stratum or 'any stratum'} says it"
            )
    wanted = ("open",) if "card" in document else SAYS[Stratum(stratum)]
    if set(document["say"]) != set(wanted):
        place = _place(where, text, "say")
        raise RuleBookError("say holds other messages than it should", where=place, fix=f"Say: {', '.join(wanted)}")
    for citation in document.get("evidence", ()):
        _check_citation(citation, where)


def _check_hint(document: Mapping[str, Any], where: str, text: str) -> None:
    """An obligation gives a task or a card, never both; only a card has an indicator."""
    hint = "card" in document
    strange = [key for key in (_TASK_ALONE if hint else _HINT_ALONE) if key in document]
    if strange:
        what = f"{strange[0]!r} belongs to {'a task, and this rule gives a card' if hint else 'a card'}"
        raise RuleBookError(what, where=_place(where, text, strange[0]), fix="Leave it out, or make two rules of it")
    if hint and document.get("stratum") != Stratum.OBLIGATIONS:
        raise RuleBookError("only an obligation gives a card", where=where, fix=f"stratum: {Stratum.OBLIGATIONS}")


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
    _check_basis(header, where)
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
    determination = any(key in header for key in _DETERMINATION)
    for key in (*(_DETERMINATION if determination else ("concerns",)), "evidence", _OPEN):
        if key not in header:
            raise RuleBookError(f"key {key!r} is missing", where=where, fix="Coverage says it")
    for part in (header["contractor"], *header["jurisdiction"]) if determination else ():
        for key in ("name", "status", "from"):
            if not part.get(key):
                raise RuleBookError(f"{part} lacks {key!r}", where=where, fix="Give name, status and from")
        if part["status"] not in (*_READ, NOT_VERIFIED):
            fix = f"One of: {', '.join((*_READ, NOT_VERIFIED))}"
            raise RuleBookError(f"{part['name']} has a status that is not known", where=where, fix=fix)
    for citation in header["evidence"]:
        _check_citation(citation, where)


def _check_basis(header: Mapping[str, Any], where: str) -> None:
    """A basis is a citation that also says who paid for the work. Sets frozen before there was one have none."""
    if "basis" not in header:
        return
    given = header["basis"]
    if not isinstance(given, Mapping) or set(cast(Mapping[str, Any], given)) != set(BASIS):
        raise RuleBookError("the basis is not whole", where=where, fix=f"Give {', '.join(BASIS)}")
    basis = cast(Mapping[str, Any], given)
    _check_citation(basis, where)
    if not isinstance(basis["funding"], str) or not basis["funding"]:
        fix = f"Write who paid, or {NOT_VERIFIED}"
        raise RuleBookError("the basis does not say who paid for the work", where=where, fix=fix)


def check_policy(header: Mapping[str, Any]) -> None:
    """Refuse a working clinical rule set that does not say what it rests on; asked of the working book alone."""
    if header["kind"] == "clinical" and "basis" not in header:
        fix = f"Write basis: {{{', '.join(BASIS)}}}"
        raise RuleBookError("a clinical policy says what it rests on", where=f"{header['id']}/ruleset.yaml", fix=fix)
