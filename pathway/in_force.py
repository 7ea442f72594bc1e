"""Which rule sets decide on a day: the highest release in its effective period, as the site layer leaves it.

A rule set that cannot decide keeps no other from deciding. What was lawfully in force stays so while its successor on
disk is broken, and whoever asks is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from pathway import one_form, releases, site_file
from pathway.effective import Period
from pathway.errors import NotFoundError, PathwayError, RuleBookError
from pathway.rulebook import RuleBook, RuleSet
from pathway.site import EMPTY, Layer
from pathway.vocabulary import Vocabulary

_LINE: Final = re.compile(r"^(kind|family): (\S+)$", re.MULTILINE)
UNUSABLE: Final = (PathwayError, OSError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a file can come to that no code of ours wrote."""
SPARE: Final = "coverage"
"""The kind of rule set whose absence leaves a service ready: what a payer asks for never stands before the patient."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the rules. `red`: a rule set does not decide for it, and without that set we are not ready."""

    about: str
    what: str
    red: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The rule sets that decide on a day, in the configured order; those that do not, and why; and the layer.

    `bases` are the releases under the layer, by id.
    """

    rule_sets: tuple[RuleSet, ...] = ()
    not_run: tuple[Mapping[str, str], ...] = ()
    trouble: tuple[Trouble, ...] = ()
    layer: Layer = EMPTY
    bases: Mapping[str, RuleSet] = field(default_factory=dict[str, RuleSet])

    def rule_set(self, id_: str) -> RuleSet | None:
        """The rule set of that id, if it decides."""
        return next((one for one in self.rule_sets if one.id == id_), None)


class _Head(NamedTuple):
    """What of a rule set's header says whether the service can do without it, and by which name it is configured."""

    kind: str
    family: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Where rule sets come from: the frozen releases of a folder, or, while rules are written, its working `book`.

    `names` are the rule sets and families that decide, in order; `declared` is what the fact builder fills in; `site`
    the file of the layer.
    """

    root: Path
    names: tuple[str, ...]
    declared: Vocabulary
    site: Path | None = None
    book: RuleBook | None = None

    def marks(self) -> tuple[object, ...]:
        """What changes when the rules on disk do: cheap enough to be looked at often."""
        return tuple(_mark(path) for path in (self.root / releases.LOCK, self.site) if path is not None)

    def select(self, on: date, before: Selection | None, prove: Prove) -> Selection:
        """What decides on a day. `prove` raises PathwayError for a rule set that does not compile.

        Where nothing runs that could go on (`before`), a site layer that cannot be used and a rule set that does not
        exist are raised as PathwayError.
        """
        layer, trouble = self._layer(before)
        first, before = before is None, before or Selection()
        heads = self._heads(before)
        ids = [id_ for name in self.names for id_ in ([name] if layer.switch(name) else self._members(name, heads))]
        found = {
            id_: self._find(id_, on, layer, before, prove) for id_ in dict.fromkeys(ids) if layer.switch(id_) is None
        }
        found = {id_: self._beside(id_, one, found) for id_, one in found.items()}
        for one in found.values():
            if first and isinstance(one.fault, NotFoundError):
                raise one.fault
        not_run = [reason for id_ in dict.fromkeys(ids) if (reason := _not_run(id_, layer, found.get(id_), heads))]
        trouble += [
            Trouble(id_, str(one.fault), red=one.rule_set is None and not self._spare(id_, heads))
            for id_, one in found.items()
            if one.fault is not None
        ]
        return Selection(
            tuple(one.rule_set for one in found.values() if one.rule_set), tuple(not_run), tuple(trouble), layer,
            {id_: one.base for id_, one in found.items() if one.base},
        )  # fmt: skip

    def _members(self, name: str, heads: Mapping[str, _Head]) -> list[str]:
        """The rule sets that a configured name stands for: itself, or all of its family."""
        if self.book is not None:
            return [one.id for one in self.book.choose([name])]
        return [id_ for id_, head in heads.items() if name in (id_, head.family)] or [name]

    def _heads(self, before: Selection) -> dict[str, _Head]:
        """Kind and family of what is frozen and of what runs, as far as it can be read."""
        heads = {base.id: _Head(base.kind, base.family) for base in before.bases.values()}
        for id_ in self._frozen(before):
            try:
                newest = next(releases.versions(self.root, id_))
                heads[id_] = _Head(newest.kind, newest.family)
            except UNUSABLE:
                heads.setdefault(id_, self._working().get(id_, _Head("", "")))
        return heads

    def _frozen(self, before: Selection) -> tuple[str, ...]:
        """The ids in the lock; none where it cannot be read and something runs that can go on."""
        try:
            return tuple(releases.read_lock(self.root))
        except PathwayError:
            if not before.bases:
                raise
            return ()

    def _working(self) -> dict[str, _Head]:
        """Kind and family by id and by family in the working tree, for words about what is not frozen.

        Only two lines of each header are looked at: a slip elsewhere in it is nothing to those who run releases.
        """
        found: dict[str, _Head] = {}
        for path in sorted(self.root.glob("*/ruleset.yaml")):
            said = dict(_LINE.findall(path.read_text(encoding="utf-8", errors="replace")))
            head = _Head(said.get("kind", ""), said.get("family", ""))
            found |= {name: head for name in (path.parent.name, head.family) if name}
        return found

    def _spare(self, name: str, heads: Mapping[str, _Head]) -> bool:
        """Whether the service is ready without a rule set or family."""
        head = heads.get(name) or self._working().get(name)
        return head is not None and head.kind == SPARE

    def _find(self, id_: str, on: date, layer: Layer, before: Selection, prove: Prove) -> _Found:
        """The rule set of that id; or, where it cannot be used, the one that ran before it, while that one lasts."""
        try:
            base = self._base(id_, on, before)
            if base is None:
                return _Found(fault=self._none(id_, on))
            return self._laid(base, layer, before, prove)
        except UNUSABLE as raised:
            fault = raised if isinstance(raised, PathwayError) else _unreadable(id_, raised)
            old, running = before.bases.get(id_), before.rule_set(id_)
            if old is None or running is None or not _period(old).holds(on):
                return _Found(fault=fault)
            try:
                return replace(self._laid(old, layer, before, prove), fault=fault)
            except PathwayError:
                prove(running)
                return _Found(running, old, fault)

    def _laid(self, base: RuleSet, layer: Layer, before: Selection, prove: Prove) -> _Found:
        same = base is before.bases.get(base.id) and layer.sha256 == before.layer.sha256
        rule_set = (before.rule_set(base.id) if same else None) or layer.apply(base)
        one_form.check_filled(rule_set, self.declared)
        prove(rule_set)
        return _Found(rule_set, base)

    def _base(self, id_: str, on: date, before: Selection) -> RuleSet | None:
        if self.book is not None:
            return self.book.choose([id_])[0]
        if not releases.read_lock(self.root).get(id_):
            raise self._never_frozen(id_)
        release = releases.in_force(self.root, id_, on)
        old = before.bases.get(id_)
        if release is None or (old is not None and old.sha256 == release.sha256):
            return old if release else None
        return releases.read(self.root, id_, release.version)

    def _layer(self, before: Selection | None) -> tuple[Layer, list[Trouble]]:
        """The layer on disk; or the last good one, and what is wrong with the file."""
        if self.site is None:
            return EMPTY, []
        try:
            layer = site_file.read(self.site)
            ids = self.book.sets if self.book else self._frozen(before or Selection())
            layer.check_names(frozenset({*self.names, *ids, *(before.bases if before else ())}))
        except PathwayError as fault:
            if before is None:
                raise
            return before.layer, [Trouble("the site layer", str(fault), red=False)]
        return layer, []

    def _beside(self, id_: str, one: _Found, all_found: Mapping[str, _Found]) -> _Found:
        """Refuse a rule set that cannot share a form with the others: a replay must read the form back.

        That is one whose rules read a datum that may have values, beside the others, that they never heard of, and one
        that declares a datum otherwise than a rule set before it.
        """
        rule_set = one.rule_set
        earlier = True
        for other_id, other in ((id_, found.rule_set) for id_, found in all_found.items()):
            earlier = earlier and other_id != id_
            if rule_set is None or other is None or other_id == id_:
                continue
            fault = one_form.clash(rule_set, other, self.declared if earlier else None)
            if fault is not None:
                return _Found(fault=fault)
        return one

    def _none(self, id_: str, on: date) -> PathwayError:
        """None is in force: which versions there are, and their days."""
        frozen = [f"{one.version} {one.period} ({one.status})" for one in releases.versions(self.root, id_)]
        fix = f"Frozen: {'; '.join(frozen)}. Freeze a version that holds the day"
        return RuleBookError(f"no release of {id_} is in force on {on}", fix=fix)

    def _never_frozen(self, id_: str) -> PathwayError:
        working = self._working()
        if id_ not in working:
            fix = f"Known: {', '.join(sorted({*working, *releases.read_lock(self.root)}))}"
            return NotFoundError(f"no rule set {id_!r}", where="PATHWAY_POLICIES or --policy", fix=fix)
        fix = f"`pathway rules release {id_}`, or PATHWAY_RULES_FROM=working while you write it"
        return RuleBookError(f"{id_} is not frozen yet", fix=fix)


Prove = Callable[[RuleSet], object]


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found for one id: the rule set that decides, the release under it, and what is wrong."""

    rule_set: RuleSet | None = None
    base: RuleSet | None = None
    fault: PathwayError | None = None


def _unreadable(id_: str, fault: Exception) -> RuleBookError:
    """A file that no code of ours wrote."""
    fix = "Restore it from version control"
    return RuleBookError(f"the releases of {id_} cannot be read", why=type(fault).__name__, fix=fix)


def _not_run(id_: str, layer: Layer, found: _Found | None, heads: Mapping[str, _Head]) -> Mapping[str, str] | None:
    """What a decision says of a configured rule set that did not decide, with its family if it has one."""
    head = heads.get(id_)
    family = {"family": head.family} if head is not None and head.family not in ("", id_) else {}
    if (switch := layer.switch(id_)) is not None:
        why = f"switched off at this site on {switch.set_on}: {switch.reason}"
        return {"ruleSet": id_, "code": "switched-off", "why": why, **family}
    if found is None or found.rule_set is not None:
        return None
    return {"ruleSet": id_, "code": "not-in-force", "why": found.fault.what if found.fault else "", **family}


def _period(rule_set: RuleSet) -> Period:
    return Period.read(rule_set.document["ruleset"]["effective"], rule_set.release)


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
