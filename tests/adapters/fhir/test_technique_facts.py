"""How a vertebra was cemented: by the codes of the procedure and by what the operator wrote of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from adapters.demo.record import CPT, Record
from adapters.fhir.terminology import ICD_10_PCS
from pathway.facts import Fact, Reason, Value
from tests.adapters.fhir.vertebrae import likely, silent, treated, two
from tests.world import case_of, read

TOLD: list[tuple[str, str, str, Value]] = [
    ("guidance", "procedure-guidance", "fluoroscopy", "fluoroscopy"), ("guidance", "procedure-guidance", "ct", "ct"),
    ("guidance", "procedure-guidance", "other", "other"),
    ("approach", "procedure-approach", "transpedicular", "transpedicular"),
    ("approach", "procedure-approach", "other", "other"),
    ("sedation", "procedure-sedation", "local", "local"), ("sedation", "procedure-sedation", "moderate", "moderate"),
    ("sedation", "procedure-sedation", "deep", "deep"), ("sedation", "procedure-sedation", "general", "general"),
    ("stopped-for-leak", "stopped-for-leak", "present", True),
    ("stopped-for-leak", "stopped-for-leak", "absent", False),
]  # fmt: skip
PAIRS = [
    ("guidance", "procedure-guidance", "fluoroscopy", "ct"),
    ("approach", "procedure-approach", "transpedicular", "other"),
    ("sedation", "procedure-sedation", "local", "general"),
    ("stopped-for-leak", "stopped-for-leak", "present", "absent"),
]


def one() -> Record:
    return two().cement("L1", 2)


def both() -> Record:
    return two().cement("L1", 2).cement("L3", 2, "22515")


@pytest.mark.parametrize(("datum", "code", "answer", "value"), TOLD)
def test_what_is_recorded_of_the_procedure_is_known(datum: str, code: str, answer: str, value: Value) -> None:
    assert silent(treated(one())[datum])
    assert treated(one().of_procedure(code, answer, 1))[datum].value == value
    assert treated(one().of_procedure(code, answer, 1, level="L1"))[datum].value == value
    draft = one().of_procedure(code, answer, 1)
    draft.resources[-1]["status"] = "preliminary"
    assert likely(treated(draft)[datum], value)


@pytest.mark.parametrize(("datum", "code", "first", "last"), PAIRS)
def test_the_latest_counts_and_two_of_one_instant_conflict(datum: str, code: str, first: str, last: str) -> None:
    later = one().of_procedure(code, first, 1.5).of_procedure(code, last, 1)
    assert treated(later)[datum] == treated(one().of_procedure(code, first, 1.5).of_procedure(code, last, 1))[datum]
    assert treated(later)[datum].value == treated(one().of_procedure(code, last, 1))[datum].value
    at_once = one().of_procedure(code, first, 1).of_procedure(code, last, 1)
    assert treated(at_once)[datum].reason is Reason.CONFLICTING
    assert silent(treated(one().of_procedure(code, "normal", 1))[datum])


@pytest.mark.parametrize(("datum", "code", "answer", "value"), TOLD)
def test_what_is_of_the_procedure_is_of_all_its_vertebrae_and_what_is_of_one_only_of_that(
    datum: str, code: str, answer: str, value: Value
) -> None:
    loose = both().of_procedure(code, answer, 1)
    named = both().of_procedure(code, answer, 1, level="L3")
    assert treated(named, "L3")[datum].value == value
    assert silent(treated(named)[datum])
    fact = treated(loose)[datum]
    if datum in ("guidance", "sedation") or value is False:
        assert fact.value == value
    elif datum == "approach":
        assert silent(fact)
    else:
        assert likely(fact)


def test_a_stop_for_a_leak_is_of_the_procedure_that_it_is_part_of_else_of_the_last_before_it() -> None:
    def stopped(record: Record) -> list[Value | None]:
        return [sheet.facts["stopped-for-leak"].value for sheet in case_of(record).treated]

    early = two().cement("L1", 20).of_procedure("stopped-for-leak", "present", 19).cement("L1", 2)
    assert sorted(stopped(early), key=str) == [None, True]
    assert treated(one().finding("stopped-for-leak", "present", 1))["stopped-for-leak"].value is True


# --- volume


def volume(made: Callable[[Record], Record], record: Callable[[], Record] = one, level: str = "L1") -> Fact:
    return treated(made(record()), level)["cement-volume"]


def test_the_volume_is_of_its_vertebra_to_the_tenth() -> None:
    assert volume(lambda r: r.volume("L1", 4, 1)).value == Decimal(4)
    assert volume(lambda r: r.volume("L1", 4.26, 1)).value == Decimal("4.3")
    assert volume(lambda r: r.volume("", 2.5, 1)).value == Decimal("2.5")
    assert silent(volume(lambda r: r.volume("", 2.5, 1), both))
    assert silent(volume(lambda r: r.volume("L3", 2.5, 1), both))
    assert volume(lambda r: r.volume("L3", 2.5, 1), both, "L3").value == Decimal("2.5")


def test_the_latest_volume_counts_and_a_doubtful_one_is_a_candidate() -> None:
    assert volume(lambda r: r.volume("L1", 4, 1.5).volume("L1", 6, 1)).value == Decimal(6)
    assert volume(lambda r: r.volume("L1", 4, 1).volume("L1", 6, 1)).reason is Reason.CONFLICTING
    assert likely(volume(lambda r: r.volume("L1", 4, 1, status="preliminary")), Decimal(4))
    assert volume(lambda r: r.volume("L1", 0, 1)).value == Decimal(0)
    assert volume(lambda r: r.volume("L1", 30, 1)).value == Decimal(30)


@pytest.mark.parametrize(
    ("value", "unit", "why"), [(30.1, "mL", "plausible"), (-1, "mL", "plausible"), (4, "L", "unit")]
)
def test_a_volume_that_cannot_be_or_of_another_unit_is_set_aside_at_the_door(value: float, unit: str, why: str) -> None:
    record = one().volume("L1", 4, 1)
    record.resources[-1]["valueQuantity"] |= {"value": value, "code": unit}
    (refused,) = (entry for entry in read(record).entries if not entry.accepted)
    assert why in refused.why


@pytest.mark.parametrize(
    ("finding", "value", "unit"),
    [("cement-volume", 45, "mL"), ("vertebral-height-loss", 150, "%"), ("vertebral-height-loss", 15, "mm")],
)
def test_an_attested_measure_that_cannot_be_is_set_aside_and_stops_no_decision(
    finding: str, value: float, unit: str
) -> None:
    record = one().attest({finding: "present", "stopped-for-leak": "absent"}, 1, level="L1")
    part = record.resources[-1]["component"][0]
    del part["valueCodeableConcept"]
    part["valueQuantity"] = {"value": value, "code": unit}
    assert not read(record).entries[-1].accepted
    assert silent(treated(record)["stopped-for-leak"])


# --- technique


@pytest.mark.parametrize(
    ("code", "value"),
    [("22511", "vertebroplasty"), ("22512", "vertebroplasty"), ("22514", "kyphoplasty"), ("22515", "kyphoplasty")],
)
def test_a_cpt_code_names_its_technique(code: str, value: Value) -> None:
    assert treated(two().cement("L1", 2, code))["technique-used"].value == value


def technique(*rows: tuple[str, str, str]) -> Fact:
    record = two()
    for level, code, system in rows:
        record.cement(level, 2, code, system)
    return treated(record)["technique-used"]


def test_all_codes_of_the_event_must_agree() -> None:
    cement, reposition = ("L1", "0QU03JZ", ICD_10_PCS), ("L1", "0QS03ZZ", ICD_10_PCS)
    assert technique(("L1", "22514", CPT), cement, reposition).value == "kyphoplasty"
    assert technique(cement, reposition).value == "kyphoplasty"
    assert technique(("L1", "22511", CPT), cement).value == "vertebroplasty"
    assert technique(("L1", "22511", CPT), cement, reposition).reason is Reason.CONFLICTING
    assert technique(("L1", "22511", CPT), ("L1", "22514", CPT)).reason is Reason.CONFLICTING
    assert technique(("L1", "22511", CPT), ("", "22514", CPT)).reason is Reason.CONFLICTING


def test_cement_alone_in_a_code_that_says_no_more_may_be_either() -> None:
    assert likely(technique(("L1", "0QU03JZ", ICD_10_PCS)), "vertebroplasty")


def test_the_technique_of_one_vertebra_is_not_that_of_the_next() -> None:
    record = two().cement("L1", 2, "22511").cement("L3", 2, "22514")
    assert treated(record)["technique-used"].value == "vertebroplasty"
    assert treated(record, "L3")["technique-used"].value == "kyphoplasty"
