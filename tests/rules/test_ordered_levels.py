"""Cement that is ordered is ordered for a vertebra: what is asked, shown and held up is that of the one named."""

from functools import cache
from typing import Any

import pytest

from adapters.demo.record import CPT, Record
from pathway.decide import decide
from pathway.strata import Machine
from tests.rules.book import BOOK
from tests.world import NOW, candidate, case_of

AUGMENTATION = "vertebral-augmentation"


@cache
def machines() -> tuple[Machine, ...]:
    return tuple(Machine(BOOK.sets[name]) for name in ("candidacy", "pre-procedure", "considerations"))


def body(record: Record) -> dict[str, Any]:
    return dict(decide(case_of(record), machines()).body)


def verdicts(made: dict[str, Any], policy: str = "pre-procedure") -> dict[str, str]:
    return {row["level"]: row["outcome"] for row in made["levels"] if row["policy"] == policy}


def reason(made: dict[str, Any], level: str) -> str:
    (found,) = (r["reason"] for r in made["levels"] if (r["policy"], r["level"]) == ("pre-procedure", level))
    return found


def opened(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["rule"]: one for one in made["obligations"] if one["state"] == "open"}


def messages(made: dict[str, Any]) -> str:
    """All that the open checklist says."""
    return "\n".join(item["message"] for item in opened(made)["pre-procedure.checklist"]["items"])


def prepared(record: Record) -> Record:
    """Everything of the person in order, today."""
    record.well(0.1).lab("6301-6", 1.1, "{INR}", 1).lab("777-3", 210, "10*3/uL", 1)
    return record.finding("antithrombotic", "none", 1).finding("surgical-rescue", "yes", 1)


def ordered(*levels: str, record: Record | None = None, **about: Any) -> Record:
    return prepared(record or candidate()).order(AUGMENTATION, 1, levels=levels, **about)


# --- the vertebra that the order names


def test_the_proven_vertebra_that_the_order_names_is_ready() -> None:
    assert verdicts(body(ordered("L1"))) == {"L1": "ready"}


def test_an_order_for_another_vertebra_makes_the_proven_one_not_ready_and_shows_the_other() -> None:
    made = body(ordered("L3"))
    assert verdicts(made) == {"L1": "not-ready", "L3": "insufficient-data"}
    assert reason(made, "L1") == "No order for cement names this vertebra"
    assert verdicts(made, "candidacy")["L3"] == "insufficient-data", "nothing on record shows a fracture there"
    task = opened(made)["pre-procedure.checklist"]
    assert task["levels"] == ["L3"]
    assert "L3 is not proven" in messages(made)


def test_a_vertebra_that_no_order_names_is_asked_for_nothing() -> None:
    (row,) = (r for r in body(ordered("L3"))["levels"] if (r["policy"], r["level"]) == ("pre-procedure", "L1"))
    assert (row["missing"], row["notAssessed"]) == ([], [])


def test_a_prophylactic_level_beside_the_proven_one_is_shown() -> None:
    made = body(ordered("L1", "L2"))
    assert verdicts(made) == {"L1": "ready", "L2": "insufficient-data"}
    assert opened(made)["pre-procedure.checklist"]["levels"] == ["L1", "L2"]
    assert "L2 is not proven" in messages(made)
    seen = body(ordered("L1", "L2", record=candidate().oedema("L2", False, 2).tender("L2", False, 2)))
    assert verdicts(seen)["L2"] == "not-ready"
    assert "nothing proves it" in reason(seen, "L2")


def test_an_order_that_names_no_vertebra_holds_up_each_fracture() -> None:
    made = body(ordered())
    assert verdicts(made) == {"L1": "insufficient-data"}
    assert "pre-procedure.checklist" in opened(made)


def test_a_fracture_whose_vertebra_is_not_named_is_never_ready() -> None:
    loose = Record("p1", NOW).encounter("AMB", 2, ended=1.9).fracture("", 20).pain(8, 1)
    assert verdicts(body(ordered("L3", record=loose))) == {
        "L3": "insufficient-data",
        "unspecified": "insufficient-data",
    }


def test_a_draft_is_no_order_yet() -> None:
    assert verdicts(body(ordered("L1", status="draft"))) == {"L1": "insufficient-data"}


def test_cement_that_was_done_at_the_vertebra_ends_its_order() -> None:
    assert verdicts(body(ordered("L1").cement("L1", 0.05))) == {"L1": "not-ready"}


@pytest.mark.parametrize(
    "about",
    [
        lambda r: r.oedema("L1", False, 1),
        lambda r: r.tender("L1", False, 1),
        lambda r: r.finding("atypical-pattern", "present", 1, level="L1"),
        lambda r: r.finding("atypical-pattern", "present", 1, level="L1", status="preliminary"),
        lambda r: r.finding("occult-tumour-signs", "present", 1),
        lambda r: r.finding("spinal-instability", "present", 1, level="L1"),
        lambda r: r.finding("retropulsion", "present", 1, level="L1"),
        lambda r: r.finding("neural-impingement", "present", 1, level="L1"),
        lambda r: r.finding("epidural-extension", "present", 1, level="L1"),
        lambda r: r.finding("pain-attribution", "something-else", 1, level="L1"),
        lambda r: r.finding("cardiopulmonary-disease", "present", 1),
    ],
    ids=["healed", "not tender", "atypical", "atypical, preliminary", "signs of a tumour", "unstable", "bone in canal",
         "impinged", "tumour in canal", "pain from elsewhere", "heart and lungs"],
)  # fmt: skip
def test_a_vertebra_that_is_not_fit_for_cement_is_not_ready(about: Any) -> None:
    assert verdicts(body(ordered("L1", record=about(candidate())))) == {"L1": "not-ready"}


def test_a_documented_reason_lets_a_flag_stand() -> None:
    record = candidate().finding("retropulsion", "present", 1, level="L1").reason("retropulsion", 0.5, level="L1")
    assert verdicts(body(ordered("L1", record=record))) == {"L1": "ready"}


def test_a_tumours_vertebra_needs_neither_oedema_nor_tenderness() -> None:
    record = Record("p1", NOW, age=66).encounter("AMB", 2, ended=1.9).fracture("L1", 60, "M84.58XA")
    record.condition("C79.51", 100).well(2).pain(8, 1)
    assert verdicts(body(ordered("L1", record=record))) == {"L1": "ready"}


# --- an order without any fracture on record


def alone(*levels: str) -> Record:
    record = Record("p1", NOW).encounter("AMB", 2, ended=1.9).well(2)
    return record.order("22514", 1, levels=levels, system=CPT)


@pytest.mark.parametrize(("levels", "shown"), [(["L1"], "L1"), ([], "unspecified")])
def test_cement_ordered_without_a_fracture_has_a_verdict_and_the_emergency_opens(levels: list[str], shown: str) -> None:
    record = alone(*levels).condition("M46.46", 1).finding("neurological-examination", "deficit", 0.2)
    made = body(record)
    assert verdicts(made) == {shown: "not-ready"}
    assert verdicts(made, "candidacy")[shown] == "contraindicated"
    assert {"candidacy.neurology-emergency", "pre-procedure.checklist"} <= set(opened(made))


def test_apixaban_is_seen_where_no_fracture_is_coded() -> None:
    made = body(alone("L1").medicine("Apixaban 5 mg", 20))
    assert verdicts(made) == {"L1": "not-ready"}
    assert verdicts(made, "candidacy") == {"L1": "insufficient-data"}
    assert set(opened(made)) == {"pre-procedure.checklist"}, "candidacy asks nothing of a fracture that nobody recorded"


def test_an_order_that_was_carried_out_or_withdrawn_makes_no_sheet() -> None:
    record = Record("p1", NOW).encounter("AMB", 2).order(AUGMENTATION, 1, levels=["L1"], status="revoked")
    assert verdicts(body(record)) == {}


# --- readings that cannot be used, and suspected flags


def bleeding_unlikely() -> Record:
    record = candidate().well(0.1).lab("777-3", 210, "10*3/uL", 1).finding("antithrombotic", "none", 1)
    record.finding("surgical-rescue", "yes", 1).finding("bleeding-risk", "absent", 1)
    return record.order(AUGMENTATION, 1, levels=["L1"])


def test_an_inr_that_nobody_measured_holds_nothing_up_where_bleeding_is_no_likelier() -> None:
    assert verdicts(body(bleeding_unlikely())) == {"L1": "ready"}


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (lambda r: r.lab("6301-6", 6, "{INR}", 1, status="preliminary"), {"not-ready"}),
        (lambda r: r.lab("6301-6", 25, "{INR}", 1), {"insufficient-data", "not-ready"}),
        (lambda r: r.lab("6301-6", "4.5", "{INR}", 1), {"insufficient-data", "not-ready"}),
        (lambda r: r.lab("6301-6", 5, "ratio", 1), {"insufficient-data", "not-ready"}),
        (lambda r: r.lab("6301-6", 1.1, "{INR}", 1).lab("6301-6", 4.0, "{INR}", 1), {"insufficient-data", "not-ready"}),
        (lambda r: r.lab("8310-5", 103, "F", 0.2), {"insufficient-data", "not-ready"}),
        (lambda r: r.lab("8310-5", 39.5, "Cel", 0.2, status="preliminary"), {"not-ready"}),
        (lambda r: r.lab("1988-5", 190, "mg/L", 0.2, flag="HH", status="preliminary"), {"not-ready"}),
        (lambda r: r.finding("prone-and-sedation", "doubtful", 1, status="preliminary"), {"not-ready"}),
        (lambda r: r.condition("D66", 9, verification="provisional"), {"not-ready"}),
    ],
    ids=["INR preliminary", "INR 25", "INR as text", "INR in ratio", "two INRs", "103 F", "39.5 preliminary",
         "CRP preliminary", "doubt preliminary", "haemophilia provisional"],
)  # fmt: skip
def test_what_is_suspected_or_cannot_be_read_is_never_ready(about: Any, expected: set[str]) -> None:
    (found,) = verdicts(body(about(bleeding_unlikely()))).values()
    assert found in expected


# --- old answers


def test_access_to_surgery_and_consent_grow_old() -> None:
    def made(days: float) -> dict[str, Any]:
        record = candidate().well(0.1).lab("777-3", 210, "10*3/uL", 1).lab("6301-6", 1.1, "{INR}", 1)
        record.finding("antithrombotic", "none", 1).order(AUGMENTATION, 1, levels=["L1"])
        return body(record.finding("surgical-rescue", "yes", days).consent(days))

    def consent(made: dict[str, Any]) -> str:
        (row,) = (r for r in made["levels"] if r["policy"] == "pre-procedure")
        return next(c["verdict"] for c in row["criteria"] if c["id"] == "pre-procedure.consent-told")

    assert (verdicts(made(1)), consent(made(1))) == ({"L1": "ready"}, "met")
    assert (verdicts(made(1500)), consent(made(1500))) == ({"L1": "insufficient-data"}, "unknown")


# --- what is asked, and how often


def test_no_request_stands_in_two_open_tasks() -> None:
    asks: list[str] = []
    for task in opened(body(ordered("L1"))).values():
        own = [*task["why"][1:], *(item.get("ask", "") for item in task.get("items", ()))]
        asks += dict.fromkeys(one for one in own if one)
    assert [one for one in asks if asks.count(one) > 1] == []
    assert len([one for one in asks if "allerg" in one.lower() and "cement" in one]) == 1


def test_tumour_in_the_canal_is_not_asked_of_a_fragility_fracture_and_is_where_a_tumour_is_on_record() -> None:
    def asked(record: Record) -> bool:
        return any("tumour in the canal" in one for task in opened(body(record)).values() for one in task["why"])

    assert not asked(candidate())
    assert asked(candidate().finding("fracture-cause", "osteoporotic", 1, level="L1").condition("C90.00", 100))


# --- considerations


def weighed(record: Record) -> dict[str, tuple[str, str]]:
    rows = [row for row in body(record)["considerations"] if row["level"] == "L1"]
    return {c["id"].partition(".")[2]: (c["verdict"], c["message"]) for row in rows for c in row["criteria"]}


def test_what_speaks_of_osteoporotic_fractures_is_silent_about_a_tumour() -> None:
    record = Record("p1", NOW, age=66).encounter("AMB", 2, ended=1.9).fracture("L1", 60, "M84.58XA")
    record.condition("C79.51", 100).order("22511", 1, levels=["L1"], system=CPT)
    said = weighed(record)
    assert said["technique-ordered"][0] == said["sources-disagree"][0] == "not-met"
    assert "speaks strongly against it" not in said["technique-ordered"][1]
    plain = weighed(candidate().order("22511", 1, levels=["L1"], system=CPT))
    assert "speaks strongly against it" in plain["technique-ordered"][1]


def test_only_what_is_there_makes_embolism_likelier() -> None:
    record = candidate().order("22511", 1, levels=["L1"], system=CPT)
    met = {name: said[1] for name, said in weighed(record).items() if name.startswith("embolism") and said[0] == "met"}
    assert list(met) == ["embolism-technique"]
    assert "thoracic" not in met["embolism-technique"]
