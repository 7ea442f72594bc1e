"""NDJSON of many patients, in any order and in any number of files: found by place, so that nothing is copied.

One pass notes whose each line is and where it stands; a part of the screening then reads just its own patients' lines.
What belongs to nobody (Location, Organization, Medication) comes with every patient whose resources refer to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from adapters.fhir import strict_json
from adapters.fhir.bundles import owner_of
from adapters.fhir.deliver import MAX_BYTES
from adapters.fhir.known_chart import SHARED
from adapters.screen.charts import Chart, bundled
from pathway.errors import BadInputError

Span = tuple[int, int, int]
"""The number of a file, the place of the first byte, and how many: one line, or several lines of one owner."""

_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_MEBIBYTE: Final = 1 << 20
MOST_FAULTS: Final = 1000  # told one by one; a file in which every line is bad has one cause
_REFERENCE: Final = re.compile(rb'"reference"\s*:\s*"((?:%b)/[A-Za-z0-9.-]{1,64})"' % "|".join(sorted(SHARED)).encode())


@dataclass(slots=True)
class Index:
    """Whose lines stand where. `faults` are lines that nobody could be found for, each with its reason; `bad` are their
    places.
    """

    spans: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list[Span]))
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    bad: list[Span] = field(default_factory=list[Span])
    unusable: int = 0
    _shared: dict[str, Span] = field(default_factory=dict[str, Span])
    _refers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set[str]))

    @classmethod
    def of(cls, files: Sequence[Path], tell: Callable[[int], object] = lambda _: None) -> Index:
        """The index of files; `tell` hears of the bytes read, now and then."""
        made = cls()
        for number, path in enumerate(files):
            made.read(number, path, tell=tell)
        return made

    def patients(self) -> Iterator[tuple[str, list[Span]]]:
        """Each patient's id with the places of all that belongs to it, by id."""
        for owner in sorted(self.spans):
            shared = [self._shared[name] for name in sorted(self._refers[owner]) if name in self._shared]
            yield owner, [*self.spans[owner], *shared]

    def rows(self) -> list[list[Any]]:
        """Each patient's id with its places, for the parts of a job."""
        return [[patient, [list(span) for span in spans]] for patient, spans in self.patients()]

    def to_json(self) -> dict[str, Any]:
        """What was found of patients and of what they share, to be joined with other slices of the same files."""
        refers = {owner: sorted(names) for owner, names in sorted(self._refers.items()) if names}
        return {"spans": dict(self.spans), "shared": self._shared, "refers": refers}

    def add(self, slice: Mapping[str, Any]) -> None:
        """Join what a later slice of the same files found (`to_json`)."""
        for owner, spans in slice["spans"].items():
            for number, at, length in spans:
                _extend(self.spans[owner], (number, at, length))
        self._shared |= {name: (number, at, length) for name, (number, at, length) in slice["shared"].items()}
        for owner, names in slice["refers"].items():
            self._refers[owner].update(names)

    def read(
        self, number: int, path: Path, at: int = 0, count: int = 0, stop: Callable[[], bool] = lambda: False,
        tell: Callable[[int], object] = lambda _: None,
    ) -> tuple[int, int, bool]:  # fmt: skip
        """Note the lines of a file from a byte and a line on, until `stop`, which is asked each mebibyte; where that
        was, and whether it is the file's end.
        """
        told = at
        with path.open("rb") as file:
            file.seek(at)
            while line := file.readline(MAX_BYTES + 1):
                at, count = at + len(line), count + 1
                where, span = f"{path.name}:{count}", (number, at - len(line), len(line))
                if len(line) > MAX_BYTES:
                    if not line.endswith(b"\n"):  # or it is whole, and what follows is the next one
                        at += _rest_of_line(file)
                    self._refuse(span, where, f"longer than {MAX_BYTES} bytes")
                elif line.strip(_BLANK):
                    self._note(line, span, where)
                if at - told > _MEBIBYTE:
                    tell(at - told)
                    told = at
                    if stop():
                        return at, count, False
        tell(at - told)
        return at, count, True

    def _note(self, line: bytes, span: Span, where: str) -> None:
        body = _parsed(line)
        owner = owner_of(body).removeprefix("Patient/") if isinstance(body, dict) else ""
        if owner:
            _extend(self.spans[owner], span)
            self._refers[owner].update(found.decode() for found in _REFERENCE.findall(line))
        elif isinstance(body, dict) and body.get("resourceType") in SHARED:
            self._shared[f"{body['resourceType']}/{body.get('id', '')}"] = span
        else:
            self._refuse(span, where, "not JSON" if body is None else "it names no patient that can be told")

    def _refuse(self, span: Span, where: str, why: str) -> None:
        self.unusable += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append((where, why))
            self.bad.append(span)


def _rest_of_line(file: BinaryIO) -> int:
    """Pass over what is left of a line; says how many bytes that was."""
    passed = 0
    while piece := file.readline(MAX_BYTES):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed


def _parsed(line: bytes) -> Any:
    """The value, leniently: whoever decides on it reads it strictly."""
    try:
        return orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None


def _extend(spans: list[Span], new: Span) -> None:
    """Lines of one patient that follow each other are one place."""
    number, at, length = new
    if spans and spans[-1][0] == number and spans[-1][1] + spans[-1][2] == at:
        spans[-1] = (number, spans[-1][1], spans[-1][2] + length)
    else:
        spans.append(new)


def stamp(path: Path) -> list[int]:
    """By what a file is known again: its size in bytes, and when it was last written, in nanoseconds."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def refuse_changed(files: Sequence[Path], stamps: Sequence[Sequence[int]], fix: str) -> None:
    """BadInputError if a file is gone, or is another one than when it was looked through."""
    for path, known in zip(files, stamps, strict=True):
        if not path.is_file() or stamp(path) != list(known):
            raise BadInputError("the file changed since it was looked through", where=path.name, fix=fix)


def read(files: Sequence[Path], stamps: Sequence[Sequence[int]], rows: Sequence[Any]) -> Iterator[Chart]:
    """The charts of a part, whose rows are patients with their places. BadInputError if a file is another one now."""
    refuse_changed(files, stamps, "Screen it anew")
    for patient, spans in rows:
        lines = [line for span in spans for line in _lines(files, span)]
        yield _chart(f"Patient/{patient}", lines)


def _lines(files: Sequence[Path], span: Sequence[int]) -> list[bytes]:
    number, at, length = span
    with files[number].open("rb") as file:
        file.seek(at)
        return [line.removeprefix(b"\xef\xbb\xbf") for line in file.read(length).split(b"\n") if line.strip(_BLANK)]


def _chart(where: str, lines: Sequence[bytes]) -> Chart:
    """A chart of lines; those that a strict reader refuses are left out and told of."""
    whole = bundled(lines)
    try:
        strict_json.load(whole, max_bytes=MAX_BYTES, where=where)
    except BadInputError:
        return _without_the_bad(where, lines)
    return Chart(where, whole)


def _without_the_bad(where: str, lines: Sequence[bytes]) -> Chart:
    good: list[bytes] = []
    aside: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        place = f"{where}, its line {number}"
        try:
            strict_json.load(line, max_bytes=MAX_BYTES, where=place)
            good.append(line)
        except BadInputError as fault:
            aside.append((place, f"{fault.what}. {fault.fix}"))
    return Chart(where, bundled(good), "" if good else aside[0][1], tuple(aside))
