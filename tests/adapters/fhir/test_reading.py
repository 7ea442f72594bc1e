"""FHIR dates say what they say: partial ones are spans, those without a zone are not instants."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.fhir.reading import When, reference_of


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2026", "2026-01-01T00:00:00", "2026-12-31T23:59:59.999999"),
        ("2026-02", "2026-02-01T00:00:00", "2026-02-28T23:59:59.999999"),
        ("2024-02", "2024-02-01T00:00:00", "2024-02-29T23:59:59.999999"),
        ("2026-12", "2026-12-01T00:00:00", "2026-12-31T23:59:59.999999"),
        ("2026-11-22", "2026-11-22T00:00:00", "2026-11-22T23:59:59.999999"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00", "2026-11-22T08:00:00"),
        ("2026-11-22T10:00:60Z", "2026-11-22T10:00:59", "2026-11-22T10:00:59"),
    ],
)
def test_a_date_allows_what_it_leaves_open(text: str, earliest: str, latest: str) -> None:
    when = When.read(text)
    assert when == When(
        datetime.fromisoformat(earliest).replace(tzinfo=UTC), datetime.fromisoformat(latest).replace(tzinfo=UTC)
    )


def test_a_day_is_a_day_of_the_facilitys_zone_also_when_the_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = When.read("2026-03-29", berlin), When.read("2026-10-25", berlin)
    assert spring is not None
    assert autumn is not None
    assert round((spring.latest - spring.earliest).total_seconds()) == 23 * 3600
    assert round((autumn.latest - autumn.earliest).total_seconds()) == 25 * 3600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "0001-01-01",
        "9999-12-31",
        "2026-11-22T10:00:00",
        "2026-13-01",
        "2026-02-30",
        None,
        2026,
        "0000",
    ],
)
def test_what_is_no_date_is_none(text: object) -> None:
    assert When.read(text) is None


@pytest.mark.parametrize(
    ("reference", "short"),
    [
        ("Patient/p1", "Patient/p1"),
        ("https://ehr.example/fhir/Patient/p1", "Patient/p1"),
        ("Patient/p1/_history/3", "Patient/p1"),
        ("urn:uuid:abc", "urn:uuid:abc"),
    ],
)
def test_a_reference_is_cut_to_type_and_id(reference: str, short: str) -> None:
    assert reference_of({"reference": reference}) == short
