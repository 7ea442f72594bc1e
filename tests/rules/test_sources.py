"""What a rule says of its sources: a number that nobody but us has set says so, and what was not read is not `read`."""

from collections.abc import Mapping
from typing import Any

import pytest

from pathway.rulebook import Rule
from tests.rules.book import ALL

OURS = "project-default"
SET_BY_US = [rule for rule in ALL if any(one.status == OURS for one in rule.parameters.values())]
NOT_READ = {"AAOS 2010": {"abstract"}, "AAOS guideline": {"abstract"}, "SINS": {"secondary"}}
"""Words of a label -> what its status may be: of the first the abstract was read, of the second only who quotes it."""


def evidence(rule: Rule) -> list[Mapping[str, Any]]:
    return list((rule.document or {}).get("evidence", ()))


@pytest.mark.parametrize("rule", SET_BY_US, ids=lambda rule: rule.id)
def test_a_number_that_is_our_own_is_named_as_ours_in_the_evidence(rule: Rule) -> None:
    own = [row["label"] for row in evidence(rule) if row["status"] == OURS]
    assert own, "it holds a parameter of status project-default; say so in its evidence, with the date"
    dates = {one.set_on for one in rule.parameters.values() if one.status == OURS}
    assert all(any(date in label for label in own) for date in dates)


def test_no_source_of_which_only_an_abstract_or_a_quotation_was_read_says_read() -> None:
    rows = [(rule.id, row) for rule in ALL for row in evidence(rule)]
    found = [(id_, row["label"]) for id_, row in rows for words, may in NOT_READ.items()
             if row["label"].startswith(words) and row["status"] not in may]  # fmt: skip
    assert SET_BY_US
    assert found == []
