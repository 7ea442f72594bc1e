"""Tumours, from the chart to the verdict: cancer on record, a cause in doubt, a stable vertebra with nerves pressed."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.demo.record import Record
from pathway.decide import decide
from tests.rules.book import machines
from tests.world import case_of, person

pytestmark = pytest.mark.e2e


def ordinary(**about: Any) -> Record:
    """A woman with a fragility fracture of L1 that is painful, tender, fresh and cared for."""
    record = person(**about).fracture("L1", 30).tender("L1", True, 2).oedema("L1", True, 3).well(2).care(28)
    return record.pain(8, 26).pain(8, 1)


def decided(record: Record, policy: str = "candidacy") -> tuple[str, set[str], Mapping[str, str]]:
    """Under one policy that acts: the outcome at L1, the open tasks, and the verdicts."""
    (machine,) = (one for one in machines() if one.rule_set.id == policy)
    body = decide(case_of(record), [machine], acting=policy).body
    (row,) = (row for row in body["levels"] if row["level"] == "L1")
    tasks = {o["rule"] for o in body["obligations"] if o["state"] == "open"}
    return row["outcome"], tasks, {c["id"]: c["verdict"] for c in row["criteria"]}


HEALED = [
    person().fracture("L1", 30).tender("L1", True, 2).oedema("L1", False, 3).well(2).care(28).pain(9, 26).pain(9, 1),
    person().fracture("L1", 30).tender("L1", False, 2).oedema("L1", True, 3).well(2).care(28).pain(9, 26).pain(9, 1),
]


@pytest.mark.parametrize("code", ["C50.919", "Z85.3", "Z85.46", "Z85.820"])
@pytest.mark.parametrize("record", HEALED, ids=["no oedema", "not tender"])
def test_cancer_on_record_is_never_refused_as_an_old_fracture(record: Record, code: str) -> None:
    without, *_ = decided(record)
    assert without == "not-a-candidate"
    told = Record.__new__(Record)
    told.__dict__ = {**record.__dict__, "resources": [*record.resources]}
    outcome, tasks, verdicts = decided(told.condition(code, 900))
    assert verdicts["candidacy.no-hidden-tumour"] == "not-met"
    assert outcome == "needs-specialist-review"
    assert "candidacy.work-up-cause" in tasks


@pytest.mark.parametrize("code", ["C50.919", "Z85.3"])
def test_cancer_on_record_makes_no_candidate_until_somebody_states_the_cause(code: str) -> None:
    assert decided(ordinary().condition(code, 900))[0] == "needs-specialist-review"
    stated = ordinary().condition(code, 900).finding("fracture-cause", "osteoporotic", 1, level="L1")
    assert decided(stated)[0] == "candidate"


def test_skin_cancer_long_ago_puts_no_cause_in_doubt() -> None:
    assert decided(ordinary().condition("Z85.828", 900))[0] == "candidate"


def myeloma(score: int, *, surgeon: bool = False) -> Record:
    """A fracture of L1 through myeloma, acute, of severe pain, in somebody fit for cement."""
    record = person(age=66).fracture("L1", 20, "M84.58XA").condition("C90.00", 100).well(2).pain(8, 1)
    record.finding("performance-status-poor", "no", 2).finding("hyperviscosity", "absent", 2).sins("L1", score, 1)
    return record.finding("surgeon-opinion", "yes", 1, level="L1") if surgeon else record


@pytest.mark.parametrize(("score", "surgeon"), [(15, False), (15, True), (13, True), (12, False), (7, False)])
def test_under_imwg_a_myeloma_vertebra_that_may_give_way_is_for_a_surgeon(score: int, surgeon: bool) -> None:
    outcome, tasks, _ = decided(myeloma(score, surgeon=surgeon), "imwg-2019")
    assert outcome == "needs-specialist-review"
    assert "candidacy.specialist-review" in tasks
    assert ("candidacy.consult-surgeon" in tasks) is not surgeon


@pytest.mark.parametrize(("score", "surgeon"), [(12, True), (7, True), (6, False)])
def test_under_imwg_a_myeloma_vertebra_that_holds_or_that_a_surgeon_saw_is_a_candidate(
    score: int, surgeon: bool
) -> None:
    outcome, tasks, _ = decided(myeloma(score, surgeon=surgeon), "imwg-2019")
    assert outcome == "candidate"
    assert {"candidacy.operator-review", "candidacy.assess-flags"} <= tasks


def metastasis(imaged: float) -> Record:
    """A stable, painful metastasis of L1, all of it imaged and scored some days ago."""
    record = person(age=66).fracture("L1", 60, "M84.58XA").condition("C79.51", 100).well(2).pain(8, 1)
    record.sins("L1", 6, imaged).height_loss("L1", 20, imaged)
    record.finding("posterior-wall", "intact", imaged, level="L1", technique="ct")
    return record.finding("spinal-stenosis", "absent", imaged, level="L1")


@pytest.mark.parametrize(("imaged", "outcome"), [(29, "candidate"), (55, "insufficient-data")])
def test_under_nass_a_tumour_imaged_eight_weeks_ago_is_imaged_again(imaged: float, outcome: str) -> None:
    assert decided(metastasis(imaged), "nass-neoplastic")[0] == outcome


@pytest.mark.parametrize("sign", ["epidural-extension", "neural-impingement", "retropulsion"])
def test_a_stable_tumour_vertebra_that_presses_on_nerves_is_for_a_team(sign: str) -> None:
    record = person().condition("C79.51", 60).fracture("L1", 30, "M84.58XA").well(2).pain(8, 26).pain(8, 1)
    record.sins("L1", 4, 2)
    assert decided(record)[0] == "not-a-candidate"
    outcome, tasks, _ = decided(record.finding(sign, "present", 2, level="L1"))
    assert outcome == "needs-specialist-review"
    assert "candidacy.specialist-review" in tasks


def test_the_dead_have_no_emergency() -> None:
    record = ordinary().finding("neurological-examination", "deficit", 0.5)
    assert "candidacy.neurology-emergency" in decided(record)[1]
    record.resources[0]["deceasedBoolean"] = True
    assert "candidacy.neurology-emergency" not in decided(record)[1]
