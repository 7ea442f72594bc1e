"""Lines of many patients, in any order: each patient's are found, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.screen.charts import Chart
from adapters.screen.lines import Index, read, stamp
from pathway.errors import BadInputError
from tests.world import person


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def charts(files: Sequence[Path]) -> dict[str, Chart]:
    index = Index.of(files)
    found = list(read(files, [stamp(path) for path in files], list(index.patients())))
    return {chart.where.removeprefix("Patient/"): chart for chart in found}


def ids(chart: Chart) -> list[str]:
    return sorted(entry["resource"]["id"] for entry in json.loads(chart.data)["entry"])


def location(id: str) -> dict[str, Any]:
    return {"resourceType": "Location", "id": id, "address": {"state": "CA"}}


def encounter_at(patient: str, place: str) -> dict[str, Any]:
    body = person(patient).encounter("AMB", 1).resources[-1]
    return body | {"location": [{"location": {"reference": f"Location/{place}"}}]}


def test_an_export_by_type_is_put_together_by_patient(tmp_path: Path) -> None:
    a, b = person("a").fracture("L1", 3).pain(7, 1), person("b").pain(3, 1)
    files = [
        write(tmp_path / "Patient.ndjson", [a.resources[0], b.resources[0]]),
        write(tmp_path / "Observation.ndjson", [b.resources[1], a.resources[2]]),
        write(tmp_path / "Condition.ndjson", [a.resources[1]]),
    ]
    found = charts(files)
    assert {id: ids(chart) for id, chart in found.items()} == {
        "a": sorted(r["id"] for r in a.resources), "b": sorted(r["id"] for r in b.resources)
    }  # fmt: skip


@given(st.permutations(range(9)), st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_the_order_of_lines_and_their_files_never_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    rows = [r for id in ("a", "b", "c") for r in person(id).fracture("L1", 3).pain(7, 1).resources]
    mixed = [rows[n] for n in order]
    folder = tmp_path_factory.mktemp("mixed")
    found = charts([write(folder / "1.ndjson", mixed[:cut]), write(folder / "2.ndjson", mixed[cut:])])
    assert {id: ids(chart) for id, chart in found.items()} == {
        id: sorted([id, f"{id}-fx-1", f"{id}-pain-1"]) for id in ("a", "b", "c")
    }


def test_what_belongs_to_nobody_comes_with_those_who_refer_to_it(tmp_path: Path) -> None:
    rows = [encounter_at("a", "ward"), person("a").resources[0], person("b").resources[0]]
    path = write(tmp_path / "all.ndjson", [*rows, location("ward"), location("far")])
    found = charts([path])
    assert "ward" in ids(found["a"])
    assert ids(found["b"]) == ["b"]
    assert Index.of([path]).unusable == 0


def test_lines_that_name_nobody_are_told_by_their_place(tmp_path: Path) -> None:
    stray = {"resourceType": "Condition", "id": "x"}
    path = write(tmp_path / "all.ndjson", [person("a").resources[0], "{not json", "", "[1]", stray])
    index = Index.of([path])
    assert [where for where, _ in index.faults] == ["all.ndjson:2", "all.ndjson:4", "all.ndjson:5"]
    assert index.unusable == 3


def test_a_line_that_only_a_lenient_reader_takes_is_left_out_and_told_of(tmp_path: Path) -> None:
    twice = '{"resourceType":"Observation","id":"o","id":"p","subject":{"reference":"Patient/a"}}'
    (chart,) = charts([write(tmp_path / "all.ndjson", [person("a").resources[0], twice])]).values()
    assert ids(chart) == ["a"]
    assert [place for place, _ in chart.aside] == ["Patient/a, its line 2"]


def test_a_line_without_end_is_passed_over_and_those_after_it_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.screen.lines.MAX_BYTES", 2000)
    path = write(tmp_path / "all.ndjson", ['{"x":"' + "y" * 9000 + '"}', person("a").resources[0]])
    index = Index.of([path])
    assert index.faults == [("all.ndjson:1", "longer than 2000 bytes")]
    monkeypatch.undo()
    assert ids(charts([path])["a"]) == ["a"]


@pytest.mark.parametrize("longer", [-1, 0, 1])
def test_the_line_after_one_that_is_as_long_as_may_be_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longer: int
) -> None:
    monkeypatch.setattr("adapters.screen.lines.MAX_BYTES", 2000)
    path = write(tmp_path / "all.ndjson", ["y" * (2000 + longer), person("a").resources[0]])
    index = Index.of([path])
    assert len(index.faults) == 1
    ((owner, ((_, at, length),)),) = index.patients()
    assert (owner, at + length) == ("a", path.stat().st_size)


def test_a_file_that_is_gone_is_told_as_one_that_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "all.ndjson", [person("a").resources[0]])
    rows, known = list(Index.of([path]).patients()), [stamp(path)]
    path.unlink()
    with pytest.raises(BadInputError, match="changed since"):
        list(read([path], known, rows))


def test_a_file_that_changed_since_is_not_read_at_old_places(tmp_path: Path) -> None:
    path = write(tmp_path / "all.ndjson", [person("a").resources[0]])
    rows, known = list(Index.of([path]).patients()), [stamp(path)]
    path.write_text(json.dumps(person("stranger").resources[0]) + "\n")
    with pytest.raises(BadInputError, match="changed since"):
        list(read([path], known, rows))


def test_lines_of_one_patient_that_follow_each_other_are_one_place(tmp_path: Path) -> None:
    rows = person("a").fracture("L1", 3).pain(7, 1).resources
    ((_, spans),) = Index.of([write(tmp_path / "all.ndjson", rows)]).patients()
    assert len(spans) == 1


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(r).encode() for r in person("a").pain(7, 1).resources))
    assert ids(charts([path])["a"]) == ["a", "a-pain-1"]
