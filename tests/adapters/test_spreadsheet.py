"""No cell of a list is a formula, and none loses what it says."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.spreadsheet import cell, csv_bytes


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1", "\n=1", " =1", "＝1"])  # noqa: RUF001
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["L1", "", "a=b", "7-10", "2026-11-22"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_nothing_is_an_empty_cell() -> None:
    assert cell(None) == ""


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4)))
def test_every_row_comes_back_as_it_was_written(rows: list[list[str]]) -> None:
    read = csv.reader(io.StringIO(csv_bytes(rows).decode(), newline=""), strict=True)
    assert list(read) == [[cell(value) for value in row] for row in rows]
