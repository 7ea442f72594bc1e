"""The rule book: rule sets read from data, checked, and frozen into releases by hash.

A release document is everything that a decision depends on: the rule set, its rules, its parameters and the
vocabulary. The same code reads YAML in the working tree and a frozen release of two years ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pathway import forms, strict_yaml
from pathway.canonical import canonical, sha256
from pathway.conditions import SECONDS, Condition, Leaf, Parameter, Reader, leaves
from pathway.errors import RuleBookError
from pathway.forms import VERDICTS, Stratum
from pathway.vocabulary import Datum, Kind, Scope, Vocabulary


@dataclass(frozen=True, slots=True)
class Due:
    """When a task is due: a time after an event (`asked`, `onset` or `cement`), in seconds."""

    after: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of any stratum; what does not belong to its stratum is empty."""

    id: str
    title: str
    stratum: Stratum
    scope: Scope
    when: Condition
    say: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    role: str = ""
    ask: str = ""
    outcome: str = ""
    per: str = ""
    task: str = ""
    due: Due | None = None
    closed_by: Condition | None = None
    lasts_through: tuple[str, ...] = ()
    owner: str = ""
    priority: str = ""
    document: Mapping[str, Any] | None = None

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the rule."""
        return (self.when,) if self.closed_by is None else (self.when, self.closed_by)

    def reads(self) -> tuple[str, ...]:
        """The names that the rule compares, in written order, each once."""
        return tuple(dict.fromkeys(leaf.datum.id for part in self.conditions() for leaf in leaves(part)))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One rule set with all it depends on: ready to decide with, and hashed as a release."""

    id: str
    kind: str
    version: str
    title: str
    question: str
    status: str
    hit_order: tuple[str, ...]
    refusals: frozenset[str]
    criteria: tuple[Rule, ...]
    recommendations: tuple[Rule, ...]
    obligations: tuple[Rule, ...]
    vocabulary: Vocabulary
    document: Mapping[str, Any]
    body: bytes
    sha256: str

    @property
    def release(self) -> str:
        """`id|version`, as it stands on tasks and cards."""
        return f"{self.id}|{self.version}"

    def rules(self) -> tuple[Rule, ...]:
        """All rules, stratum by stratum."""
        return (*self.criteria, *self.recommendations, *self.obligations)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rule sets of a folder, in order of id, and the vocabulary that they share."""

    sets: Mapping[str, RuleSet]
    vocabulary: Vocabulary

    def choose(self, ids: Iterable[str]) -> tuple[RuleSet, ...]:
        """The named rule sets; RuleBookError that lists the known ones for a name that is not there."""
        chosen: list[RuleSet] = []
        for id in ids:
            if id not in self.sets:
                raise RuleBookError(f"no rule set {id!r}", fix=f"Known: {', '.join(self.sets)}")
            chosen.append(self.sets[id])
        return tuple(chosen)


def load(root: Path) -> RuleBook:
    """Read a rules folder: `vocabulary.yaml`, `shared/*.yaml` and `<rule-set>/ruleset.yaml` with its rules."""
    vocabulary_document = strict_yaml.read_file(root / "vocabulary.yaml", root)
    vocabulary = Vocabulary.from_document(vocabulary_document)
    shared = {d["id"]: d for d in _documents(root / "shared", root)}
    sets: dict[str, RuleSet] = {}
    for path in sorted(root.glob("*/ruleset.yaml")):
        header = strict_yaml.read_file(path, root)
        where = path.relative_to(root).as_posix()
        missing = [id for id in header.get("shared", ()) if id not in shared]
        if missing:
            raise RuleBookError(f"no shared rule {missing[0]!r}", where=where, fix=f"Known: {', '.join(shared)}")
        rules = [shared[id] for id in header.get("shared", ())] + _documents(path.parent, root)
        if header.get("id") != path.parent.name:
            raise RuleBookError("the id differs from the folder's name", where=where, fix="Make them the same")
        sets[path.parent.name] = from_document({"ruleset": header, "rules": rules, "vocabulary": vocabulary_document})
    return RuleBook(sets, vocabulary)


def _documents(folder: Path, root: Path) -> list[dict[str, Any]]:
    paths = [
        p for p in sorted(folder.glob("*.yaml")) if p.name != "ruleset.yaml" and not p.name.endswith(".cases.yaml")
    ]
    documents: list[dict[str, Any]] = []
    for path in paths:
        document = strict_yaml.read_file(path, root)
        where = path.relative_to(root).as_posix()
        if document.get("id") != f"{folder.name}.{path.stem}":
            raise RuleBookError(
                "the id does not follow from the file's name", where=where, fix=f"Write id: {folder.name}.{path.stem}"
            )
        forms.check_rule(document, where, path.read_text(encoding="utf-8"))
        documents.append(document)
    return documents


def from_document(document: Mapping[str, Any]) -> RuleSet:
    """The rule set in a release document, checked as a whole. The same for working files and frozen releases."""
    header: Mapping[str, Any] = document["ruleset"]
    vocabulary = Vocabulary.from_document(document["vocabulary"])
    forms.check_header(header)
    by_stratum: dict[Stratum, list[Mapping[str, Any]]] = {stratum: [] for stratum in Stratum}
    for raw in document["rules"]:
        forms.check_rule(raw, str(raw.get("id")))
        by_stratum[Stratum(raw["stratum"])].append(raw)
    criteria = [_rule(raw, _names(vocabulary, (), raw)) for raw in by_stratum[Stratum.CRITERIA]]
    verdicts = [_verdict_datum(rule) for rule in criteria]
    recommendations = [_rule(raw, _names(None, verdicts, raw)) for raw in by_stratum[Stratum.RECOMMENDATION]]
    if recommendations:
        verdicts.append(_outcome_datum(header))
    obligations = [_rule(raw, _names(vocabulary, verdicts, raw)) for raw in by_stratum[Stratum.OBLIGATIONS]]
    body = canonical(document)
    rule_set = RuleSet(
        id=header["id"], kind=header["kind"], version=header["version"], title=header["title"],
        question=header["question"], status=header["status"], hit_order=tuple(header.get("hit-order", ())),
        refusals=frozenset(header.get("refusals", ())), criteria=tuple(criteria),
        recommendations=tuple(recommendations), obligations=tuple(obligations), vocabulary=vocabulary,
        document=document, body=body, sha256=sha256(body),
    )  # fmt: skip
    _check_whole(rule_set)
    return rule_set


def _names(vocabulary: Vocabulary | None, verdicts: Sequence[Datum], raw: Mapping[str, Any]) -> dict[str, Datum]:
    """What a rule of this scope may read."""
    scope = Scope(raw["scope"])
    data = list(vocabulary.data.values()) if vocabulary else []
    return {datum.id: datum for datum in (*data, *verdicts) if scope.sees(datum.scope)}


def _verdict_datum(rule: Rule) -> Datum:
    return Datum(rule.id, rule.title, Kind.CODE, rule.scope, "decided", "not-met", "decided", values=VERDICTS)


def _outcome_datum(header: Mapping[str, Any]) -> Datum:
    values = tuple(header["hit-order"])
    return Datum("outcome", "Outcome", Kind.CODE, Scope.LEVEL, "decided", "decided", "decided", values=values)


def _rule(raw: Mapping[str, Any], names: Mapping[str, Datum]) -> Rule:
    where = str(raw["id"])
    stratum = Stratum(raw["stratum"])
    parameters = {key: forms.parameter(key, body, where) for key, body in raw.get("parameters", {}).items()}
    reader = Reader(names, parameters, where)
    due = raw.get("due")
    return Rule(
        id=where, title=raw["title"], stratum=stratum, scope=Scope(raw["scope"]), when=reader.read(raw["when"]),
        say=raw["say"], parameters=parameters, role=raw.get("role", ""), ask=raw.get("ask", ""),
        outcome=raw.get("outcome", ""), per=raw.get("per", ""), task=raw.get("task", ""),
        due=_due(due, parameters, where) if due else None,
        closed_by=reader.read(raw["closed-by"]) if "closed-by" in raw else None,
        lasts_through=tuple(raw.get("lasts-through", ())),
        owner=raw.get("owner", ""), priority=raw.get("priority", ""), document=raw,
    )  # fmt: skip


def _due(raw: Mapping[str, Any], parameters: Mapping[str, Parameter], where: str) -> Due:
    if raw.get("after") not in ("asked", "onset", "cement") or raw.get("duration") not in parameters:
        raise RuleBookError(
            "due names no event or no declared duration",
            where=where,
            fix="after: asked | onset | cement; duration: a parameter",
        )
    duration = parameters[raw["duration"]]
    if duration.unit not in SECONDS:
        raise RuleBookError(f"{duration.id!r} is no duration", where=where, fix=f"Units of time: {', '.join(SECONDS)}")
    return Due(raw["after"], duration.seconds)


def _check_whole(rule_set: RuleSet) -> None:
    """What only the whole set can show: ids once, outcomes in the hit order and reachable, MEM never as evidence."""
    where = f"{rule_set.id}/ruleset.yaml"
    seen: set[str] = set()
    for rule in rule_set.rules():
        if rule.id in seen:
            raise RuleBookError(f"rule {rule.id!r} stands twice", where=where, fix="Ids are for ever and once")
        seen.add(rule.id)
        if rule.ask and rule.ask not in rule_set.vocabulary.asks:
            raise RuleBookError(f"ask {rule.ask!r} is not declared", where=rule.id, fix="Add it to the vocabulary")
        if rule.role in ("gate", "flag") and not rule.ask:
            mute = [name for name in rule.reads() if not rule_set.vocabulary[name].ask]
            if mute:
                fix = "Give the rule or the datum an ask: what is missing has to be asked for"
                raise RuleBookError(f"nothing says how {mute[0]!r} is got", where=rule.id, fix=fix)
    outcomes = {rule.outcome for rule in rule_set.recommendations}
    for rule in rule_set.obligations:
        strange = [outcome for outcome in rule.lasts_through if outcome not in outcomes]
        if strange:
            raise RuleBookError(f"{strange[0]!r} is no outcome", where=rule.id, fix="Mend lasts-through")
    if outcomes != set(rule_set.hit_order) or not rule_set.refusals <= outcomes:
        raise RuleBookError(
            "hit order, refusals and rules name different outcomes", where=where, fix="One rule or more per outcome"
        )


def bounds(rule: Rule) -> tuple[Leaf, ...]:
    """The ordered comparisons of a rule: each needs a case at, below and above."""
    found = (leaf for part in rule.conditions() for leaf in leaves(part))
    return tuple(leaf for leaf in found if isinstance(leaf.operand, int) and not isinstance(leaf.operand, bool))
