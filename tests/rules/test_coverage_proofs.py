"""Proofs of every coverage rule set, over every combination of criterion verdicts."""

import pytest

from pathway.conditions import All, AnyOf, Condition
from pathway.rulebook import RuleSet
from tests.rules.book import BOOK
from tests.rules.proofs import criteria_read, every_combination, grouped, verdict

pytestmark = pytest.mark.slow  # every combination of every coverage set

SHELF = "coverage-cms-lcd"
SETS = [rule_set for rule_set in BOOK.sets.values() if rule_set.family == SHELF]
INPATIENT, OUTPATIENT = f"{SHELF}.inpatient-path", f"{SHELF}.outpatient-path"
CARE, OSTEOPOROTIC, TUMOUR = (
    f"{SHELF}.optimal-care-documented", "shared.osteoporotic-fracture", f"{SHELF}.neoplastic-fracture",
)  # fmt: skip
LYTIC, FAILED, CODES = f"{SHELF}.lytic-lesion", f"{SHELF}.therapy-failed", f"{SHELF}.tumour-codes"
MYELOMA, COUNT = "shared.myeloma", f"{SHELF}.level-count"
PAPER = {f"{SHELF}.bone-density-and-education", f"{SHELF}.programme-instruction", CODES}
"""Documents. The statement about care is one only while nobody made it: stated not to be optimal, it is a no."""
FLAGS = {f"{SHELF}.{flag}" for flag in (
    "level-count", "cement-allergy", "coagulation", "neurology", "instability", "impingement", "retropulsion",
)}  # fmt: skip
EXCLUSIONS = (f"{SHELF}.pain-from-fracture", "shared.no-infection", "shared.not-pregnant")
BRANCHING = {INPATIENT, OUTPATIENT, CARE, TUMOUR, LYTIC, FAILED, CODES, MYELOMA}
"""Gates with a way round them: either path will do, the second with a document; a tumour is the other branch."""
OSTEOPOROTIC_ONLY = {OSTEOPOROTIC, f"{SHELF}.within-twelve-weeks", f"{SHELF}.oedema-or-uptake", *PAPER - {CODES}}
"""Gates that a tumour's fracture does not pass through."""

every_set = pytest.mark.parametrize("rule_set", SETS, ids=lambda rule_set: rule_set.id)
on_tumours = pytest.mark.parametrize("rule_set", [s for s in SETS if TUMOUR in criteria_read(s.id)], ids=lambda s: s.id)
on_osteoporosis = pytest.mark.parametrize(
    "rule_set", [s for s in SETS if TUMOUR not in criteria_read(s.id)], ids=lambda s: s.id
)


def outcomes(rule_set: RuleSet, probe: Condition) -> set[str]:
    """The outcomes of the combinations for which a probe holds."""
    return {outcome for outcome, (holds,), _ in every_combination(rule_set.id, probe) if holds}


def gates(rule_set: RuleSet) -> list[str]:
    return [rule.id for rule in rule_set.criteria if rule.role == "gate" and rule.id not in BRANCHING]


def apart(rule_set: RuleSet) -> list[Condition]:
    """That it is no tumour's fracture, where a rule set has a branch for one."""
    return [verdict(rule_set, TUMOUR, "not-met", "unknown")] if TUMOUR in criteria_read(rule_set.id) else []


def of_a_tumour(rule_set: RuleSet, *but: str) -> list[Condition]:
    """A tumour's fracture with all met that its branch asks for, except for what is left out."""
    osteoporosis = OSTEOPOROTIC_ONLY | {INPATIENT, OUTPATIENT, CARE}
    rest = [verdict(rule_set, id_, "met") for id_ in criteria_read(rule_set.id) if id_ not in osteoporosis | {*but}]
    return [verdict(rule_set, OSTEOPOROTIC, "not-met"), *rest]


def test_the_family_is_the_eight_determinations_of_the_catalogue() -> None:
    assert {rule_set.lcd for rule_set in SETS} == {
        "L34228", "L33569", "L34106", "L38201", "L38213", "L34976", "L35130", "L38737",
    }  # fmt: skip
    assert {rule_set.family for rule_set in SETS} == {SHELF}


@every_set
def test_the_hit_order_is_that_of_coverage(rule_set: RuleSet) -> None:
    assert rule_set.hit_order == ("not-applicable", "not-met", "insufficient-data", "documentation-missing", "met")


@every_set
def test_no_gate_that_is_unknown_or_not_met_yields_met(rule_set: RuleSet) -> None:
    for gate in gates(rule_set):
        way = apart(rule_set) if gate in OSTEOPOROTIC_ONLY else []
        assert "met" not in outcomes(rule_set, All((verdict(rule_set, gate, "unknown", "not-met"), *way))), gate


@every_set
def test_no_path_yields_met_without_its_document(rule_set: RuleSet) -> None:
    short = verdict(rule_set, INPATIENT, "unknown", "not-met")
    no_path = All((short, verdict(rule_set, OUTPATIENT, "unknown", "not-met")))
    no_paper = All((short, verdict(rule_set, CARE, "unknown", "not-met")))
    assert "met" not in outcomes(rule_set, All((AnyOf((no_path, no_paper)), *apart(rule_set))))


@every_set
def test_missing_paperwork_alone_never_says_no(rule_set: RuleSet) -> None:
    """Neither a refusal nor a question about the fracture rests on a document or on a flag: they are not even read."""
    for rule in rule_set.recommendations:
        if rule.outcome in ("not-applicable", "not-met", "insufficient-data"):
            assert set(rule.reads()).isdisjoint(PAPER | FLAGS), rule.id


@every_set
def test_a_no_always_rests_on_something_that_is_known(rule_set: RuleSet) -> None:
    unrefuted = All(
        tuple(
            verdict(rule_set, id_, "met", "unknown") for id_ in criteria_read(rule_set.id) if id_ not in PAPER | FLAGS
        )
    )
    assert outcomes(rule_set, unrefuted).isdisjoint({"not-applicable", "not-met"})


@every_set
def test_an_exclusion_never_coexists_with_coverage(rule_set: RuleSet) -> None:
    for criterion in EXCLUSIONS:
        assert outcomes(rule_set, verdict(rule_set, criterion, "not-met")) == {"not-applicable", "not-met"}, criterion


@every_set
def test_care_decides_on_the_outpatient_path_alone_and_only_once_it_is_stated(rule_set: RuleSet) -> None:
    """Refuted: no outside hospital, a question while the stay or the pain is open. Not stated: a document."""
    branches = {INPATIENT, CARE, TUMOUR}
    rest = [verdict(rule_set, id_, "met") for id_ in criteria_read(rule_set.id) if id_ not in branches]
    rest += [verdict(rule_set, TUMOUR, "not-met")] if TUMOUR in criteria_read(rule_set.id) else []
    for care, inpatient, expected in (
        ("not-met", "not-met", "not-met"), ("not-met", "unknown", "insufficient-data"), ("not-met", "met", "met"),
        ("unknown", "not-met", "documentation-missing"), ("unknown", "unknown", "documentation-missing"),
        ("unknown", "met", "met"), ("met", "not-met", "met"), ("met", "unknown", "met"),
    ):  # fmt: skip
        case = (verdict(rule_set, CARE, care), verdict(rule_set, INPATIENT, inpatient))
        assert outcomes(rule_set, All((*rest, *case))) == {expected}, (care, inpatient)


@every_set
def test_a_flag_that_nobody_assessed_blocks_nothing(rule_set: RuleSet) -> None:
    rest = [verdict(rule_set, id_, "met") for id_ in criteria_read(rule_set.id) if id_ not in FLAGS | {TUMOUR}]
    tumour = [verdict(rule_set, TUMOUR, "not-met")] if TUMOUR in criteria_read(rule_set.id) else []
    unknown = [verdict(rule_set, flag, "unknown") for flag in sorted(FLAGS)]
    assert outcomes(rule_set, All((*rest, *tumour, *unknown))) == {"met"}


@every_set
def test_a_flag_without_its_reason_is_a_missing_document(rule_set: RuleSet) -> None:
    for flag in sorted(FLAGS):
        rest = [verdict(rule_set, id_, "met") for id_ in criteria_read(rule_set.id) if id_ not in {flag, TUMOUR}]
        tumour = [verdict(rule_set, TUMOUR, "not-met")] if TUMOUR in criteria_read(rule_set.id) else []
        found = outcomes(rule_set, All((*rest, *tumour, verdict(rule_set, flag, "not-met"))))
        assert found == {"documentation-missing"}, flag


@on_osteoporosis
def test_another_cause_is_not_addressed_and_never_denied(rule_set: RuleSet) -> None:
    assert outcomes(rule_set, verdict(rule_set, OSTEOPOROTIC, "not-met")) == {"not-applicable"}


@on_tumours
def test_a_tumour_is_never_denied_for_what_only_osteoporosis_needs(rule_set: RuleSet) -> None:
    """Neither weeks nor oedema nor scores nor the bone density documents decide."""
    assert outcomes(rule_set, All(tuple(of_a_tumour(rule_set)))) == {"met"}
    open_ = All(tuple(of_a_tumour(rule_set, CODES, *FLAGS)))
    assert outcomes(rule_set, open_) == {"met", "documentation-missing"}


@on_tumours
def test_the_tumour_clause_asks_for_the_lesion_the_failed_therapy_and_both_codes(rule_set: RuleSet) -> None:
    for criterion, unmet, unknown in (
        (LYTIC, "not-applicable", "insufficient-data"), (FAILED, "not-met", "insufficient-data"),
        (CODES, "documentation-missing", "documentation-missing"),
    ):  # fmt: skip
        for verdict_, expected in (("met", "met"), ("not-met", unmet), ("unknown", unknown)):
            case = All((*of_a_tumour(rule_set, criterion), verdict(rule_set, criterion, verdict_)))
            assert outcomes(rule_set, case) == {expected}, (criterion, verdict_)


@on_tumours
def test_no_tumour_is_met_past_a_gate_of_every_fracture(rule_set: RuleSet) -> None:
    for gate in {*gates(rule_set)} - OSTEOPOROTIC_ONLY:
        short = All((*of_a_tumour(rule_set, gate), verdict(rule_set, gate, "unknown", "not-met")))
        assert "met" not in outcomes(rule_set, short), gate


@on_tumours
def test_the_limit_of_levels_is_not_meant_for_myeloma(rule_set: RuleSet) -> None:
    many = (*of_a_tumour(rule_set, COUNT, MYELOMA), verdict(rule_set, COUNT, "not-met"))
    assert outcomes(rule_set, All((*many, verdict(rule_set, MYELOMA, "met")))) == {"met"}
    others = All((*many, verdict(rule_set, MYELOMA, "not-met", "unknown")))
    assert outcomes(rule_set, others) == {"documentation-missing"}


@every_set
def test_met_needs_no_hit_order(rule_set: RuleSet) -> None:
    """Where met is possible nothing else is, so that no slip in the order can let it overtake anything.

    Only a tumour that is unknown beside known osteoporosis, which one datum never gives, is asked about as well.
    """
    rules = rule_set.recommendations
    probes = (verdict(rule_set, TUMOUR, "unknown"),) if TUMOUR in criteria_read(rule_set.id) else ()
    for verdicts in grouped(rule_set.id, probes):
        fired = {rule.outcome for rule, holds in zip(rules, verdicts, strict=False) if holds}
        if "met" in fired:
            assert fired == ({"met", "insufficient-data"} if verdicts[len(rules) :] == (True,) else {"met"})


def test_each_jurisdiction_has_exactly_one_determination() -> None:
    places = [place for rule_set in SETS for place in rule_set.applies_to["place-of-service"]]
    declared = set(BOOK.vocabulary["place-of-service"].values) - {"elsewhere"}
    assert sorted(places) == sorted(declared)


@every_set
def test_the_header_says_how_contractor_and_places_are_known(rule_set: RuleSet) -> None:
    header = rule_set.document["ruleset"]
    assert [one["name"] for one in header["jurisdiction"]] == list(rule_set.applies_to["place-of-service"])
    unread = header["contractor"]["status"] == "not-verified"
    assert unread is any("inferred, not read" in question for question in header["open-questions"])
    assert any("was not read" in question for question in header["open-questions"])
