"""The rule book: rule sets read from data, checked, and frozen into releases by hash.

A release document is everything that a decision depends on: the rule set, its rules, its parameters and the
vocabulary. The same code reads YAML in the working tree and a frozen release of two years ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pathway import forms, measure_forms, strict_yaml
from pathway.canonical import canonical, sha256
from pathway.conditions import SECONDS, Condition, Leaf, Lists, Parameter, Reader, leaves
from pathway.errors import RuleBookError
from pathway.forms import VERDICTS, Stratum
from pathway.vocabulary import Datum, Kind, Scope, Vocabulary

VOCABULARY: Final = "vocabulary"
"""The folder of the vocabulary in a rules folder."""


@dataclass(frozen=True, slots=True)
class Due:
    """A time after an event (`asked`, `onset` or `cement`), in seconds; `by_day` says that it was written in days."""

    after: str
    seconds: int
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of any stratum; what does not belong to its stratum is empty.

    `overtaken_by` are the data of `closed_by` by which nothing was done, each with the reason in words: where it does
    not hold without them, the task has been overtaken.

    The period of an obligation runs from `start` to `expires`. It opens before `opens_within`, or else while it has not
    expired; a task that stands by then stays for whoever has it.

    An obligation with a `card` is a hint: it gives a dismissible card while `when` holds, and never a task; it is not
    given while one of the obligations of `yields_to` is open for the patient.
    """

    id: str
    title: str
    stratum: Stratum
    scope: Scope
    when: Condition
    say: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    lists: Lists = field(default_factory=dict[str, tuple[str, ...]])
    role: str = ""
    ask: str = ""
    outcome: str = ""
    per: str = ""
    task: str = ""
    card: str = ""
    indicator: str = ""
    yields_to: tuple[str, ...] = ()
    checklist: tuple[str, ...] = ()
    start: Due | None = None
    due: Due | None = None
    expires: Due | None = None
    opens_within: Due | None = None
    closed_by: Condition | None = None
    overtaken_by: Mapping[str, str] = field(default_factory=dict[str, str])
    lasts_through: tuple[str, ...] = ()
    owner: str = ""
    priority: str = ""
    document: Mapping[str, Any] | None = None
    leaves: tuple[Leaf, ...] = field(init=False, compare=False, repr=False)
    """The comparisons of `when`, in written order: gathered once, for they are asked for with every sentence."""
    names: tuple[str, ...] = field(init=False, compare=False, repr=False)
    """What `reads` says, gathered once, for every case and every check of the book asks."""
    of_person: bool = field(init=False, compare=False, repr=False)
    """Whether it says the same on every sheet: it is about the person, and its words name no vertebra."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaves", tuple(leaves(self.when)))
        named = (leaf.datum.id for part in self.conditions() for leaf in leaves(part))
        object.__setattr__(self, "names", tuple(dict.fromkeys(named)))
        placed = any("{level}" in text or ".place}" in text for text in self.say.values())
        object.__setattr__(self, "of_person", self.scope is Scope.PATIENT and not placed)

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the rule."""
        return (self.when,) if self.closed_by is None else (self.when, self.closed_by)

    def reads(self) -> tuple[str, ...]:
        """The names that the rule compares, in written order, each once."""
        return self.names


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One rule set with all it depends on: ready to decide with, and hashed as a release.

    `applies_to` says for which values of which data of the person it is chosen, among the rule sets of its `family`;
    one without is for everybody. `lcd` is the number of the coverage determination that it reads.
    """

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
    site: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a site layer changed: its `name`, `status` and `sha256`, the `base` release's, and the rules `off`."""
    family: str = ""
    applies_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    lcd: str = ""

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
        """The named rule sets, each once; the name of a family stands for all of its own.

        Raises RuleBookError that lists the known names for one that is not there.
        """
        chosen: dict[str, RuleSet] = {}
        for id in ids:
            members = [one for one in self.sets.values() if id in (one.id, one.family)]
            if not members:
                known = dict.fromkeys([*self.sets, *(one.family for one in self.sets.values() if one.family)])
                raise RuleBookError(f"no rule set {id!r}", fix=f"Known: {', '.join(known)}")
            chosen |= {one.id: one for one in members}
        return tuple(chosen.values())


def load(root: Path) -> RuleBook:
    """Read a rules folder: its vocabulary, and `<rule-set>/ruleset.yaml` with its rules.

    A folder without `ruleset.yaml` is a shelf. A rule set takes in rules of any other folder by naming them.
    """
    vocabulary = read_vocabulary(root)
    folders = sorted({path.parent for path in root.glob("*/*.yaml")} - {root / VOCABULARY})
    own = {folder: _documents(folder, root) for folder in folders}
    every = {document["id"]: document for documents in own.values() for document in documents}
    sets: dict[str, RuleSet] = {}
    for path in sorted(root.glob("*/ruleset.yaml")):
        header = strict_yaml.read_file(path, root)
        where = path.relative_to(root).as_posix()
        missing = [id for id in header.get("shared", ()) if id not in every]
        if missing:
            raise RuleBookError(f"no shared rule {missing[0]!r}", where=where, fix=f"Known: {', '.join(every)}")
        rules = [every[id] for id in header.get("shared", ())] + own[path.parent]
        if header.get("id") != path.parent.name:
            raise RuleBookError("the id differs from the folder's name", where=where, fix="Make them the same")
        sets[path.parent.name] = from_document({"ruleset": header, "rules": rules, "vocabulary": vocabulary.document})
    return RuleBook(sets, vocabulary)


def read_vocabulary(root: Path) -> Vocabulary:
    """The vocabulary of a rules folder: the files of `vocabulary/`, a subject each, together; ids stand once."""
    whole: dict[str, dict[str, Any]] = {"asks": {}, "data": {}}
    files: dict[str, str] = {}
    paths = sorted((root / VOCABULARY).glob("*.yaml"))
    if not paths:
        raise RuleBookError("the folder is missing or empty", where=VOCABULARY, fix="Declare the data there")
    for path in paths:
        where = path.relative_to(root).as_posix()
        for part, rows in strict_yaml.read_file(path, root).items():
            if part not in whole:
                raise RuleBookError(f"unknown key {part!r}", where=where, fix="Known keys: asks, data")
            for id, row in rows.items():
                if id in whole[part]:
                    raise RuleBookError(f"{id!r} stands twice", where=where, fix="Keep one of them")
                whole[part][id] = row
                files[id] = where
    return Vocabulary.from_document(whole, files)


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
    lists = {name: tuple(items) for name, items in header.get("lists", {}).items()}
    criteria = [_rule(raw, _names(vocabulary, (), raw), lists) for raw in by_stratum[Stratum.CRITERIA]]
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
        document=document, body=body, sha256=sha256(body), site=document.get("site", {}),
        family=header.get("family", ""), lcd=header.get("lcd", ""),
        applies_to={datum: tuple(values) for datum, values in header.get("applies-to", {}).items()},
    )  # fmt: skip
    _check_whole(rule_set)
    return rule_set


def _names(vocabulary: Vocabulary | None, verdicts: Sequence[Datum], raw: Mapping[str, Any]) -> dict[str, Datum]:
    """What a rule of this scope may read."""
    seen = {scope for scope in Scope if Scope(raw["scope"]).sees(scope)}
    data = vocabulary.data.values() if vocabulary else ()
    return {datum.id: datum for datum in (*data, *verdicts) if datum.scope in seen}


def _verdict_datum(rule: Rule) -> Datum:
    return Datum(rule.id, rule.title, Kind.CODE, rule.scope, "decided", "not-met", "decided", values=VERDICTS)


def _outcome_datum(header: Mapping[str, Any]) -> Datum:
    values = forms.OUTCOMES.get(header["kind"], tuple(header["hit-order"]))
    return Datum("outcome", "Outcome", Kind.CODE, Scope.LEVEL, "decided", "decided", "decided", values=values)


def with_lists(rule: Rule, vocabulary: Vocabulary, lists: Lists) -> Rule:
    """A criterion as a rule set with other lists has it; raises RuleBookError as reading it does."""
    raw = rule.document or {}
    return _rule(raw, _names(vocabulary, (), raw), lists)


def _rule(raw: Mapping[str, Any], names: Mapping[str, Datum], lists: Lists | None = None) -> Rule:
    where = str(raw["id"])
    stratum = Stratum(raw["stratum"])
    parameters = {key: forms.parameter(key, body, where) for key, body in raw.get("parameters", {}).items()}
    reader = Reader(names, parameters, where, lists or {})
    times = {key: _time(key, raw[key], parameters, where) for key in _TIMES if key in raw}
    _check_times(times, where)
    counted = _lists_of(raw["when"], lists or {})
    return Rule(
        id=where, title=raw["title"], stratum=stratum, scope=Scope(raw["scope"]), when=reader.read(raw["when"]),
        say=_said(raw["say"], counted), parameters=parameters, lists=counted,
        role=raw.get("role", ""), ask=raw.get("ask", ""),
        outcome=raw.get("outcome", ""), per=raw.get("per", ""), task=raw.get("task", ""),
        card=raw.get("card", ""), indicator=raw.get("indicator", ""), yields_to=tuple(raw.get("yields-to", ())),
        checklist=tuple(raw.get("checklist", ())),
        start=times.get("start"), due=times.get("due"), expires=times.get("expires"),
        opens_within=times.get("opens-within"),
        closed_by=reader.read(raw["closed-by"]) if "closed-by" in raw else None,
        overtaken_by=raw.get("overtaken-by", {}), lasts_through=tuple(raw.get("lasts-through", ())),
        owner=raw.get("owner", ""), priority=raw.get("priority", ""), document=raw,
    )  # fmt: skip


def _said(raw: Mapping[str, str], lists: Lists) -> dict[str, str]:
    """The messages of a rule, with the items of a list that it counts by where they name it."""
    said = dict(raw)
    for name, items in lists.items():
        said = {part: text.replace(f"{{{name}}}", ", ".join(items)) for part, text in said.items()}
    return said


def _lists_of(raw: Any, lists: Lists) -> Lists:
    """The lists that a written condition counts by, as the rule set has them."""
    if isinstance(raw, list):
        parts = cast(list[Any], raw)
    elif isinstance(raw, Mapping):
        parts = list(cast(Mapping[str, Any], raw).values())
    else:
        return {}
    found = {name: items for part in parts for name, items in _lists_of(part, lists).items()}
    name = str(cast(Mapping[str, Any], raw).get("listed-in")) if isinstance(raw, Mapping) else ""
    return found | ({name: lists[name]} if name in lists else {})


_TIMES: Final = ("start", "due", "expires", "opens-within")


def _time(key: str, raw: Mapping[str, Any], parameters: Mapping[str, Parameter], where: str) -> Due:
    if raw.get("after") not in ("asked", "onset", "cement") or raw.get("duration") not in parameters:
        raise RuleBookError(
            f"{key} names no event or no declared duration",
            where=where,
            fix="after: asked | onset | cement; duration: a parameter",
        )
    duration = parameters[raw["duration"]]
    if duration.unit not in SECONDS:
        raise RuleBookError(f"{duration.id!r} is no duration", where=where, fix=f"Units of time: {', '.join(SECONDS)}")
    return Due(raw["after"], duration.seconds, by_day=SECONDS[duration.unit] >= SECONDS["d"])


def _check_times(times: Mapping[str, Due], where: str) -> None:
    """A period is counted in one way, from one event, and its ends stand in their order."""
    period = [times[key] for key in ("start", "due", "expires") if key in times]
    if len({one.by_day for one in period}) > 1:
        raise RuleBookError("the period is counted in days and in hours", where=where, fix="Use days, or hours, alone")
    if len({one.after for one in period}) > 1:
        raise RuleBookError("the period counts from two events", where=where, fix="Count from the same event")
    if [one.seconds for one in period] != sorted(one.seconds for one in period):
        raise RuleBookError("the period is out of order", where=where, fix="Put start, due and expires in their order")
    bound = times.get("opens-within")
    if bound is not None and (bound.after == "asked" or "expires" in times):
        fix = "Count it from onset or cement, or say when the task expires"
        raise RuleBookError("opens-within bounds nothing", where=where, fix=fix)


def _check_whole(rule_set: RuleSet) -> None:
    """What only the whole set can show: ids once, outcomes in the hit order and reachable, MEM never as evidence."""
    where = f"{rule_set.id}/ruleset.yaml"
    for id, values in rule_set.applies_to.items():
        datum = rule_set.vocabulary[id]
        strange = [value for value in values if value not in datum.values]
        if datum.scope is not Scope.PATIENT or strange or not values:
            fix = f"Values: {', '.join(datum.values)}"
            raise RuleBookError(f"applies-to {id!r} names no codes of the person", where=where, fix=fix)
    counted = {name for rule in rule_set.rules() for name in rule.lists}
    for name in rule_set.document["ruleset"].get("lists", {}):
        if name not in counted:
            raise RuleBookError(f"no rule counts by the list {name!r}", where=where, fix="Mend its name, or drop it")
    seen: set[str] = set()
    for rule in rule_set.rules():
        if rule.id in seen:
            raise RuleBookError(f"rule {rule.id!r} stands twice", where=where, fix="Ids are for ever and once")
        seen.add(rule.id)
        if not rule_set.site and any(parameter.status == forms.SITE for parameter in rule.parameters.values()):
            fix = "Say how the number is known; a site sets its own in its layer"
            raise RuleBookError("a rule file sets a number as a site", where=rule.id, fix=fix)
        if rule.ask and rule.ask not in rule_set.vocabulary.asks:
            raise RuleBookError(f"ask {rule.ask!r} is not declared", where=rule.id, fix="Add it to the vocabulary")
        if rule.role in ("gate", "flag") and not rule.ask:
            mute = [name for name in rule.reads() if not rule_set.vocabulary[name].ask]
            if mute:
                fix = "Give the rule or the datum an ask: what is missing has to be asked for"
                raise RuleBookError(f"nothing says how {mute[0]!r} is got", where=rule.id, fix=fix)
    outcomes = {rule.outcome for rule in rule_set.recommendations}
    notes = {rule.id: rule.scope for rule in rule_set.rules() if rule.role == "note"}
    others = [rule.id for rule in rule_set.rules() if rule.id not in notes]
    measure_forms.check(rule_set.document["ruleset"], notes, others)
    _check_checklists(rule_set)
    _check_hints(rule_set)
    if rule_set.kind == forms.CONSIDERATIONS and any(rule.role != "note" for rule in rule_set.rules()):
        fix = "Make every rule a criterion of role note, or mend the kind"
        raise RuleBookError("a rule set of considerations decides and asks for nothing", where=where, fix=fix)
    for rule in rule_set.obligations:
        strange = [outcome for outcome in rule.lasts_through if outcome not in outcomes]
        if strange:
            raise RuleBookError(f"{strange[0]!r} is no outcome", where=rule.id, fix="Mend lasts-through")
        read = {leaf.datum.id for leaf in leaves(rule.closed_by)} if rule.closed_by else set[str]()
        if unread := [name for name in rule.overtaken_by if name not in read]:
            raise RuleBookError(f"closed-by does not read {unread[0]!r}", where=rule.id, fix="Mend overtaken-by")
    if outcomes != set(rule_set.hit_order) or not rule_set.refusals <= outcomes:
        raise RuleBookError(
            "hit order, refusals and rules name different outcomes", where=where, fix="One rule or more per outcome"
        )


def _check_hints(rule_set: RuleSet) -> None:
    """A hint rests on something that grows old, or it would stay for ever; it gives way to tasks of its own set."""
    off = rule_set.site.get("off", {})
    tasks = {rule.id for rule in rule_set.obligations if rule.task}
    for rule in rule_set.obligations:
        if rule.card and all(leaf.within is None for leaf in rule.leaves):
            raise RuleBookError("nothing ends this card", where=rule.id, fix="Limit the age of its sign: within")
        strange = [id for id in rule.yields_to if id not in tasks and id not in off]
        if strange:
            what = f"it yields to {strange[0]!r}, which is no task of {rule_set.id}"
            raise RuleBookError(what, where=rule.id, fix="Mend yields-to")


def _check_checklists(rule_set: RuleSet) -> None:
    """A checklist is an obligation's, and each of its items a criterion of the set that the obligation sees, once."""
    criteria = {rule.id: rule for rule in rule_set.criteria}
    for rule in rule_set.rules():
        if rule.checklist and rule.stratum is not Stratum.OBLIGATIONS:
            raise RuleBookError("only an obligation has a checklist", where=rule.id, fix="Leave it out")
        strange = [id for id in rule.checklist if id not in criteria or not rule.scope.sees(criteria[id].scope)]
        if strange:
            fix = f"Name criteria of {rule_set.id} of scope {rule.scope} or wider"
            raise RuleBookError(f"the checklist names {strange[0]!r}, which it cannot see", where=rule.id, fix=fix)
        if len(set(rule.checklist)) < len(rule.checklist):
            raise RuleBookError("the checklist names a criterion twice", where=rule.id, fix="Name it once")


def bounds(rule: Rule) -> tuple[Leaf, ...]:
    """The ordered comparisons of a rule: each needs a case at, below and above."""
    found = (leaf for part in rule.conditions() for leaf in leaves(part))
    return tuple(leaf for leaf in found if isinstance(leaf.operand, int) and not isinstance(leaf.operand, bool))
