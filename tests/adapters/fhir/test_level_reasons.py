"""Reasons to go on with a vertebra: signed, for that vertebra, and not older than what they excuse."""

from __future__ import annotations

import pytest

from adapters.demo.record import Record
from pathway.facts import Fact, Reason
from tests.adapters.fhir.vertebrae import facts, likely, silent, two

SIGNS = {
    "instability": "spinal-instability", "impingement": "neural-impingement", "retropulsion": "retropulsion",
    "epidural-extension": "epidural-extension",
}  # fmt: skip
FLAGS = [*SIGNS, "collapse"]


def reason(record: Record, flag: str, level: str = "L1") -> Fact:
    return facts(record, level)[f"reason-despite-{flag}"]


def stale(fact: Fact) -> bool:
    return (fact.value, fact.reason) == (None, Reason.STALE)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_reason_counts_for_its_vertebra_where_it_is_signed(flag: str) -> None:
    record = two().reason(flag, 1, level="L1")
    assert reason(record, flag).value is True
    assert silent(reason(record, flag, "L3"))
    assert silent(reason(two().reason(flag, 1), flag))
    del record.resources[-1]["performer"]
    assert likely(reason(record, flag))
    assert reason(two().finding(f"reason-despite-{flag}", "no", 1, level="L1"), flag).value is False
    assert silent(reason(two().reason(flag, 1, level="L1", text=" "), flag))


@pytest.mark.parametrize("flag", FLAGS)
def test_the_latest_word_counts_and_two_of_one_instant_conflict(flag: str) -> None:
    code = f"reason-despite-{flag}"
    later = two().finding(code, "yes", 5, level="L1").finding(code, "no", 1, level="L1")
    assert reason(later, flag).value is False
    at_once = two().finding(code, "yes", 1, level="L1").finding(code, "no", 1, level="L1")
    assert reason(at_once, flag).reason is Reason.CONFLICTING


@pytest.mark.parametrize(("flag", "sign"), SIGNS.items())
def test_a_reason_from_before_its_sign_cannot_have_meant_it(flag: str, sign: str) -> None:
    def given(*rows: tuple[str, float]) -> Fact:
        record = two().reason(flag, 10, level="L1")
        for answer, days in rows:
            record.finding(sign, answer, days, level="L1")
        return reason(record, flag)

    assert given(("present", 11)).value is True
    assert given(("present", 10.2)).value is True
    assert given(("present", 9.9)).value is True  # of one day
    assert stale(given(("present", 9)))
    assert given(("present", 9)).candidate is True
    assert given(("present", 20), ("present", 5)).value is True  # seen again, it is no new sign
    assert stale(given(("present", 20), ("absent", 12), ("present", 5)))
    assert given(("absent", 5)).value is True


def test_a_collapse_is_excused_from_the_day_on_which_it_was_measured() -> None:
    def given(*rows: tuple[int, float]) -> Fact:
        record = two().reason("collapse", 10, level="L1")
        for percent, days in rows:
            record.height_loss("L1", percent, days)
        return reason(record, "collapse")

    assert given((75, 11)).value is True
    assert given((75, 10)).value is True
    assert stale(given((75, 9)))
    assert given((75, 20), (75, 5)).value is True
    assert stale(given((75, 20), (80, 5)))  # lower since the reason was given
    assert given((80, 20), (75, 5)).value is True
    assert stale(given((75, 20), (40, 12), (75, 5)))


def test_another_vertebras_collapse_is_nothing_to_this_reason() -> None:
    assert reason(two().reason("collapse", 10, level="L1").height_loss("L3", 75, 5), "collapse").value is True
