"""Invented charts of any size: three fractured levels with what is known of them, and a tail of older observations."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any, Final

from adapters.demo.record import Record
from adapters.http.cds_hooks.catalogue import services

NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEVELS: Final = ("T12", "L1", "L3")
STATE: Final = "FL"
Json = dict[str, Any]


def chart(id: str, size: int, seed: int = 0) -> Record:
    """A chart of exactly `size` resources (20 at least), paid by Original Medicare; seeds differ in what is known."""
    rng = random.Random(seed)
    record = Record(id, NOW).encounter("AMB", 0.1).place(STATE).coverage("original-medicare")
    for level in LEVELS:
        record.fracture(level, rng.choice((20, 35, 50)))
    record.care(28).pain(rng.choice((6, 7, 8)), 26).pain(rng.choice((5, 7, 9)), 1)
    for level in LEVELS:
        _examined(record, level, rng)
    while len(record.resources) < size:
        record.pain(rng.randint(2, 9), 30 + len(record.resources))
    del record.resources[size:]
    return record


def followed(id: str, seed: int = 0) -> Record:
    """Three fractured levels of which two were cemented, a year and some weeks ago, with what followed each."""
    rng = random.Random(seed)
    record = Record(id, NOW).encounter("AMB", 0.1).place(STATE).coverage("original-medicare")
    for level, days in zip(LEVELS, (400, 30, 80), strict=True):
        record.fracture(level, days)
        _examined(record, level, rng)
    for level, days in ((LEVELS[0], 360), (LEVELS[2], rng.choice((3, 25, 60)))):
        record.cement(level, days).leak_statement(level, days - 1, ["disc"] if rng.random() < 0.5 else ())
        record.finding("chest-check", "normal", days - 0.2).contact(days / 2).pain(rng.choice((2, 5, 7)), days / 2)
    return record.care(28).well(2).referral(rng.choice(("active", "completed")), 20)


def _examined(record: Record, level: str, rng: random.Random) -> None:
    if rng.random() < 0.7:
        record.tender(level, rng.random() < 0.7, 2)
    if rng.random() < 0.7:
        record.oedema(level, rng.random() < 0.7, 3)
    if rng.random() < 0.5:
        record.height_loss(level, rng.choice((15, 25, 40)), 3)


def call(record: Record) -> Json:
    """A hook call with the whole chart in prefetch, as a client sends it."""
    (service,) = services().values()
    prefetch: Json = {}
    for key, template in service.prefetch.items():
        type_ = template.partition("?")[0].partition("/")[0]
        rows = [r for r in record.resources if r["resourceType"] == type_]
        entries = [{"resource": row} for row in rows]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset"} | ({"entry": entries} if entries else {})
        prefetch[key] = rows[0] if type_ == "Patient" else bundle
    return {
        "hook": service.hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "prefetch": prefetch,
        "context": {"userId": "Practitioner/u1", "patientId": record.id},
    }  # fmt: skip
