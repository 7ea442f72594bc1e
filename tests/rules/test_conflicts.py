"""Where the policies disagree: section 16 of the catalogue row by row, under the named policies, on whole decisions.

The first word of a pair is the catalogue's, the second the outcome that we read it as (docs/adr/0018). A dash is a cell
that the catalogue leaves empty: what the policy gives there is ours to answer for, and stands here so that it is seen.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from pathway.decide import decide
from pathway.facts import unknown
from pathway.strata import Machine
from pathway.vocabulary import Kind
from tests.rules.book import BOOK, machines
from tests.rules.people import Person, known

Facts = Mapping[str, Any]
Row = Mapping[str, tuple[str, str]]
NOT_KNOWN = object()
"""As a fact: not recorded."""

L34228, L34976 = "coverage-cms-lcd-l34228", "coverage-cms-lcd-l34976"
PLACES = {one: BOOK.sets[one].applies_to["place-of-service"][0] for one in (L34228, L34976)}

SIXTEEN_WEEKS: Facts = {"days-since-onset": 112, "conservative-care-days": 100, "pain-score": 8}
"""Fracture of 16 weeks with oedema and pain of 8; height loss, progression and kyphosis are on record, as in GOOD."""

TWO_WEEKS: Facts = {"days-since-onset": 14, "conservative-care-days": 14, "pain-score": 8, "hospitalised": True}

EIGHT_WEEKS: Facts = {
    "days-since-onset": 56, "conservative-care-days": 50, "pain-score": 6, "pain-change": 0, "kyphosis": True,
    "height-loss": 20, "progressive-height-loss": False, "disability-score": 12,
}  # fmt: skip
"""Eight weeks, pain of 6, stable, and one factor of the four."""

OLD: Facts = {"days-since-onset": 400, "conservative-care-days": 300, "acuity-imaging": "none"}

MYELOMA: Facts = {"fracture-cause": "neoplastic", "tumour-kind": "myeloma", "pain-score": 5}

MATRIX: Mapping[str, tuple[Facts, Row]] = {
    "16 weeks, oedema, pain 8": (SIXTEEN_WEEKS, {
        L34228: ("no (chronic)", "not-met"),
        "rand-2018": ("likely yes", "needs-specialist-review"),
        "nice-ta279": ("yes if unhealed", "candidate"),
        "nass-osteoporotic": ("uncertain", "needs-specialist-review"),
        "acr": ("usually appropriate", "candidate"),
        "aaos-2010-vertebroplasty": ("VP no", "not-a-candidate"),
        "aaos-2010-kyphoplasty": ("-", "candidate"),
        "sir-qi": ("-", "candidate"),
        "candidacy": ("-", "candidate"),
    }),
    "2 weeks, pain 8, in hospital": (TWO_WEEKS, {
        L34228: ("yes", "met"),
        "rand-2018": ("yes if worsened / factors", "needs-specialist-review"),
        "nice-ta279": ("yes", "candidate"),
        "nass-osteoporotic": ("uncertain-appropriate", "needs-specialist-review"),
        "acr": ("may/usually", "candidate"),
        "aaos-2010-vertebroplasty": ("VP no", "not-a-candidate"),
        "aaos-2010-kyphoplasty": ("-", "candidate"),
        "sir-qi": ("-", "candidate"),
        "candidacy": ("-", "candidate"),
    }),
    "8 weeks, pain 6, stable, one factor": (EIGHT_WEEKS, {
        L34228: ("no (1 of 4)", "not-met"),
        "rand-2018": ("uncertain", "needs-specialist-review"),
        "nice-ta279": ("depends", "candidate"),
        "nass-osteoporotic": ("-", "needs-specialist-review"),
        "acr": ("usually", "candidate"),
        "aaos-2010-vertebroplasty": ("VP no", "not-a-candidate"),
        "aaos-2010-kyphoplasty": ("-", "candidate"),
        "sir-qi": ("-", "candidate"),
        "candidacy": ("-", "candidate"),
    }),
    "no oedema, old": (OLD, {
        L34228: ("no", "not-met"),
        "rand-2018": ("NSM", "not-a-candidate"),
        "nice-ta279": ("no", "not-a-candidate"),
        "nass-osteoporotic": ("-", "needs-specialist-review"),
        "acr": ("with or without edema", "needs-specialist-review"),
        "aaos-2010-vertebroplasty": ("-", "not-a-candidate"),
        "aaos-2010-kyphoplasty": ("-", "not-a-candidate"),
        "sir-qi": ("-", "not-a-candidate"),
        "candidacy": ("-", "not-a-candidate"),
    }),
    "myeloma, pain 5": (MYELOMA, {
        L34228: ("not addressed by its title", "not-applicable"),
        L34976: ("pain clause only", "met"),
        "rand-2018": ("out of panel", "out-of-scope"),
        "nice-ta279": ("out", "out-of-scope"),
        "nass-neoplastic": ("uncertain", "needs-specialist-review"),
        "imwg-2019": ("treat first", "defer"),
        "acr": ("-", "needs-specialist-review"),
        "aaos-2010-vertebroplasty": ("-", "out-of-scope"),
        "aaos-2010-kyphoplasty": ("-", "out-of-scope"),
        "sir-qi": ("-", "needs-specialist-review"),
        "nass-osteoporotic": ("-", "out-of-scope"),
        "candidacy": ("-", "candidate"),  # SINS of 8, and the surgeon was consulted
    }),
}  # fmt: skip
CELLS = [(row, policy) for row, (_, cells) in MATRIX.items() for policy in cells]


def person(facts: Facts) -> Person:
    """Someone whose record is in order, at L1, but for these facts."""
    made = Person({}, {"L1": {}}, {})
    for id_, value in facts.items():
        datum = BOOK.vocabulary[id_]
        typed = Decimal(str(value)) if datum.kind is Kind.DECIMAL and value is not NOT_KNOWN else value
        made = made.but(datum.scope, "L1", unknown(id_) if value is NOT_KNOWN else known(id_, typed))
    return made


def decided(policy: str, facts: Facts) -> dict[str, Any]:
    """The decision under one policy, which acts if it is clinical; a coverage set is asked where it holds."""
    machine: Machine = next(m for m in machines() if m.rule_set.id == policy)
    placed = {"place-of-service": PLACES[policy]} if policy in PLACES else {}
    acting = policy if machine.rule_set.kind == "clinical" else ""
    return dict(decide(person({**facts, **placed}).case(), [machine], acting=acting).body)


def under(policy: str, facts: Facts) -> dict[str, Any]:
    """The one level under one policy."""
    (row,) = decided(policy, facts)["levels"]
    assert row["policy"] == policy
    return dict(row)


@pytest.mark.parametrize(("row", "policy"), CELLS, ids=[f"{row}: {policy}" for row, policy in CELLS])
def test_the_matrix_cell_by_cell(row: str, policy: str) -> None:
    facts, cells = MATRIX[row]
    word, expected = cells[policy]
    found = under(policy, facts)
    assert found["outcome"] == expected, f"the catalogue says {word!r}; {found['reason']}"


def test_every_clinical_policy_has_its_column() -> None:
    """In every row, but that the two policies on tumours stand only in the row of a tumour."""
    clinical = {one.id for one in BOOK.sets.values() if one.kind == "clinical"}
    for facts, cells in MATRIX.values():
        assert set(cells) >= (clinical if "tumour-kind" in facts else clinical - {"nass-neoplastic", "imwg-2019"})


ASKING = {"candidate", "defer", "needs-specialist-review", "insufficient-data"}


@pytest.mark.parametrize(("row", "policy"), [cell for cell in CELLS if cell[1] not in PLACES])
def test_a_policy_that_acts_asks_somebody_exactly_where_there_is_something_to_do(row: str, policy: str) -> None:
    for facts in (MATRIX[row][0], {**MATRIX[row][0], "neurology": NOT_KNOWN}):
        made = decided(policy, facts)
        tasks = [one["code"] for one in made["obligations"] if one["state"] == "open"]
        assert bool(tasks) is (made["levels"][0]["outcome"] in ASKING), tasks


# --- what the words in between come to


@pytest.mark.parametrize(
    ("facts", "band"),
    [
        (SIXTEEN_WEEKS, "two or three unfavourable conditions"),
        ({**SIXTEEN_WEEKS, "disability-score": 18}, "four unfavourable conditions"),
        ({**TWO_WEEKS, "pain-change": 1}, "symptoms have worsened"),
        (EIGHT_WEEKS, "none or one unfavourable condition"),
        ({**EIGHT_WEEKS, "pain-change": NOT_KNOWN}, "not recorded well enough to count them"),
    ],
    ids=["three", "four", "worsened", "one", "trend not known"],
)
def test_the_panel_says_its_count_and_never_candidate(facts: Facts, band: str) -> None:
    found = under("rand-2018", facts)
    assert found["outcome"] == "needs-specialist-review"
    assert found["reason"].startswith("Approximate, the weights were not found: ")
    assert band in found["reason"]


@pytest.mark.parametrize(("care", "outcome"), [(True, "candidate"), (False, "defer"), (NOT_KNOWN, "insufficient-data")])
def test_under_nice_it_depends_on_whether_pain_management_was_optimal(care: object, outcome: str) -> None:
    assert under("nice-ta279", {**EIGHT_WEEKS, "care-optimal": care})["outcome"] == outcome


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"team-discussion": False}, "needs-specialist-review"),
        ({"surgical-rescue": False}, "needs-specialist-review"),
        ({"team-discussion": NOT_KNOWN}, "insufficient-data"),
        ({"team-discussion": NOT_KNOWN, "care-optimal": False}, "defer"),
        ({"acuity-imaging": "none"}, "not-a-candidate"),
    ],
)
def test_under_nice_nobody_is_a_candidate_without_team_and_surgery(facts: Facts, outcome: str) -> None:
    assert under("nice-ta279", {**SIXTEEN_WEEKS, **facts})["outcome"] == outcome


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"cleft": True}, "candidate"),
        ({"cleft": NOT_KNOWN}, "needs-specialist-review"),
        ({"acuity-imaging": NOT_KNOWN, "cleft": True}, "insufficient-data"),
    ],
)
def test_under_acr_a_cleft_counts_like_oedema(facts: Facts, outcome: str) -> None:
    assert under("acr", {**OLD, **facts})["outcome"] == outcome


@pytest.mark.parametrize("days", [0, 1])
@pytest.mark.parametrize(
    "failure", [{"bed-bound": True}, {"physiotherapy-tolerated": False}, {"analgesia-side-effects": True}, {}]
)
def test_under_sir_a_day_of_analgesia_that_failed_is_enough(failure: Facts, days: int) -> None:
    bearing = {"bed-bound": False, "physiotherapy-tolerated": True, "analgesia-side-effects": False}
    found = under("sir-qi", {**TWO_WEEKS, **bearing, **failure, "conservative-care-days": days})
    assert found["outcome"] == ("candidate" if failure and days else "defer")


@pytest.mark.parametrize(
    ("finding", "outcome"), [("deficit", "needs-specialist-review"), (NOT_KNOWN, "insufficient-data")]
)
@pytest.mark.parametrize("procedure", ["vertebroplasty", "kyphoplasty"])
def test_aaos_finds_nothing_conclusive_where_neurology_is_not_intact(
    procedure: str, finding: object, outcome: str
) -> None:
    found = under(f"aaos-2010-{procedure}", {**SIXTEEN_WEEKS, "neurology": finding})
    assert found["outcome"] == outcome
    assert ("inconclusive" in found["reason"]) is (outcome == "needs-specialist-review")


@pytest.mark.parametrize("policy", sorted({policy for _, policy in CELLS if policy not in PLACES}))
@pytest.mark.parametrize(
    "facts", [{"infection": True}, {"pregnancy": True}, {"neurology": "deficit"}, {"coagulopathy": True}]
)
def test_no_policy_names_a_candidate_beside_a_danger(policy: str, facts: Facts) -> None:
    cases = [cells for cells, _ in MATRIX.values()]
    assert "candidate" not in {under(policy, {**case, **facts})["outcome"] for case in cases}
