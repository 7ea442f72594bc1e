"""The measures of a rule set as its header declares them: whom each counts, by which criteria, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from pathway import forms
from pathway.errors import RuleBookError
from pathway.vocabulary import Scope

KIND: Final = "measure"
_NEEDED: Final = ("id", "title", "catalogue", "counts", "numerator", "unseen")
_KEYS: Final = (*_NEEDED, "denominator", "exclusions", "levels", "runs-for", "harm")
_DAY: Final = "d"


class Counts(StrEnum):
    """What a measure counts, each once: patients by their first fracture, fractures, or procedures."""

    PATIENT = "patient"
    FRACTURE = "fracture"
    PROCEDURE = "procedure"

    @property
    def scope(self) -> Scope:
        """The scope of the criteria that it is counted by."""
        return Scope.TREATED_LEVEL if self is Counts.PROCEDURE else Scope.LEVEL


@dataclass(frozen=True, slots=True)
class Measure:
    """One declared measure, its rules by id. Without a denominator every episode of its kind belongs to it.

    Of an episode of several vertebrae one is enough for the numerator, or with `every_level` all have to be, also those
    of which nobody knows whether they belong to it. Until
    `runs_for` days after the event are over, what has not been done is no miss yet; None where nothing has to be waited
    for. `unseen` says what the record cannot show. Of a `harm` fewer is better.
    """

    id: str
    title: str
    catalogue: str
    counts: Counts
    denominator: tuple[str, ...]
    exclusions: tuple[str, ...]
    numerator: str
    every_level: bool
    runs_for: int | None
    unseen: str
    harm: bool = False


@dataclass(frozen=True, slots=True)
class NotComputed:
    """A measure of the catalogue that nobody can compute yet, and why."""

    catalogue: str
    title: str
    why: str


def measures_of(header: Mapping[str, Any]) -> tuple[Measure, ...]:
    """The measures of a rule set's header in their order. RuleBookError names the measure and the fix."""
    where = _where(header)
    found = tuple(_measure(row, f"{where}: {row.get('id', 'measures')}") for row in _rows(header, "measures"))
    ids = [one.id for one in found]
    if twice := [id_ for id_ in ids if ids.count(id_) > 1]:
        raise RuleBookError(f"the measure {twice[0]!r} stands twice", where=where, fix="Ids are for ever and once")
    return found


def not_computed(header: Mapping[str, Any]) -> tuple[NotComputed, ...]:
    """The measures that are named and not computed, each with the reason."""
    return tuple(
        NotComputed(*(_text(row, key, _where(header)) for key in ("catalogue", "title", "why")))
        for row in _rows(header, "not-computed")
    )


def check(header: Mapping[str, Any], criteria: Mapping[str, Scope], others: Sequence[str]) -> None:
    """Refuse measures that are not whole, count by what they cannot see, or stand in a rule set of another kind.

    `criteria` are the notes of the rule set with their scopes, `others` its rules that are no notes: a rule set of
    measures decides and asks for nothing.
    """
    where = _where(header)
    if header["kind"] != KIND:
        if strange := [key for key in ("measures", "not-computed") if key in header]:
            fix = "Leave it out, or mend the kind"
            raise RuleBookError(f"{strange[0]!r} belongs to a rule set of measures", where=where, fix=fix)
        return
    if others:
        fix = f"Make {others[0]} a criterion of role note"
        raise RuleBookError("a rule set of measures decides and asks for nothing", where=where, fix=fix)
    measures = measures_of(header)
    not_computed(header)
    for measure in measures:
        for id_ in _named(measure):
            _check_rule(measure, id_, criteria, f"{where}: {measure.id}")
    counted = {id_ for measure in measures for id_ in _named(measure)}
    if idle := [id_ for id_ in criteria if id_ not in counted]:
        raise RuleBookError(f"no measure counts by {idle[0]!r}", where=where, fix="Name it in a measure, or drop it")


def _check_rule(measure: Measure, id_: str, criteria: Mapping[str, Scope], where: str) -> None:
    if id_ not in criteria:
        raise RuleBookError(f"no criterion {id_!r}", where=where, fix="Name a criterion of this rule set")
    if not measure.counts.scope.sees(criteria[id_]):
        fix = f"Name one of scope {measure.counts.scope} or wider, or count something else"
        raise RuleBookError(f"what counts {measure.counts}s cannot see {id_!r}", where=where, fix=fix)


def _named(measure: Measure) -> Iterator[str]:
    yield from (*measure.denominator, *measure.exclusions, measure.numerator)


def _measure(row: Mapping[str, Any], where: str) -> Measure:
    for key in row:
        if key not in _KEYS:
            raise RuleBookError(f"unknown key {key!r}", where=where, fix=f"Known keys: {', '.join(_KEYS)}")
    for key in _NEEDED:
        if not row.get(key):
            raise RuleBookError(f"key {key!r} is missing", where=where, fix="Every measure says it")
    if row["counts"] not in tuple(Counts):
        fix = f"One of: {', '.join(Counts)}"
        raise RuleBookError(f"counts {row['counts']!r} is not known", where=where, fix=fix)
    if row.get("levels", "any") not in ("any", "all"):
        raise RuleBookError(f"levels {row['levels']!r} is not known", where=where, fix="One of: any, all")
    if not isinstance(row.get("harm", False), bool):
        raise RuleBookError(f"harm {row['harm']!r} is not known", where=where, fix="Write true, or leave it out")
    return Measure(
        _text(row, "id", where), _text(row, "title", where), _text(row, "catalogue", where), Counts(row["counts"]),
        _ids(row, "denominator", where), _ids(row, "exclusions", where), _text(row, "numerator", where),
        row.get("levels") == "all", _days(row, where), _text(row, "unseen", where),
        row.get("harm", False),
    )  # fmt: skip


def _days(row: Mapping[str, Any], where: str) -> int | None:
    """How many days a measure runs, with how the number is known: as a parameter of a rule."""
    if "runs-for" not in row:
        return None
    raw = row["runs-for"]
    if not isinstance(raw, Mapping):
        raise RuleBookError("runs-for is no parameter", where=where, fix="Give value, unit, status, set-on")
    found = forms.parameter("runs-for", cast(Mapping[str, Any], raw), where)
    if found.unit != _DAY or found.value != int(found.value):
        raise RuleBookError("runs-for is not counted in days", where=where, fix="Write whole days, unit: d")
    return int(found.value)


def _ids(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = row.get(key, [])
    if not isinstance(found, list) or not all(isinstance(id_, str) for id_ in cast(list[Any], found)):
        raise RuleBookError(f"{key} is no list of rules", where=where, fix="Write [measures.one, measures.two]")
    return tuple(cast(list[str], found))


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    found = row.get(key)
    if not isinstance(found, str) or not found:
        raise RuleBookError(f"key {key!r} is missing or no text", where=where, fix="Write it as text")
    return found


def _rows(header: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = header.get(key, [])
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in cast(list[Any], found)):
        fix = "Write a list, an entry for each measure"
        raise RuleBookError(f"{key} is no list", where=_where(header), fix=fix)
    return cast(list[Mapping[str, Any]], found)


def _where(header: Mapping[str, Any]) -> str:
    return f"{header.get('id')}/ruleset.yaml"
