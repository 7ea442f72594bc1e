"""Every case of every rule comes out as it says, and the cases of every rule cover what they must."""

import pytest

from pathway.casebook import check, gaps, run
from tests.rules.book import BOOK, FILES, RULES

IDS = sorted(FILES)


@pytest.mark.parametrize("rule", IDS)
def test_each_case_comes_out_as_expected(rule: str) -> None:
    assert [result.sentence() for result in run(FILES[rule]) if not result.passed] == []


@pytest.mark.parametrize("rule", IDS)
def test_the_cases_leave_no_gap(rule: str) -> None:
    assert [gap.sentence() for gap in gaps(FILES[rule])] == []


def test_the_check_that_the_command_runs_finds_nothing() -> None:
    assert [fault.sentence() for fault in check(RULES, BOOK)] == []
