"""The site layer: the numbers and lists that a site sets for itself and the switches it throws, laid over a release.

Laying a layer over a rule set gives another rule set, with a document and a hash of its own, that names the release
it came from, the layer, and for each change who made it, when and why. What a layer does not name keeps every byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, cast

from pathway.canonical import canonical, parse, sha256
from pathway.conditions import ORDERED, leaves
from pathway.errors import RuleBookError
from pathway.forms import SITE, Stratum
from pathway.kleene import compare
from pathway.rulebook import RuleSet, bounds, from_document


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """Which rule of which set an entry is about, who answers for it, since when and why.

    A switch without a rule is thrown for the whole rule set; a list has none, for several rules may count by it.
    `where` is file and line, for messages.
    """

    rule_set: str
    rule: str
    set_on: str
    by: tuple[str, ...]
    reason: str
    where: str = field(compare=False)

    def note(self) -> dict[str, Any]:
        """What the effective document keeps of it."""
        return {"set-on": self.set_on, "by": list(self.by), "reason": self.reason}

    def fault(self, what: str, fix: str) -> RuleBookError:
        """What is wrong with it, where it stands."""
        return RuleBookError(what, where=self.where, fix=fix)


@dataclass(frozen=True, slots=True, order=True)
class Override:
    """A number that the site puts in the place of a rule's own, in the same unit."""

    entry: Entry
    parameter: str
    value: int | Decimal
    unit: str


@dataclass(frozen=True, slots=True, order=True)
class Choice:
    """The items of a rule set's list that count at the site, from among those that its rules write."""

    entry: Entry
    name: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One site's entries; their order never matters.

    `status` is draft, or active with two names on each override and each list.
    """

    name: str
    status: str
    overrides: tuple[Override, ...] = ()
    off: tuple[Entry, ...] = ()
    lists: tuple[Choice, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of what the layer says, however its file is laid out."""
        numbers = [
            {**one.entry.note(), "rule-set": one.entry.rule_set, "rule": one.entry.rule, "parameter": one.parameter,
             "value": one.value, "unit": one.unit}
            for one in sorted(self.overrides)
        ]  # fmt: skip
        off = [{**one.note(), "rule-set": one.rule_set, "rule": one.rule} for one in sorted(self.off)]
        chosen = [
            {**one.entry.note(), "rule-set": one.entry.rule_set, "list": one.name, "items": list(one.items)}
            for one in sorted(self.lists)
        ]
        said = {"site": self.name, "status": self.status, "parameters": numbers, "off": off}
        return sha256(canonical(said | ({"lists": chosen} if chosen else {})))

    def switch(self, rule_set: str) -> Entry | None:
        """The switch that is thrown for a whole rule set, if one is."""
        return next((one for one in self.off if one.rule_set == rule_set and not one.rule), None)

    def check_names(self, known: frozenset[str]) -> None:
        """Refuse an entry about a rule set that is not known: a switch with a slip of the pen must not go unnoticed."""
        for entry in (*(one.entry for one in (*self.overrides, *self.lists)), *self.off):
            if entry.rule_set not in known:
                raise entry.fault(f"no rule set {entry.rule_set!r}", f"Known: {', '.join(sorted(known))}")

    def apply(self, rule_set: RuleSet) -> RuleSet:
        """The rule set as it holds at this site; the very same one where the layer does not name it.

        RuleBookError, with file and line, for an entry that does not fit.
        """
        overrides = [one for one in self.overrides if one.entry.rule_set == rule_set.id]
        off = [one for one in self.off if one.rule_set == rule_set.id and one.rule]
        lists = [one for one in self.lists if one.entry.rule_set == rule_set.id]
        if not overrides and not off and not lists:
            return rule_set
        document = parse(rule_set.body)
        rules = {rule["id"]: rule for rule in document["rules"]}
        for one in overrides:
            _override(_rule(rules, one.entry, rule_set), one, rule_set)
        for choice in lists:
            _check_listed(choice, rule_set)
        chosen = _chosen(document, lists)
        for switch in off:
            _check_may_rest(_rule(rules, switch, rule_set), switch)
        resting = {one.rule: one.note() for one in off}
        document["rules"] = [rule for rule in document["rules"] if rule["id"] not in resting]
        if self.status != "active":  # what nobody approved is a draft, whatever it is laid over
            document["ruleset"]["status"] = "draft"
        document["site"] = {
            "name": self.name, "status": self.status, "sha256": self.sha256, "base": rule_set.sha256, "off": resting,
            **({"lists": chosen} if chosen else {}),
        }  # fmt: skip
        try:
            laid = from_document(document)
        except RuleBookError as fault:
            entries = [*(one.entry for one in lists), *(one.entry for one in overrides), *off]
            entry = next((one for one in entries if one.rule == fault.where), entries[0])
            raise entry.fault(fault.what, fault.fix) from fault
        for one in overrides:
            _check_plausible(one, laid)
        return laid


_NEVER_OLD: Final = timedelta(days=366)
"""The longest that a site may trust a dated value. A project default of 2026-11-22, awaiting a clinician's sign-off."""

EMPTY: Final = Layer("none", "draft")
"""The layer of a site that changes nothing."""


def _rule(rules: Mapping[str, Any], entry: Entry, rule_set: RuleSet) -> dict[str, Any]:
    if entry.rule not in rules:
        what = f"{rule_set.release} has no rule {entry.rule!r}"
        raise entry.fault(what, f"`pathway rules show` lists them, such as {next(iter(rules))}")
    return rules[entry.rule]


def _override(rule: dict[str, Any], one: Override, rule_set: RuleSet) -> None:
    """Put the site's number into a rule of a document."""
    known = rule.get("parameters", {})
    own = known.get(one.parameter)
    if own is None:
        fix = f"Its parameters: {', '.join(known) or 'none'}; a site adds none"
        raise one.entry.fault(f"{rule['id']} has no parameter {one.parameter!r}", fix)
    if one.unit != own["unit"]:
        raise one.entry.fault(f"{one.parameter} is in {own['unit']!r}, not in {one.unit!r}", "Keep the unit")
    if rule_set.kind == "coverage" and own["status"] != "project-default":
        what = f"{one.parameter} is the payer's number, not the site's"
        raise one.entry.fault(what, "Override only project defaults of a coverage set")
    known[one.parameter] = {
        **one.entry.note(), "value": one.value, "unit": one.unit, "status": SITE, "was": own["value"],
    }  # fmt: skip


def _check_listed(one: Choice, rule_set: RuleSet) -> None:
    """A list is the rule set's own, and holds items that a rule writes; what a payer lists is the payer's."""
    known = rule_set.document["ruleset"].get("lists", {})
    if one.name not in known:
        fix = f"Its lists: {', '.join(known) or 'none'}; a site adds none"
        raise one.entry.fault(f"{rule_set.release} has no list {one.name!r}", fix)
    if rule_set.kind == "coverage":
        fix = "Leave it as it is: a site sets lists of other kinds alone"
        raise one.entry.fault(f"{one.name} is the payer's list, not the site's", fix)
    written = dict.fromkeys(item for rule in rule_set.document["rules"] for item in _written(rule, one.name))
    strange = [item for item in one.items if item not in written]
    if strange:
        raise one.entry.fault(f"{one.name} has no item {strange[0]!r}", f"Its items: {', '.join(written)}")


def _written(raw: Any, name: str) -> Iterator[str]:
    """The items that a rule of a document counts by a list."""
    if isinstance(raw, Mapping):
        body = cast(Mapping[str, Any], raw)
        if body.get("listed-in") == name:
            yield from body["of"]
        raw = list(body.values())
    if isinstance(raw, list):
        for part in cast(list[Any], raw):
            yield from _written(part, name)


def _chosen(document: Mapping[str, Any], lists: Iterable[Choice]) -> dict[str, Any]:
    """Put the site's lists into a document; for each what the document says of it, with what it was."""
    known, said = document["ruleset"].get("lists", {}), dict[str, Any]()
    for one in lists:
        said[one.name] = {**one.entry.note(), "was": known[one.name]}
        known[one.name] = list(one.items)
    return said


def _check_plausible(one: Override, laid: RuleSet) -> None:
    """A bound that no value or every one meets would decide for everybody: a slip of the pen, or a switch in disguise.

    So would an age at which nothing ever grows old.
    """
    (rule,) = (rule for rule in laid.rules() if rule.id == one.entry.rule)
    (written,) = (each for each in laid.document["rules"] if each["id"] == one.entry.rule)
    was = written["parameters"][one.parameter]["was"]
    for leaf in bounds(rule):
        datum = leaf.datum
        fix = f"{datum.id} lies between {datum.lo} and {datum.hi} {datum.unit}"
        if not datum.plausible(Decimal(cast(int, leaf.operand)).scaleb(-datum.places)):
            raise one.entry.fault(f"no {datum.title.lower()} can reach {one.value} {one.unit}", fix)
        if leaf.op in ORDERED and len({compare(leaf, end) for end in (datum.lo, datum.hi) if end is not None}) == 1:
            raise one.entry.fault(f"{one.value} {one.unit} tells no {datum.id} from another: it decides for all", fix)
        signed = datum.lo is not None and datum.lo < 0 and leaf.operand == datum.scaled(Decimal(one.value))
        if signed and was * one.value <= 0 != was:
            what = f"{one.parameter} of {one.value} {one.unit} is no longer a change in the direction of {was}"
            raise one.entry.fault(what, "Keep its sign, and more than 0: a rise stays a rise, a fall a fall")
    for leaf in (leaf for part in rule.conditions() for leaf in leaves(part)):
        if leaf.within is not None and leaf.within > _NEVER_OLD.total_seconds():
            what = f"with {one.parameter} of {one.value} {one.unit} {leaf.datum.title.lower()} hardly ever grows old"
            raise one.entry.fault(what, f"At most {_NEVER_OLD.days} d")


def _check_may_rest(rule: Mapping[str, Any], switch: Entry) -> None:
    """Only an obligation may be switched off alone: other rules conclude from a criterion or an outcome."""
    if rule["stratum"] != Stratum.OBLIGATIONS:
        raise switch.fault(
            f"{rule['id']} is not an obligation: what it concludes, other rules count on",
            "Leave rule out to switch off the whole rule set, or override its numbers",
        )
