"""What is read of cement that left the vertebra: who saw it, what it does, and what CT and physicians made of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from adapters.demo.record import LOINC, Record, concept
from pathway.facts import Interval, Reason, Value
from tests.adapters.fhir.vertebrae import likely, silent, treated, two
from tests.world import case_of, person

SAID: list[tuple[str, str, str, Value]] = [
    ("cement-migrating", "cement-migrating", "present", True),
    ("cement-migrating", "cement-migrating", "absent", False),
    ("radicular-pain", "radicular-pain", "present", True), ("radicular-pain", "radicular-pain", "absent", False),
    ("embolism-place", "embolism-place", "peripheral", "peripheral"),
    ("embolism-place", "embolism-place", "central", "central"),
    ("embolism-plan", "embolism-plan", "treat", "treat"), ("embolism-plan", "embolism-plan", "observe", "observe"),
    ("heart-team", "heart-team-discussion", "yes", True), ("heart-team", "heart-team-discussion", "no", False),
    ("surgeon-after-cement", "surgeon-informed", "yes", "informed"),
    ("surgeon-after-cement", "surgeon-informed", "no", "not-informed"),
]  # fmt: skip


def one(days: float = 2) -> Record:
    return two().cement("L1", days)


@pytest.mark.parametrize(("datum", "code", "answer", "value"), SAID)
def test_each_answer_is_read_of_its_procedure_and_a_doubtful_one_is_only_likely(
    datum: str, code: str, answer: str, value: Value
) -> None:
    assert silent(treated(one())[datum])
    assert treated(one().of_procedure(code, answer, 1))[datum].value == value
    doubted = one().of_procedure(code, answer, 1)
    doubted.resources[-1]["status"] = "preliminary"
    assert likely(treated(doubted)[datum], value)
    again = two().cement("L1", 60).of_procedure(code, answer, 59).cement("L1", 2)
    assert [silent(sheet.facts[datum]) for sheet in case_of(again).treated].count(True) == 1


@pytest.mark.parametrize("code", ["embolism-place", "embolism-plan", "heart-team-discussion"])
def test_what_a_physician_stands_by_needs_a_name(code: str) -> None:
    datum = "heart-team" if code == "heart-team-discussion" else code
    record = one().of_procedure(code, {"embolism-place": "peripheral", "embolism-plan": "treat"}.get(code, "yes"), 1)
    del record.resources[-1]["performer"]
    assert treated(record)[datum].reason is Reason.UNCONFIRMED


def test_a_later_reading_that_nobody_signed_takes_no_central_one_back() -> None:
    record = one().of_procedure("embolism-place", "central", 1).of_procedure("embolism-place", "peripheral", 0.5)
    assert treated(record)["embolism-place"].value == "peripheral"
    del record.resources[-1]["performer"]
    assert treated(record)["embolism-place"].value == "central"


def test_of_readings_of_one_instant_the_central_one_is_feared() -> None:
    record = one().of_procedure("embolism-place", "central", 1).of_procedure("embolism-place", "peripheral", 1)
    fact = treated(record)["embolism-place"]
    assert (fact.reason, fact.candidate) == (Reason.CONFLICTING, "central")


LUNGS: dict[str, tuple[Callable[[Record], Record], bool]] = {
    "a place that was read": (lambda r: r.of_procedure("embolism-place", "peripheral", 1), True),
    "a diagnosis": (lambda r: r.condition("I26.95", 1), True),
    "a diagnosis with cor pulmonale": (lambda r: r.condition("I26.03", 1), True),
    "a diagnosis that is over": (lambda r: r.condition("I26.95", 1, status="resolved"), True),
    "a suspected diagnosis": (lambda r: r.condition("I26.95", 1, verification="provisional"), False),
}


@pytest.mark.parametrize(("add", "sure"), LUNGS.values(), ids=list(LUNGS))
def test_cement_in_the_lungs_is_read_from_whoever_says_so_and_outweighs_the_operator(
    add: Callable[[Record], Record], sure: bool
) -> None:
    fact = treated(add(one().leak_statement("L1", 1.9)))["leak-lungs"]
    assert (fact.value is True) if sure else likely(fact)


def test_a_diagnosis_of_before_or_one_that_was_refuted_says_nothing_of_this_procedure() -> None:
    assert silent(treated(one().condition("I26.95", 20))["leak-lungs"])
    assert silent(treated(one().condition("I26.95", 1, verification="refuted"))["leak-lungs"])
    assert silent(treated(one().condition("I26.99", 1))["leak-lungs"])  # any other embolism is no cement


def test_an_embolism_belongs_to_the_last_procedure_before_it() -> None:
    record = two().cement("L1", 60).condition("I26.03", 50).cement("L3", 2)
    assert treated(record, "L1")["acute-cor-pulmonale"].value is True
    assert silent(treated(record, "L3")["acute-cor-pulmonale"])
    assert silent(treated(record, "L3")["leak-lungs"])


def test_codes_of_an_embolism_are_paired() -> None:
    def codes(*found: str) -> Value | None:
        record = one()
        for code in found:
            record.condition(code, 1)
        return treated(record)["embolism-codes"].value

    assert codes() == "neither"
    assert codes("I26.95") == "embolism-only"
    assert codes("T81.718A") == "complication-only"
    assert codes("I26.03", "T81.718D") == "both"
    assert codes("I26.99", "T81.72XA") == "neither"


def test_cement_inside_the_dura_or_in_the_heart_is_read_only_where_it_is_stated() -> None:
    for place in ("intradural", "heart-or-cava"):
        assert silent(treated(one().leak_statement("L1", 1.9))[f"leak-{place}"])
        assert treated(one().leak_statement("L1", 1.9, leaks=[place]))[f"leak-{place}"].value is True
        complication = two().cement("L1", 2, complication=[place])
        assert treated(complication)[f"leak-{place}"].value is True


def test_a_surgeon_counts_as_consulted_after_the_cement_at_this_vertebra_and_signed() -> None:
    def seen(days: float, level: str = "L1") -> Record:
        return one().finding("surgeon-opinion", "yes", days, level=level)

    assert treated(seen(1))["surgeon-after-cement"].value == "consulted"
    assert silent(treated(seen(2.2))["surgeon-after-cement"])  # of that day, and about something else
    assert silent(treated(seen(1, "L3"))["surgeon-after-cement"])
    unsigned = seen(1)
    del unsigned.resources[-1]["performer"]
    assert likely(treated(unsigned)["surgeon-after-cement"], "consulted")
    told = unsigned.of_procedure("surgeon-informed", "yes", 1)
    assert treated(told)["surgeon-after-cement"].value == "informed"


def test_radicular_pain_of_before_the_cement_is_none_after_it() -> None:
    assert silent(treated(one().finding("radicular-pain", "present", 2.2))["radicular-pain"])
    assert silent(treated(one().finding("radicular-pain", "absent", 1, level="L3"))["radicular-pain"])
    assert treated(one().finding("radicular-pain", "present", 1, level="L3"))["radicular-pain"].value is True


def test_a_ct_of_the_chest_is_one_by_its_site_or_order_and_its_report() -> None:
    def study(site: str = "", order: str = "", report: str = "final", days: float = 1) -> Record:
        record = one()
        if order:
            record.order(order, days)
        record.study("CT", days, spine=False)
        if site:
            record.resources[-1]["series"] = [{"uid": "2.25.1", "modality": record.resources[-1]["modality"][0]}]
            record.resources[-1]["series"][0]["bodySite"] = {"system": "http://snomed.info/sct", "code": site}
        if order:
            record.resources[-1]["basedOn"] = [{"reference": f"ServiceRequest/{record.resources[-2]['id']}"}]
        return record.report(days - 0.1, report) if report else record

    datum = "chest-ct-after-cement"
    assert treated(study(site="51185008"))[datum].value is True
    assert treated(study(order="chest-ct"))[datum].value is True
    assert likely(treated(study(order="chest-ct", report=""))[datum])
    assert likely(treated(study(order="chest-ct", report="preliminary"))[datum])
    assert likely(treated(study())[datum])
    assert silent(treated(study(site="421060004"))[datum])
    assert silent(treated(study(order="spine-ct"))[datum])
    assert silent(treated(study(site="51185008", days=3))[datum])
    assert silent(treated(study(order="chest-ct"))["ct-after-cement"])
    assert silent(treated(study(site="51185008"))["ct-after-cement"])


def test_saturation_was_measured_by_a_final_number_after_the_cement() -> None:
    datum = "saturation-measured"
    assert silent(treated(one())[datum])
    assert treated(one().lab("59408-5", 96, "%", 1))[datum].value is True
    assert treated(one(200).lab("2708-6", 88, "%", 199))[datum].value is True
    assert likely(treated(one().lab("59408-5", 96, "%", 1, status="preliminary"))[datum])
    assert silent(treated(one().lab("59408-5", 96, "%", 3))[datum])
    empty = one().lab("59408-5", 96, "%", 1)
    del empty.resources[-1]["valueQuantity"]
    assert silent(treated(empty)[datum])


def test_pain_is_compared_with_the_last_score_before_the_cement() -> None:
    datum = "pain-above-baseline"

    def rise(*scores: tuple[int, float]) -> Value | None:
        record = one()
        for points, days in scores:
            record.pain(points, days)
        return treated(record)[datum].value

    assert rise((5, 2.5), (7, 1.9)) == Decimal(2)
    assert rise((9, 20), (5, 2.5), (7, 1.9)) == Decimal(2)
    assert rise((5, 2.5), (7, 1.9), (3, 0.5)) == Decimal(-2)
    assert rise((5, 2.5), (7, 1.9), (6, 0.5)) == Decimal(1)
    assert rise((5, 2.5), (7, 0.9)) is None  # a rise that came after the first day is another question
    assert rise((5, 2.5), (7, 1)) == Decimal(2)
    assert rise((5, 91), (7, 1.9)) == Decimal(2)
    assert rise((5, 93), (7, 1.9)) is None
    assert rise((7, 1.9)) is None
    assert rise((5, 2.5)) is None


def test_a_score_without_a_place_makes_a_rise_only_likely() -> None:
    datum = "pain-above-baseline"
    assert likely(treated(one().pain(5, 2.5).pain(7, 1.9, site=False))[datum], Decimal(2))
    assert likely(treated(one().pain(5, 2.5, site=False).pain(7, 1.9))[datum], Decimal(2))


def test_risk_factors_of_embolism_are_counted_and_what_is_not_recorded_may_be_there() -> None:
    def factors(record: Record, level: str = "L1") -> Value | None:
        return treated(record, level)["embolism-risk-factors"].value

    assert factors(one()) == Interval(0, 0)
    assert factors(person().fracture("T8", 30).cement("T8", 2, "22510"), "T8") == Interval(2, 2)
    assert factors(person().fracture("T8", 15).cement("T8", 2, "22510"), "T8") == Interval(3, 3)
    assert factors(person().fracture("T8", 16).cement("T8", 2, "22510"), "T8") == Interval(2, 2)
    assert factors(person().fracture("L1", 30, stated=False).cement("L1", 2)) == Interval(0, 1)
    many = two().cement("L1", 2).cement("L3", 2, "22515").cement("L5", 2, "22515")
    assert factors(many) == Interval(1, 1)


def test_the_words_of_the_factors_name_what_is_there_and_what_is_silent() -> None:
    fact = treated(person().fracture("T8", 30, stated=False).cement("T8", 2, "22510"), "T8")["embolism-risk-factors"]
    assert fact.detail["present"] == "thoracic, vertebroplasty"
    assert fact.detail["silent"] == "less than two weeks after the onset"


def test_the_code_of_saturation_is_that_of_the_value_set() -> None:
    record = one().lab("59408-5", 96, "%", 1)
    record.resources[-1]["code"] = concept(LOINC, "8867-4")
    assert silent(treated(record)["saturation-measured"])
