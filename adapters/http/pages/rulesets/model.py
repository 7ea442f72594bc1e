"""What the pages of rule sets show: which versions there are, which is in force, and each rule of one in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.http.pages.evidence import Citation, citations, quantity
from pathway import releases
from pathway.conditions import Parameter
from pathway.effective import Period
from pathway.forms import Stratum
from pathway.prose import closed_when, kind, then, when
from pathway.rulebook import Rule, RuleSet

STRATA: Final[Mapping[Stratum, str]] = {
    Stratum.CRITERIA: "Criteria",
    Stratum.RECOMMENDATION: "Outcomes",
    Stratum.OBLIGATIONS: "Obligations",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a rule set; `frozen` says that its bytes can never change, `deciding` that it decides today."""

    number: str
    sha256: str
    status: str
    period: str
    frozen: bool
    deciding: bool


@dataclass(frozen=True, slots=True)
class Head:
    """One version of a rule set as its header tells of it."""

    id: str
    title: str
    question: str
    kind: str
    status: str
    version: str
    sha256: str
    effective: str
    approvers: tuple[str, ...]
    deciding: bool
    site: str
    basis: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Number:
    """One parameter of a rule: its value with its unit, how sure it is, and since when it is so."""

    id: str
    value: str
    status: str
    set_on: str


@dataclass(frozen=True, slots=True)
class Told:
    """One rule in words."""

    id: str
    title: str
    kind: str
    when: str
    then: str
    closed: str
    lasts: str
    catalogue: str
    says: tuple[tuple[str, str], ...]
    numbers: tuple[Number, ...]
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """One version of a rule set from end to end."""

    head: Head
    strata: tuple[tuple[str, tuple[Told, ...]], ...]
    outcomes: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    questions: tuple[str, ...]


def heads(root: Path, deciding: Mapping[str, RuleSet]) -> tuple[Head, ...]:
    """What decides today, in its order; then the newest version of every other rule set that was ever frozen."""
    lock = releases.read_lock(root)
    resting = [releases.read(root, id, _newest_first(lock[id])[0]) for id in lock if id not in deciding]
    return tuple(head(one, deciding) for one in (*deciding.values(), *resting))


def head(rule_set: RuleSet, deciding: Mapping[str, RuleSet]) -> Head:
    """The header of one version."""
    raw: Mapping[str, Any] = rule_set.document["ruleset"]
    now = deciding.get(rule_set.id)
    return Head(
        id=rule_set.id, title=rule_set.title, question=rule_set.question, kind=rule_set.kind, status=rule_set.status,
        version=rule_set.version, sha256=rule_set.sha256,
        effective=str(Period.read(raw["effective"], rule_set.id)),
        approvers=tuple(_approver(one) for one in raw["approvers"]),
        deciding=now is not None and rule_set.sha256 in (now.sha256, now.site.get("base")),
        site=str(rule_set.site.get("name", "")), basis=raw.get("basis", {}),
    )  # fmt: skip


def versions(root: Path, id: str, deciding: Mapping[str, RuleSet]) -> tuple[Version, ...]:
    """Every frozen version of a rule set, highest first; before them the one that decides, where it is not frozen."""
    now = deciding.get(id)
    told = [
        Version(
            one.version, one.sha256, one.status, str(one.period), frozen=True,
            deciding=now is not None and one.sha256 in (now.sha256, now.site.get("base")),
        )
        for one in releases.versions(root, id)
    ]  # fmt: skip
    if now is not None and not any(one.deciding for one in told):
        top = head(now, deciding)
        told.insert(0, Version(now.version, now.sha256, now.status, top.effective, frozen=False, deciding=True))
    return tuple(told)


def whole(rule_set: RuleSet, deciding: Mapping[str, RuleSet]) -> Whole:
    """One version with every rule in words, stratum by stratum."""
    raw: Mapping[str, Any] = rule_set.document["ruleset"]
    strata = (
        (title, tuple(_told(rule_set, rule) for rule in rule_set.rules() if rule.stratum is stratum))
        for stratum, title in STRATA.items()
    )
    attributes = {"developer": raw.get("developer", ""), "funding": raw.get("funding", ""), **raw["sources"]}
    return Whole(
        head=head(rule_set, deciding), strata=tuple((title, rules) for title, rules in strata if rules),
        outcomes=rule_set.hit_order,
        attributes=tuple((name.replace("-", " "), str(text)) for name, text in attributes.items() if text),
        questions=tuple(str(question) for question in raw.get("open-questions", ())),
    )  # fmt: skip


def _told(rule_set: RuleSet, rule: Rule) -> Told:
    raw: Mapping[str, Any] = rule.document or {}
    return Told(
        id=rule.id, title=rule.title, kind=kind(rule), when="\n".join(when(rule)), then=then(rule),
        closed="\n".join(closed_when(rule)), lasts=", ".join(name.replace("-", " ") for name in rule.lasts_through),
        catalogue=", ".join(raw.get("catalogue", ())),
        says=tuple((name.replace("-", " "), text) for name, text in rule.say.items()),
        numbers=tuple(_number(parameter) for parameter in rule.parameters.values()),
        citations=citations(rule_set, rule),
    )  # fmt: skip


def _number(parameter: Parameter) -> Number:
    return Number(parameter.id, quantity(str(parameter.value), parameter.unit), parameter.status, str(parameter.set_on))


def _newest_first(frozen: Mapping[str, str]) -> list[str]:
    return sorted(frozen, key=lambda number: tuple(int(part) for part in number.split(".")), reverse=True)


def _approver(one: Any) -> str:
    return ", ".join(str(part) for part in one.values()) if isinstance(one, Mapping) else str(one)
