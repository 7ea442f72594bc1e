"""Releases: rule sets frozen into files that never change, and the lock that proves it.

`releases/<rule-set>-<version>.json` is the whole rule set as canonical JSON; `lock.json` says its sha256 by id and
version. What is frozen stays runnable: `read` gives the rule set of that day back, under the same hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, cast

from pathway import strict_yaml
from pathway.canonical import parse, sha256
from pathway.effective import Period
from pathway.errors import NotFoundError, RuleBookError
from pathway.rulebook import RuleBook, RuleSet, from_document, load

FOLDER: Final = "releases"
LOCK: Final = "lock.json"

Lock = Mapping[str, Mapping[str, str]]
"""Id, then version, then sha256."""

_ID: Final = re.compile(r"[a-z][a-z0-9-]*")
_VERSION: Final = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Release:
    """What the header of a frozen rule set says: enough to know whether it may decide on a day."""

    id: str
    version: str
    sha256: str
    kind: str
    title: str
    status: str
    period: Period
    family: str = ""

    @property
    def name(self) -> str:
        """`id|version`, as it stands on tasks and cards."""
        return f"{self.id}|{self.version}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` found: faults that must stop a build, and working sets (`id|version`) that are not frozen yet."""

    faults: tuple[RuleBookError, ...]
    ahead: tuple[str, ...]


def freeze(rule_set: RuleSet) -> tuple[str, bytes]:
    """The file name and the bytes of a rule set's release; RuleBookError for one that would not read back the same."""
    where = _place(rule_set)
    if not _ID.fullmatch(rule_set.id):
        raise RuleBookError("the id of a release is lower-case words", where=where, fix="Use a-z, 0-9 and -")
    _number(rule_set.version, where)
    if from_document(parse(rule_set.body)).sha256 != rule_set.sha256:
        raise RuleBookError("the rule set would not read back the same", where=where, fix="Do not release it")
    return _name(rule_set.id, rule_set.version), rule_set.body


def store(root: Path, rule_set: RuleSet) -> Path:
    """Freeze a rule set into a rules folder and its lock, and say where. Storing the same again changes nothing.

    Raises RuleBookError for other content under a frozen version, and for a version below the highest frozen one.
    """
    name, body = freeze(rule_set)
    lock, path = read_lock(root), root / FOLDER / name
    fault = _clash(lock.get(rule_set.id, {}), rule_set)
    if fault is not None:
        raise fault
    if path.exists() and path.read_bytes() != body:
        fix = "Restore it, or bump the version"
        raise RuleBookError("the file holds something else", where=f"{FOLDER}/{name}", fix=fix)
    path.parent.mkdir(exist_ok=True)
    _replace(path, body)
    _write_lock(root, {**lock, rule_set.id: {**lock.get(rule_set.id, {}), rule_set.version: rule_set.sha256}})
    return path


def read(root: Path, id_: str, version: str) -> RuleSet:
    """A frozen rule set as it was on its day; NotFoundError if there is none, RuleBookError if its bytes changed."""
    digest = read_lock(root).get(id_, {}).get(version)
    if digest is None:
        raise NotFoundError(f"no release {id_}|{version}", where=LOCK, fix="Name a version that was released")
    return from_document(_document(root, id_, version, digest))


def _document(root: Path, id_: str, version: str, digest: str) -> Any:
    fault = _changed(root, id_, version, digest)
    if fault is not None:
        raise fault
    return parse((root / FOLDER / _name(id_, version)).read_bytes())


def versions(root: Path, id_: str) -> Iterator[Release]:
    """The frozen versions of a rule set, highest first; RuleBookError on reaching one whose bytes changed."""
    frozen = read_lock(root).get(id_, {})
    for version in sorted(frozen, key=lambda one: _number(one, LOCK), reverse=True):
        header = _document(root, id_, version, frozen[version])["ruleset"]
        yield Release(
            id_, version, frozen[version], header["kind"], header["title"], header["status"],
            Period.read(header["effective"], f"{FOLDER}/{_name(id_, version)}"), header.get("family", ""),
        )  # fmt: skip


def shelf(root: Path) -> dict[str, tuple[Release, ...]]:
    """Every frozen rule set with its versions, highest first."""
    return {id_: tuple(versions(root, id_)) for id_ in read_lock(root)}


def in_force(root: Path, id_: str, on: date) -> Release | None:
    """Of the frozen versions of a rule set the highest whose effective period holds the day.

    None if there is none, or if that one is retired: a set that was retired does not fall back to an older version.
    """
    return holding(versions(root, id_), on)


def holding(highest_first: Iterable[Release], on: date) -> Release | None:
    """`in_force`, of versions that have been read; none below the first that holds the day is looked at."""
    found = next((release for release in highest_first if release.period.holds(on)), None)
    return None if found is None or found.status == "retired" else found


def unfrozen(root: Path) -> dict[str, str]:
    """The working rule sets whose version is not frozen yet, with that version. Their rules are not read."""
    lock = read_lock(root)
    headers = (strict_yaml.read_file(path, root) for path in sorted(root.glob("*/ruleset.yaml")))
    found = {str(header.get("id")): str(header.get("version")) for header in headers}
    return {id_: version for id_, version in found.items() if version not in lock.get(id_, {})}


def verify(root: Path, book: RuleBook | None = None) -> Verified:
    """Whether every release is as it was frozen, and no working set passes for one that it is not.

    `book` is the working rule book if it is loaded already.
    """
    lock = read_lock(root)
    faults = [*_release_faults(root, lock)]
    ahead: list[str] = []
    for rule_set in (book or load(root)).sets.values():
        frozen = lock.get(rule_set.id, {})
        fault = _clash(frozen, rule_set)
        if fault is not None:
            faults.append(fault)
        elif rule_set.version not in frozen:
            ahead.append(rule_set.release)
    return Verified(tuple(faults), tuple(ahead))


def read_lock(root: Path) -> Lock:
    """The lock of a rules folder, empty where nothing was frozen; RuleBookError where it cannot be read."""
    path = root / LOCK
    if not path.exists():
        return {}
    try:
        lock = cast(dict[str, dict[str, str]], json.loads(path.read_text(encoding="utf-8")))
        for versions in lock.values():
            for version, digest in versions.items():
                _number(version, LOCK)
                bytes.fromhex(digest)
    except (OSError, ValueError, AttributeError, TypeError):
        fix = "Restore it from version control"
        raise RuleBookError("not a lock of id, version and sha256", where=LOCK, fix=fix) from None
    return lock


def _release_faults(root: Path, lock: Lock) -> Iterator[RuleBookError]:
    """Each frozen file against the lock, and each file that the lock does not know."""
    known: set[str] = set()
    for id_, versions in lock.items():
        for version, digest in versions.items():
            known.add(_name(id_, version))
            fault = _changed(root, id_, version, digest)
            if fault is not None:
                yield fault
    for path in sorted((root / FOLDER).glob("*.json")):
        if path.name not in known:
            fix = "Freeze it with `pathway rules release`, or delete the file"
            yield RuleBookError("the lock does not know this release", where=f"{FOLDER}/{path.name}", fix=fix)


def _changed(root: Path, id_: str, version: str, digest: str) -> RuleBookError | None:
    """The fault of one frozen file, if any: missing, or not the bytes that were frozen."""
    path, fix = root / FOLDER / _name(id_, version), "Restore it from version control"
    where = f"{FOLDER}/{path.name}"
    if not path.exists():
        return RuleBookError("a frozen release is missing", where=where, fix=fix)
    if sha256(path.read_bytes()) != digest:
        return RuleBookError("a frozen release has changed", where=where, fix=fix)
    return None


def _clash(frozen: Mapping[str, str], rule_set: RuleSet) -> RuleBookError | None:
    """The fault of a working set against its frozen versions, if any."""
    where = _place(rule_set)
    known = frozen.get(rule_set.version)
    if known == rule_set.sha256:
        return None
    if known is not None:
        what = f"its content differs from the frozen {rule_set.release}"
        return RuleBookError(what, where=where, why="a release never changes", fix="Bump the version")
    highest = max(frozen, key=lambda version: _number(version, LOCK), default=None)
    if highest is not None and _number(rule_set.version, where) < _number(highest, LOCK):
        what = f"version {rule_set.version} is below the frozen {highest}"
        return RuleBookError(what, where=where, fix="Bump the version")
    return None


def _number(version: str, where: str) -> tuple[int, ...]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise RuleBookError(f"version {version!r} is not like 1.2.3", where=where, fix="Use three numbers with stops")
    return tuple(int(part) for part in found.groups())


def _write_lock(root: Path, lock: Lock) -> None:
    ordered: dict[str, Any] = {
        id_: dict(sorted(lock[id_].items(), key=lambda item: _number(item[0], LOCK))) for id_ in sorted(lock)
    }
    _replace(root / LOCK, (json.dumps(ordered, indent=2) + "\n").encode())


def _replace(path: Path, data: bytes) -> None:
    """Write a file at once, so that a service that looks at it never sees half."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    beside.replace(path)


def _name(id_: str, version: str) -> str:
    return f"{id_}-{version}.json"


def _place(rule_set: RuleSet) -> str:
    return f"{rule_set.id}/ruleset.yaml"
