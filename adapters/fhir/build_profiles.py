"""Write our CodeSystems and ValueSets as FHIR R4 from the tables: `python -m adapters.fhir.build_profiles [--check]`.

With `--check` nothing is written; the exit code is 1 and the files are named if any differs from its table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from adapters.fhir.terminology import BASE, PROFILES, CodeRow, load_local_codes, load_rows
from pathway import strict_yaml

VERSION: Final = "0.1.0"
VERIFIED_BY: Final = f"{BASE}/StructureDefinition/verified-by"
LEVELS: Final = f"{BASE}/StructureDefinition/vertebral-levels"


def build(folder: Path = PROFILES) -> dict[Path, str]:
    """Every generated file, as path below `folder` -> its text. A code system without concepts is not written yet."""
    sets = strict_yaml.read_file(folder / "value-sets.yaml", folder)
    systems = load_local_codes(folder)
    rows = load_rows(folder)
    made: dict[Path, str] = {}
    for name, concepts in systems.items():
        if concepts:
            made[Path("codesystems") / f"{name}.json"] = _text(code_system(name, concepts, sets[name]))
    for name, about in sets.items():
        if own := [row for row in rows if row.value_set == name]:
            made[Path("valuesets") / f"{name}.json"] = _text(value_set(name, own, about))
    return made


def code_system(name: str, concepts: Sequence[dict[str, str]], about: dict[str, str]) -> dict[str, Any]:
    """One of our code systems as a complete R4 CodeSystem."""
    return _header("CodeSystem", name, about) | {
        "caseSensitive": True,
        "valueSet": f"{BASE}/ValueSet/{name}",
        "content": "complete",
        "count": len(concepts),
        "concept": [{key: concept[key] for key in ("code", "display", "definition")} for concept in concepts],
    }


def value_set(name: str, rows: Sequence[CodeRow], about: dict[str, str]) -> dict[str, Any]:
    """One value set as an R4 ValueSet: codes listed by system, each stem as a filter of its own."""
    return _header("ValueSet", name, about) | {"compose": {"include": list(_includes(rows))}}


def _header(kind: str, name: str, about: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "id": name,
        "url": f"{BASE}/{kind}/{name}",
        "version": VERSION,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "title": about["title"],
        "status": "draft",
        "description": about["description"],
    }


def _includes(rows: Sequence[CodeRow]) -> Iterator[dict[str, Any]]:
    for system, group in groupby(sorted(rows, key=lambda row: row.system), key=lambda row: row.system):
        members = list(group)
        if exact := [row for row in members if row.match == "exact"]:
            yield {"system": system, "concept": [_concept(row) for row in exact]}
        for row in members:
            if row.match != "exact":  # filters of one include must all hold, so each stem needs its own include
                rule = {"property": "concept", "op": "is-a", "value": row.code}
                yield {"system": system, "filter": [{"extension": _extensions(row)} | rule]}


def _concept(row: CodeRow) -> dict[str, Any]:
    concept: dict[str, Any] = {"extension": _extensions(row), "code": row.code}
    return concept | {"display": row.display} if row.display else concept


def _extensions(row: CodeRow) -> list[dict[str, str]]:
    verified = [{"url": VERIFIED_BY, "valueString": row.verified_by}]
    return [*verified, {"url": LEVELS, "valueString": row.levels}] if row.levels else verified


def _text(resource: dict[str, Any]) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


def differing(made: dict[Path, str], folder: Path = PROFILES) -> list[Path]:
    """Files that are missing or differ from what would be written, and files that no table makes any more."""
    files = (path for kind in ("codesystems", "valuesets") for path in (folder / kind).glob("*.json"))
    kept = {path.relative_to(folder) for path in files}
    changed = [path for path, text in made.items() if path not in kept or _read(folder / path) != text]
    return sorted({*changed, *(kept - made.keys())})


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def write(made: dict[Path, str], stale: Iterable[Path], folder: Path = PROFILES) -> None:
    """Write or remove the files that differ."""
    for path in stale:
        if path in made:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(made[path], encoding="utf-8", newline="\n")
        else:
            (folder / path).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what differs, or with `--check` only name it; 0 if nothing differed or all was written, else 1."""
    parser = argparse.ArgumentParser(description="Write CodeSystems and ValueSets from the tables in fhir_profiles/.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file differs from its table")
    check = parser.parse_args(arguments).check
    made = build()
    stale = differing(made)
    if not check:
        write(made, stale)
    for path in stale:
        sys.stdout.write(f"{'differs' if check else 'wrote'}: fhir_profiles/{path.as_posix()}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
