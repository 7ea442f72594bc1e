"""Messages name fields and hold no logic; whatever is missing, they still say something true."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pathway.errors import RuleBookError
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.messages import REASONS, check, place_of, render, too_old

AT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def said(template: str, *facts: Fact, stale: frozenset[str] = frozenset()) -> str:
    return render(template, {fact.datum: fact for fact in facts}, "L1", stale)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"), (False, "no"), (0, "0"), (17, "17"), (Decimal("7.50"), "7.50"), ("oedema", "oedema"),
        (Interval(3, 3), "3"), (Interval(18, 19), "18 to 19"),
    ],
)  # fmt: skip
def test_a_value_as_a_person_reads_it(value: Value, text: str) -> None:
    assert said("{d}", Fact("d", value)) == text


def test_the_level_is_always_there() -> None:
    assert said("{level} hurts") == "L1 hurts"


def test_a_vertebra_without_a_name_is_named_in_words() -> None:
    assert render("MRI of {level}", {}, place_of("unspecified")) == "MRI of an unnamed vertebra"
    assert render("{level} was cemented", {}, place_of("unspecified")) == "An unnamed vertebra was cemented"
    assert render("{level} was cemented", {}, place_of("T12")) == "T12 was cemented"


def test_a_datum_that_is_not_known_is_not_recorded() -> None:
    assert said("{d}", unknown("d")) == "not recorded"
    assert said("{d}") == "not recorded"


def test_an_unconfirmed_value_is_shown() -> None:
    assert said("{d}: {d.reason}", unknown("d", Reason.UNCONFIRMED, candidate=8)) == "8: recorded, but not confirmed"


def test_a_date_is_a_day_or_unknown() -> None:
    assert said("{d.date}", Fact("d", 1, at=AT)) == "2026-11-20"
    assert said("{d.date}", Fact("d", 1)) == "an unknown date"
    assert said("{d.date}") == "not recorded"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    assert said("{d.reason}", unknown("d", reason)) == REASONS[reason]


def test_a_reason_says_why_where_the_builder_knows() -> None:
    fact = unknown("d", Reason.UNCONFIRMED, candidate=8, detail={"why": "its place is not recorded"})
    assert said("{d.reason}", fact) == "recorded, but not confirmed (its place is not recorded)"


def test_what_the_rule_found_too_old_says_of_when() -> None:
    assert said("{d.reason}", Fact("d", 1, at=AT), stale=frozenset({"d"})) == "too old, of 2026-11-20"
    assert said("{d.reason}", Fact("d", 1, at=AT)) == "recorded"
    assert said("{d.reason}", Fact("d", 1, at=AT), stale=frozenset({"e"})) == "recorded"


def test_what_is_told_of_a_datum_is_never_more_than_is_known() -> None:
    assert said("{d.told}", Fact("d", False, at=AT)) == "no"
    assert said("{d.told}", Fact("d", False, at=AT), stale=frozenset({"d"})) == "no, too old, of 2026-11-20"
    assert said("{d.told}", unknown("d", Reason.UNCONFIRMED, candidate=False)) == "no, recorded, but not confirmed"
    assert said("{d.told}", unknown("d")) == "not recorded"
    assert said("{d.told}", unknown("d", Reason.CONFLICTING)) == "sources conflict"


def test_what_a_comparison_still_holds_by_is_not_called_too_old() -> None:
    old, fear = ("d", "stale", None), ("d", "", True)
    assert too_old("{d.told}", [old]) == too_old("{d.reason}", [old, fear]) == frozenset({"d"})
    assert too_old("{d.told}", [old, ("d", "", False)]) == frozenset({"d"})
    assert too_old("{d.told}", [old, fear]) == frozenset()


def test_a_detail_is_said_in_the_builder_s_words() -> None:
    assert said("{d.finding}", Fact("d", True, detail={"finding": "marrow oedema"})) == "marrow oedema"


def test_a_missing_detail_says_so_unless_it_only_adds_something() -> None:
    fact = Fact("d", True)
    assert said("{d.technique}", fact) == "not recorded"
    assert said("Tender at {d.place}{d.note}", fact) == "Tender at L1"


def test_the_id_of_a_criterion_is_a_field_though_it_has_a_dot() -> None:
    assert said("{shared.adult}", Fact("shared.adult", "met")) == "met"


def test_text_outside_fields_stays_as_it_is() -> None:
    assert said("100 % {} {Level} {a b} {{d}}", Fact("d", 1)) == "100 % {} {Level} {a b} {1}"


def test_a_value_is_not_read_as_a_template() -> None:
    assert said("{d}", Fact("d", "{level}")) == "{level}"


@pytest.mark.parametrize("template", ["plain", "{level}", "{outcome}", "{age}", "{age.reason}", "{shared.adult}"])
def test_a_field_that_can_be_seen_passes(template: str) -> None:
    check(template, ["age", "shared.adult"], "x")


@pytest.mark.parametrize("template", ["{agee}", "{age.reason} {pain}", "{shared.adlut}", "{levels}"])
def test_a_field_that_cannot_be_seen_is_refused(template: str) -> None:
    with pytest.raises(RuleBookError, match=r"^x: the message names '.*Name level or a datum that the rule reads"):
        check(template, ["age", "shared.adult"], "x")
