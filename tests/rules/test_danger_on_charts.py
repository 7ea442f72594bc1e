"""Danger on a chart, to its verdict: one more datum that confirms nothing never makes anybody ready or a candidate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.demo.record import SIGNED, Record
from pathway.decide import decide
from tests.rules.book import CANDIDACY
from tests.rules.test_pre_procedure import chart, prepared
from tests.world import case_of, machines

APIXABAN = "1364430"
Change = Callable[[Record], Record]


def ready(record: Record) -> bool:
    return [level["outcome"] for level in chart(record)["levels"]] == ["ready"]


def named(record: Record) -> str:
    """The outcome under candidacy."""
    body = decide(case_of(record), [machine for machine in machines() if machine.rule_set.id == CANDIDACY.id]).body
    (level,) = body["levels"]
    return level["outcome"]


def none(record: Record, days: float = 0.05, *, signed: bool = False) -> Record:
    record.finding("antithrombotic", "none", days)
    if signed:
        record.resources[-1]["performer"] = [SIGNED]
    return record


def reviewed() -> Record:
    return none(prepared(), 0.5, signed=True)


def test_who_is_prepared_is_ready() -> None:
    assert ready(reviewed())
    assert named(reviewed()) == "candidate"


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("text", "code"), [("", APIXABAN), ("Eliquis", "")])
@pytest.mark.parametrize("days", [30, 2 / 24])
def test_none_beside_an_order_that_stands_is_not_ready(signed: bool, text: str, code: str, days: float) -> None:
    assert not ready(none(prepared().medicine(text, days, code=code), signed=signed))


def test_a_plan_that_is_over_or_of_another_order_is_not_ready() -> None:
    def held(days: float, restart: float) -> Record:
        record = prepared().medicine("", 700, code=APIXABAN).hold(days, restart=restart)
        return record.finding("thrombotic-risk", "not-high", 0.5)

    assert ready(held(0.5, 3))
    assert not ready(held(200, -195))
    assert not ready(held(10, -1))
    assert not ready(held(10, 3)), "from before the order"


def test_a_pregnancy_on_record_is_contraindicated_at_any_age_and_whatever_the_sex() -> None:
    assert named(reviewed().finding("pregnancy-status", "pregnant", 1)) == "contraindicated"
    assert not ready(reviewed().finding("pregnancy-status", "pregnant", 1))


def test_a_provisional_diagnosis_weakens_no_positive_screen_and_a_later_negative_one_settles_it() -> None:
    screened = reviewed().finding("infection-screen", "present", 0.05)
    assert named(screened) == "contraindicated"
    assert named(screened.condition("M46.46", 2, verification="provisional")) == "contraindicated"
    assert named(reviewed().condition("M46.46", 20, verification="provisional")) == "candidate"


FLAGS = ["cement-allergy", "atypical-pattern", "occult-tumour-signs", "spinal-instability", "retropulsion"]


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_both_present_and_absent_is_no_candidate(flag: str) -> None:
    at = {} if flag in ("cement-allergy", "occult-tumour-signs") else {"level": "L1"}
    record = reviewed().finding(flag, "present", 0.5, **at).finding(flag, "absent", 0.5, **at)
    assert named(record) == "needs-specialist-review"


@pytest.mark.parametrize(
    "result",
    [("4.5", "{INR}", "final"), (">8", "{INR}", "final"), (25, "{INR}", "final"), (5, "ratio", "final"),
     ("see comment", "", "final"), (6, "{INR}", "preliminary"), (4, "{INR}", "final")],
)  # fmt: skip
def test_an_inr_that_cannot_be_used_is_not_ready(result: tuple[float | str, str, str]) -> None:
    value, unit, status = result
    assert not ready(reviewed().lab("6301-6", value, unit, 1, status=status))


@pytest.mark.parametrize(
    "result", [(39.5, "Cel", "preliminary"), (103, "F", "final"), ("39,5", "", "final"), (103, "Cel", "final")]
)
def test_a_temperature_that_cannot_be_used_is_not_ready(result: tuple[float | str, str, str]) -> None:
    value, unit, status = result
    assert not ready(reviewed().lab("8310-5", value, unit, 0.1, status=status))


@pytest.mark.parametrize("text", ["none documented", "No reason.", "n/a"])
def test_a_denied_reason_excuses_nothing(text: str) -> None:
    record = reviewed().finding("spinal-instability", "present", 0.5, level="L1")
    assert named(record.reason("instability", 0.4, level="L1", text=text)) == "needs-specialist-review"


DANGERS: dict[str, Change] = {
    "apixaban": lambda r: r.medicine("", 30, code=APIXABAN),
    "eliquis": lambda r: r.medicine("Eliquis", 30),
    "infection": lambda r: r.finding("infection-screen", "present", 0.05),
    "discitis": lambda r: r.condition("M46.46", 2),
    "pregnancy": lambda r: r.finding("pregnancy-status", "pregnant", 1),
    "deficit": lambda r: r.finding("neurological-examination", "deficit", 0.05),
    "cauda": lambda r: r.condition("G83.4", 2),
    "cement allergy": lambda r: r.finding("cement-allergy", "present", 0.5),
    "coagulopathy": lambda r: r.finding("coagulation-check", "abnormal", 0.5),
    "haemophilia": lambda r: r.condition("D66", 400),
    "INR": lambda r: r.lab("6301-6", 6, "{INR}", 0.9),
    "platelets": lambda r: r.lab("777-3", 20, "10*3/uL", 0.9),
    "fever": lambda r: r.lab("8310-5", 39.5, "Cel", 0.15),
    "CRP": lambda r: r.lab("1988-5", 190, "mg/L", 0.9, flag="HH"),
    "prone": lambda r: r.finding("prone-and-sedation", "doubtful", 0.5),
}  # each makes who is ready not ready

ANSWERS = {
    "infection-screen": "absent", "pregnancy-status": "not-pregnant", "cement-allergy": "absent",
    "neurological-examination": "normal", "coagulation-check": "normal", "prone-and-sedation": "tolerated",
    "inflammation-markers": "normal",
}  # fmt: skip
LABS = {"6301-6": (1.1, "{INR}"), "777-3": (210, "10*3/uL"), "8310-5": (36.8, "Cel")}
MORE: dict[str, Change] = {
    **{f"preliminary {c}": lambda r, c=c, a=a: r.finding(c, a, 0.01, status="preliminary") for c, a in ANSWERS.items()},
    **{f"preliminary {c}": lambda r, c=c, v=v: r.lab(c, v[0], v[1], 0.01, status="preliminary")
       for c, v in LABS.items()},
    **{f"no number {c}": lambda r, c=c: r.lab(c, "see comment", "", 0.01) for c in LABS},
    **{f"suspected {c}": lambda r, c=c: r.condition(c, 1, verification="provisional")
       for c in ("M46.46", "Z33.1", "Z34.02", "O09.92", "D66", "G83.4")},
    "none": none,
    "none, signed": lambda r: none(r, signed=True),
    "CRP preliminary": lambda r: r.lab("1988-5", 2, "mg/L", 0.01, flag="N", status="preliminary"),
    "CRP without a word": lambda r: r.lab("1988-5", 2, "mg/L", 0.01),
    "aspirin": lambda r: r.medicine("Aspirin", 3),
    "over": lambda r: r.medicine("Apixaban", 400, status="stopped"),
}  # fmt: skip
SAME = {"infection": ("infection-screen", "absent", 0.05), "pregnancy": ("pregnancy-status", "not-pregnant", 1),
        "deficit": ("neurological-examination", "normal", 0.05), "cement allergy": ("cement-allergy", "absent", 0.5),
        "coagulopathy": ("coagulation-check", "normal", 0.5),
        "prone": ("prone-and-sedation", "tolerated", 0.5)}  # fmt: skip


@pytest.mark.parametrize("danger", DANGERS)
def test_each_danger_alone_holds_it_up_and_so_does_its_contradiction_of_the_same_instant(danger: str) -> None:
    assert not ready(DANGERS[danger](reviewed()))
    if danger in SAME:
        assert not ready(DANGERS[danger](reviewed()).finding(*SAME[danger]))


@pytest.mark.slow
def test_one_more_datum_that_confirms_nothing_never_makes_anybody_ready(rounds: Callable[[int], int]) -> None:
    """Monotonicity: an alert falls silent only for what contradicts it and is confirmed."""

    @settings(max_examples=rounds(5000))
    @given(st.sampled_from(sorted(DANGERS)), st.lists(st.sampled_from(sorted(MORE)), max_size=3, unique=True))
    def silent_never(danger: str, more: list[str]) -> None:
        record = DANGERS[danger](reviewed())
        for name in more:
            record = MORE[name](record)
        assert not ready(record)

    silent_never()
