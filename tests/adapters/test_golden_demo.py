"""The demo's answers as people read them, kept as text: a change of any word shows as a diff."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from adapters.cli.table import table
from adapters.demo.patients import demo_patients
from adapters.demo.record import Record
from tests.world import NOW, decision_on

RECORDS = {record.id: record for record in demo_patients(NOW)}


@pytest.mark.parametrize("name", RECORDS)
def test_the_demo_says_what_it_said(name: str, golden: Callable[[str, str], None]) -> None:
    record: Record = RECORDS[name]
    golden(f"demo/{name.removeprefix('demo-')}.txt", click.unstyle(table(decision_on(record))) + "\n")
