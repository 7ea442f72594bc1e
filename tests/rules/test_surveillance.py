"""After cement, from the chart to the task: contacts, scores, pain that stays or comes back, fractures that follow."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.demo.record import Record
from adapters.http.pages.worklist.bands import band_of
from pathway.decide import decide, obligations_of
from pathway.decisions import FORM
from pathway.obligations import Obligation, State
from pathway.strata import Machine
from tests.rules.book import BOOK
from tests.world import NOW, FixedClock, case_of, ingest, make_house

SETS = ("candidacy", "after-cement", "bone-health", "considerations")


@cache
def machines() -> tuple[Machine, ...]:
    return tuple(Machine(BOOK.sets[name]) for name in SETS)


def body(record: Record) -> Mapping[str, Any]:
    return decide(case_of(record, record.now), machines(), acting="candidacy").body


def wishes(record: Record) -> dict[str, Obligation]:
    """Open obligations by rule; of several procedures the last one's."""
    return {w.rule: w for w in obligations_of(body(record)) if w.state is State.OPEN}


def cemented(day: float, before: int = 8) -> Record:
    """L1 was cemented so many days ago."""
    record = Record("p1", NOW).fracture("L1", day + 30).tender("L1", True, day + 1).oedema("L1", True, day + 2)
    return record.pain(before, day + 0.5).cement("L1", day)


def sentences(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from sentences(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from sentences(value)


CLAIM = re.compile(
    r"caused by (the )?cement|cement (has )?caused|due to (the )?cement|because of (the )?cement"
    r"|(broke|fracture|collapse) (from|by|through) (the )?cement"
)


# --- T11 collapses four weeks after T12 and L1


def next_door(days: float = 1) -> Record:
    """T12 and L1 were proven and cemented four weeks ago; T11 broke since. No referral was ever placed."""
    record = Record("p1", NOW).fracture("T12", 60).fracture("L1", 60).care(50).pain(8, 58).pain(8, 28.4)
    for level in ("T12", "L1", "T11"):
        record.oedema(level, level != "T11", 30).tender(level, level != "T11", 29)
    record.cement("T12", 28).cement("L1", 28).pain(2, 25)
    return record.fracture("T11", days).pain(8, days / 2).tender("T11", True, days / 2).well(days / 2)


def test_a_neighbour_that_breaks_is_a_fracture_of_its_own_with_a_proof_of_its_own() -> None:
    made = body(next_door())
    episodes = [e for e in made["facts"]["episodes"] if e["kind"] == "fracture"]
    assert [e["levels"] for e in episodes] == [["T11"], ["T12"], ["L1"]]
    (row,) = (row for row in made["levels"] if row["level"] == "T11")
    assert row["outcome"] == "insufficient-data", "not a candidate by what was proven of T12 and L1"
    assert "acuity-imaging" in {item["datum"] for item in row["missing"]}, "the study of before its onset is none of it"
    assert wishes(next_door())["candidacy.order-spine-mri"].levels == ("T11",)


def test_the_proof_of_the_neighbour_is_closed_by_a_study_of_the_neighbour_alone() -> None:
    again = next_door().oedema("T12", True, 0.3).oedema("L1", True, 0.3)
    assert "candidacy.order-spine-mri" in wishes(again)
    own = next_door().oedema("T11", True, 0.3)
    assert "candidacy.order-spine-mri" not in wishes(own)


def test_where_it_lies_is_told_as_a_place_and_no_sentence_claims_a_cause() -> None:
    made = body(next_door())
    said = [text for key in ("levels", "treated", "obligations", "considerations") for text in sentences(made[key])]
    assert "New fracture of T11, next to the cemented T12: an association, no cause; the studies disagree" in said
    assert [text for text in said if CLAIM.search(text.casefold())] == []


def test_no_sentence_of_any_rule_claims_that_cement_caused_a_fracture() -> None:
    said = [text for one in BOOK.sets.values() for rule in one.rules() for text in sentences(rule.document)]
    assert len(said) > 1000
    assert [text for text in said if CLAIM.search(text.casefold())] == []


def test_the_referral_for_the_bone_was_due_at_the_procedure_and_is_overdue() -> None:
    """Asked for four weeks ago, never placed: the task that stands since then is late, whatever T11 is."""
    case = case_of(next_door())
    (procedure,) = (episode.id for episode in case.episodes if episode.kind == "procedure")
    case = replace(case, standing=(f"{procedure}/bone-health.place-referral",))
    found = {w.rule: w for w in obligations_of(decide(case, machines(), acting="candidacy").body)}
    wish = found["bone-health.place-referral"]
    assert (wish.state, wish.levels, wish.due_at < NOW - timedelta(days=20)) == (State.OPEN, ("T12", "L1"), True)


def test_the_run_of_fractures_is_one_task_and_a_signed_word_since_the_last_ends_it() -> None:
    record = next_door().fracture("L3", 0.4)
    found = [w for w in obligations_of(body(record)) if w.rule == "after-cement.fracture-cluster"]
    assert [(w.levels, w.state) for w in found] == [(("T11", "L3"), State.OPEN)]
    assert "stop and think before more cement" in found[0].why[0]
    assert "after-cement.fracture-cluster" not in wishes(record.finding("cluster-review", "yes", 0.1))


def test_two_fractures_at_first_and_none_since_are_no_run() -> None:
    assert "after-cement.fracture-cluster" not in wishes(
        Record("p1", NOW).fracture("T12", 60).fracture("L1", 60).cement("L1", 28)
    )


def test_height_lost_elsewhere_since_cement_asks_for_a_study_of_that_vertebra() -> None:
    record = cemented(60).height_loss("L3", 0, 70).height_loss("L3", 25, 5)
    wish = wishes(record)["after-cement.height-lost-elsewhere"]
    assert (wish.code, wish.levels) == ("order-spine-mri", ("L3",))
    assert "after-cement.height-lost-elsewhere" in wishes(record.oedema("L1", True, 2)), "another vertebra's"
    assert "after-cement.height-lost-elsewhere" not in wishes(record.oedema("L3", False, 2))
    assert "after-cement.height-lost-elsewhere" not in wishes(cemented(60).height_loss("L3", 25, 5)), "may be old"


def test_a_study_from_before_it_lost_height_says_nothing_of_it() -> None:
    """The MRI before cement shows the whole spine: that L3 was cold then is no answer to what L3 lost since."""
    record = cemented(60).oedema("L3", False, 61).height_loss("L3", 0, 70).height_loss("L3", 25, 5, "radiograph")
    assert "after-cement.height-lost-elsewhere" in wishes(record)
    seen = record.oedema("L3", False, 4)
    assert "after-cement.height-lost-elsewhere" not in wishes(seen)
    assert "after-cement.height-lost-elsewhere" in wishes(seen.height_loss("L3", 45, 1, "radiograph")), (
        "and what it lost after that"
    )


# --- pain that came back, or never went

BAD: dict[str, tuple[str, Callable[[], Record]]] = {
    "it came back": ("pain-returned", lambda: cemented(60).pain(2, 40).pain(7, 2)),
    "new pain was told": ("pain-returned", lambda: cemented(60).finding("new-back-pain", "present", 2)),
    "it never went": ("pain-not-relieved", lambda: cemented(20).pain(8, 19).pain(7, 2)),
    "it grew": ("pain-not-relieved", lambda: cemented(5, before=6).pain(9, 2)),
    "the contact of the fourth year hears of it": (
        "pain-returned",
        lambda: cemented(1461).finding("new-back-pain", "present", 2),
    ),
    "it never went, and there is a new one": (
        "pain-returned",
        lambda: cemented(40).pain(8, 20).finding("new-back-pain", "present", 2),
    ),
    "it never went, and is less at rest": (
        "pain-not-relieved",
        lambda: (
            Record("p1", NOW)
            .fracture("L1", 60)
            .pain(8, 31)
            .pain(5, 31, moving=False)
            .cement("L1", 30)
            .pain(8, 10)
            .pain(2, 9, moving=False)
        ),
    ),
    "it grew after a work-up": (
        "pain-not-relieved",
        lambda: cemented(120, before=7).pain(7, 106).oedema("L1", False, 104).lab("1988-5", 3, "mg/L", 104).pain(10, 2),
    ),
}
GOOD: dict[str, Callable[[], Record]] = {
    "it went": lambda: cemented(60).pain(2, 40),
    "it is sore in the first week": lambda: cemented(6).pain(8, 1),
    "nobody scored it": lambda: cemented(60),
    "nobody said where": lambda: cemented(60).pain(2, 40).pain(8, 2, site=False),
    "it was asked and denied": lambda: cemented(60).finding("new-back-pain", "absent", 2),
    "it came back six years later": lambda: cemented(2191).pain(2, 2100).pain(8, 2),
}


@pytest.mark.parametrize("how", BAD)
def test_bad_pain_asks_for_one_task_with_both_branches(how: str) -> None:
    rule, record = BAD[how]
    wish = wishes(record())[f"after-cement.{rule}"]
    assert wish.code == "pain-work-up"
    assert [(item.id.partition(".")[2], item.done) for item in wish.items] == [
        ("imaged-since-pain", False),
        ("markers-since-pain", False),
    ]
    assert [w.code for w in wishes(record()).values()].count("pain-work-up") == 1
    assert not any("cement-again" in w.code for w in wishes(record()).values())


@pytest.mark.parametrize("how", BAD)
def test_only_both_results_end_it(how: str) -> None:
    rule, record = BAD[how]
    name = f"after-cement.{rule}"
    assert name in wishes(record().order("spine-mri", 1))
    assert name in wishes(record().oedema("L1", False, 1))
    assert name in wishes(record().lab("1988-5", 3, "mg/L", 1))
    assert name not in wishes(record().oedema("L1", False, 1).lab("1988-5", 3, "mg/L", 1))


@pytest.mark.parametrize("how", GOOD)
def test_good_or_unknown_pain_asks_for_no_work_up(how: str) -> None:
    assert not any(w.code == "pain-work-up" for w in wishes(GOOD[how]()).values())


def test_pain_that_did_not_fall_is_overtaken_by_new_pain_and_not_asked_about_twice() -> None:
    rule, record = "after-cement.pain-not-relieved", cemented(40).pain(8, 20)
    assert rule in wishes(record)
    told = obligations_of(body(record.finding("new-back-pain", "present", 2)))
    (wish,) = (w for w in told if w.rule == rule)
    assert (wish.state, wish.overtaken) == (State.CLOSED, "new pain was told since, and its work-up is the same")
    assert rule in wishes(record.finding("new-back-pain", "absent", 1)), "the new one is gone, this is not"


def test_a_cemented_vertebra_that_sank_again_is_for_a_surgeon() -> None:
    record = cemented(60).finding("recollapse", "present", 2, level="L1")
    wish = wishes(record)["after-cement.recollapse-review"]
    assert (wish.owner, wish.levels) == ("clinician", ("L1",))
    assert "after-cement.recollapse-review" not in wishes(record.finding("surgeon-opinion", "yes", 1, level="L1"))


# --- contacts and scores

PERIODS = {
    "early-contact": ("scores-early", (1, 7)),
    "visit-two-to-four-weeks": ("scores-visit", (14, 30)),
    "contact-three-months": ("scores-three-months", (77, 91)),
    "contact-six-months": ("scores-six-months", (168, 182)),
    "contact-twelve-months": ("scores-twelve-months", (351, 365)),
}


@pytest.mark.parametrize("day", [day for _, days in PERIODS.values() for day in days])
def test_scores_of_a_day_are_of_the_contact_whose_time_it_is(day: int) -> None:
    """Of one day, so both are; and no contact of a later time takes them for its own."""
    record = cemented(day + 0.3).pain(3, 0.2).disability(9, 0.2)
    done = {
        rule: item.done
        for rule, (line, _) in PERIODS.items()
        if (wish := wishes(record).get(f"after-cement.{rule}"))
        for item in wish.items
        if item.id == f"after-cement.{line}"
    }
    own = next(rule for rule, (_, days) in PERIODS.items() if day in days)
    later = list(PERIODS)[list(PERIODS).index(own) + 1 :]
    assert done[own] is True
    assert [done[rule] for rule in later] == [False] * len(later)


def test_pain_alone_or_a_score_of_the_contact_before_leaves_the_line_open() -> None:
    def line(record: Record) -> bool:
        items = wishes(record)["after-cement.visit-two-to-four-weeks"].items
        return next(item.done for item in items if item.id == "after-cement.scores-visit")

    assert line(cemented(20).pain(3, 1).disability(9, 1))
    assert not line(cemented(20).pain(3, 1))
    assert not line(cemented(20).pain(3, 1).disability(9, 7))


def test_pain_is_scored_though_nobody_scored_it_before() -> None:
    record = Record("p1", NOW).fracture("L1", 50).cement("L1", 20).pain(3, 1).disability(9, 1)
    items = {item.id: item for item in wishes(record)["after-cement.visit-two-to-four-weeks"].items}
    line = items["after-cement.scores-visit"]
    assert (line.done, line.message) == (True, "Pain scored on day 19 after cement, Roland-Morris 9 on day 19")
    assert items["after-cement.pain-fell"].verdict == "unknown", "there is nothing to compare with"


def test_one_person_has_one_contact_at_a_time_however_many_procedures() -> None:
    record = Record("p1", NOW).fracture("T12", 700).cement("T12", 360).fracture("L1", 300).cement("L1", 200)
    found = [w for w in obligations_of(body(record)) if w.code == "follow-up-contact"]
    begun = [w for w in found if w.state is State.OPEN and (w.start_at is None or w.start_at <= NOW)]
    assert [(w.rule, w.levels) for w in begun] == [("after-cement.contact-six-months", ("L1",))]
    assert {w.overtaken for w in found if w.levels == ("T12",)} == {
        "cement was given again since, and that procedure has contacts of its own"
    }


@pytest.mark.parametrize(("form", "place"), [(3, "unspecified"), (FORM, "an unnamed vertebra")])
def test_a_vertebra_without_a_name_is_told_in_words_and_older_decisions_keep_theirs(form: int, place: str) -> None:
    case = case_of(Record("p1", NOW).fracture("", 90).cement("", 2))
    said = list(sentences(decide(case, machines(), acting="candidacy", form=form).body["obligations"]))
    assert any(text.startswith(f"First days after cement at {place}: call") for text in said)


def test_both_meanings_of_response_stand_side_by_side() -> None:
    """From 8 to 5 it fell by 1.5 and is not below 4; from 4.5 to 3 too, and is."""

    def verdicts(record: Record) -> tuple[str, str]:
        items = {item.id: item.verdict for item in wishes(record)["after-cement.visit-two-to-four-weeks"].items}
        return items["after-cement.pain-fell"], items["after-cement.pain-responded"]

    assert verdicts(cemented(20).pain(5, 1)) == ("met", "not-met")
    assert verdicts(cemented(20, before=4).pain(3, 1)) == ("not-met", "met")


def test_the_first_contact_asks_what_is_asked_of_everybody() -> None:
    items = {item.id.partition(".")[2]: item for item in wishes(cemented(2))["after-cement.early-contact"].items}
    assert {"nerves-asked", "no-chest-sign", "no-infection-sign", "no-new-pain", "advice-given"} <= items.keys()
    assert "local leaflet" in items["advice-given"].message
    done = wishes(cemented(2).finding("activity-advice", "present", 1))["after-cement.early-contact"].items
    assert next(item.done for item in done if item.id == "after-cement.advice-given")


def test_the_visit_is_due_on_day_28_and_overdue_on_day_29(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    house = make_house(tmp_path, clock)
    try:
        ingest(house, cemented(1))
        with house.store.read() as ledger:
            (visit,) = [t for t in ledger.find_tasks(limit=500) if t.rule == "after-cement.visit-two-to-four-weeks"]
    finally:
        house.close()

    def band(day: int, hour: int) -> str:
        at: datetime = (NOW - timedelta(days=1)).replace(hour=hour, minute=59) + timedelta(days=day)
        return band_of(visit, at, ZoneInfo("UTC"))

    assert [band(28, 0), band(28, 23), band(29, 0)] == ["today", "today", "overdue"]


@pytest.mark.parametrize("years", [6, 7, 20])
def test_cemented_years_ago_and_well_asks_for_nothing(years: int) -> None:
    record = Record("p1", NOW).fracture("L1", 365 * years + 30).cement("L1", 365 * years).encounter("AMB", 1)
    assert [w for w in wishes(record) if w.startswith("after-cement.")] == []


def test_a_missing_follow_up_is_unknown_and_never_no_fracture() -> None:
    items = {item.id: item for item in wishes(cemented(1130))["after-cement.contact-three-years"].items}
    line = items["after-cement.no-new-pain"]
    assert line.verdict == "unknown"
    assert "unknown, never 'no fracture'" in line.message
