"""What must hold for every rule, parameter, citation and datum that we ship; every offender is listed."""

import re
from pathlib import Path

import pytest

from pathway import casebook, messages
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, leaves
from pathway.forms import Stratum
from pathway.rulebook import Rule, RuleSet, load
from pathway.vocabulary import Datum
from pathway.weakness import too_weak
from tests.each import each
from tests.rules.book import ALL, BOOK, RULES, copy, edit, of

SETS = list(BOOK.sets.values())
STATUSES = {"read", "abstract", "secondary", "project-default"}
DAY = re.compile(r"20\d\d-[01]\d-[0-3]\d")

CHOOSES_THE_RULE_SET = {"place-of-service"}
"""Data that no rule compares and no message names: a rule set's header does."""

DETAILS = {
    "acuity-imaging": {"finding", "technique"},
    "unusable-results": {"which"},
    "cemented-against-proof": {"proven"},
    "infection": {"finding"},
    "level-order": {"range"},
    "pregnancy": {"finding"},
    "tenderness": {"place", "note"},
    "next-to-cement": {"where", "cemented"},
    "cement-in-canal": {"cemented", "places"},
    "pain-fall": {"before", "after"},
    "pain-course": {"before", "after"},
    "antithrombotic-restart-days": {"finding"},
    "embolism-risk-factors": {"present", "silent"},
    "neurology": {"note"},
}
"""The words beside its value that the fact builder gives with a datum, for messages."""

every_rule = each(ALL, lambda rule: rule.id)
every_set = each(SETS, lambda rule_set: rule_set.id)
every_datum = each(BOOK.vocabulary.data.values(), lambda datum: datum.id)
every_citation = each(
    [(rule.id, one) for rule in ALL for one in (rule.document or {}).get("evidence", ())],
    lambda rule, citation: f"{rule}: {citation['label'][:40]}",
)
every_parameter = each(
    [(rule, id_, body) for rule in ALL for id_, body in (rule.document or {}).get("parameters", {}).items()],
    lambda rule, id_, _: f"{rule.id}: {id_}",
)


def test_no_condition_is_weaker_than_the_truth() -> None:
    assert [str(fault) for fault in too_weak(BOOK)] == []


@pytest.mark.parametrize(
    ("weak", "says"),
    [
        ("any: [{deceased: {is: true}}, {all: [{deceased: {is: false}}, {infection: {is: true}}]}]", "infection True"),
        ("pain-score: {at-most: 40}", "pain-score unknown"),
    ],
    ids=["one datum on both sides of an or", "a bound that no value reaches"],
)
def test_a_condition_that_is_weaker_than_the_truth_does_not_ship(
    weak: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy(tmp_path)
    edit(root, "shared/alive.yaml", "deceased: {is: false}", weak)
    (fault,) = too_weak(load(root))
    assert fault.where == "shared/alive.yaml: shared.alive"
    assert says in str(fault)
    monkeypatch.setattr(casebook, "check_rule", lambda *_: ())  # which runs the cases of every rule
    assert [str(one) for one in casebook.check(root, load(root))] == [str(fault)]


@every_rule
def test_the_id_is_the_file(rule: Rule) -> None:
    assert (RULES / f"{rule.id.replace('.', '/')}.yaml").is_file()


@every_rule
def test_catalogue_ids_look_like_those_of_the_catalogue(rule: Rule) -> None:
    ids = (rule.document or {}).get("catalogue", [])
    assert [id_ for id_ in ids if not re.fullmatch("[A-Z]-[0-9]{2}", id_)] == []
    assert len(ids) == len(set(ids))


@every_rule
def test_every_field_of_a_message_can_be_rendered(rule: Rule) -> None:
    """A field is the level, a datum in sight, or a part of one: date, reason, told, or the builder's detail."""
    seen = [datum for datum in BOOK.vocabulary.data.values() if rule.scope.sees(datum.scope)]
    for text in rule.say.values():
        messages.check(text, [*rule.reads(), *(datum.id for datum in seen)], rule.id)
        for field in messages.FIELD.findall(text):
            name, _, part = field.partition(".")
            assert field in rule.reads() or part in {"", "date", "reason", "told"} | DETAILS.get(name, set()), field


@every_rule
def test_messages_are_sentences_without_a_stop(rule: Rule) -> None:
    assert [text for text in rule.say.values() if not re.match(r"[A-Z{]", text) or text.endswith(".")] == []


@every_rule
def test_what_a_rule_asks_for_is_declared(rule: Rule) -> None:
    """A gate or flag that is unknown must lead to a request: by each datum, or by the rule."""
    assert rule.ask == "" or rule.ask in BOOK.vocabulary.asks
    if rule.role in ("gate", "flag"):
        assert [name for name in rule.reads() if not (BOOK.vocabulary[name].ask or rule.ask)] == []


_READS = ("when", "closed-by", "start", "due", "expires", "opens-within")
"""The keys of a rule that may name a parameter."""


@every_rule
def test_every_parameter_is_used(rule: Rule) -> None:
    raw = rule.document or {}
    used = re.findall(r"[a-z][a-z-]*", " ".join(str(raw.get(key)) for key in _READS))
    assert set(rule.parameters) <= set(used)


def speaking_for(part: Condition, sign: bool = True) -> set[str]:
    """The data whose unconfirmed value a condition lets count in its favour."""
    match part:
        case Leaf():
            return {part.datum.id} if part.unconfirmed and sign else set()
        case Not(inner):
            return speaking_for(inner, not sign)
        case All(parts) | AnyOf(parts):
            return {datum for one in parts for datum in speaking_for(one, sign)}


SAFER = {
    "candidacy.order-spine-mri": "mri-unsafe", "candidacy.order-bone-scan": "mri-unsafe",
    "candidacy.assess-canal": "tumour-kind", "bone-health.denosumab-gap": "denosumab-gap-days",
}  # fmt: skip
"""Orders of which one gives way to the other where MRI may do harm, a look for tumour, a dose that is late: a
suspicion is enough."""
CAUTIOUS = {
    *(f"after-cement.{name}" for name in (
        "adverse-sign", "chest-ct-called-for", "ct-called-for", "venous-leak", "embolism-grave", "heart-leak",
        "intradural-leak", "no-chest-sign", "no-infection-sign", "chest-late", "pain-returned", "puncture-site",
        "recollapse-review", "restart-antithrombotic", "severe-pain-antithrombotic",
    )),
    *(f"measures.{name}" for name in (
        "bone-care-owed", "death", "died-by-28", "died-by-90", "died-by-180", "died-by-455", "fls-fragility",
        "embolism", "infection",
        "new-fracture", "symptomatic-leak",
    )),
}  # fmt: skip
"""What is asked for, or counted, because of a sign after cement or of a death that nobody has confirmed: each was
looked at, and the doubt leads to a look at the patient, or out of the good end of a count."""
BARRED = {
    "pre-procedure.inr",
    "bone-treatment.calcium",
    "bone-treatment.denosumab",
    "bone-treatment.oral-bisphosphonate",
    "bone-treatment.risk-leak",
    "bone-treatment.romosozumab",
    "bone-treatment.teriparatide-abaloparatide",
    "bone-treatment.zoledronic-acid",
}
"""Gates, and notes on drugs and leaks, that a suspicion shuts and never opens."""


@every_rule
def test_an_unconfirmed_positive_counts_for_an_alert_or_against_a_flag_and_never_for_a_criterion(rule: Rule) -> None:
    if rule.id in SAFER:
        counted = [leaf for part in rule.conditions() for leaf in leaves(part) if leaf.unconfirmed]
        assert {leaf.datum.id for leaf in counted} == {SAFER[rule.id]}
    elif rule.priority not in ("stat", "asap") and rule.id not in CAUTIOUS:
        assert [datum for part in rule.conditions() for datum in speaking_for(part)] == []
        counted = [leaf for part in rule.conditions() for leaf in leaves(part) if leaf.unconfirmed]
        assert rule.role == "flag" or counted == [] or rule.id in BARRED


@every_citation
def test_a_citation_says_what_how_strong_when_read_and_how(rule: str, citation: dict[str, str]) -> None:
    assert set(citation) == {"label", "strength", "read", "status"}
    assert all(isinstance(text, str) and text for text in citation.values())
    assert citation["status"] in STATUSES
    assert DAY.fullmatch(citation["read"])


@each([r for s in (Stratum.CRITERIA, Stratum.OBLIGATIONS) for r in of(s)], lambda rule: rule.id)
def test_criteria_and_obligations_cite_something(rule: Rule) -> None:
    assert (rule.document or {})["evidence"]


@every_parameter
def test_a_parameter_says_value_unit_status_and_date(rule: Rule, id_: str, body: dict[str, object]) -> None:
    assert set(body) == {"value", "unit", "status", "set-on"}
    assert not isinstance(body["value"], str | bool), "a number, not a text"
    assert body["status"] in STATUSES
    assert DAY.fullmatch(str(body["set-on"]))
    assert rule.parameters[id_].unit == body["unit"]


OF_ITS_RULE = {"begins", "looked-from", "pain-max-age", "recent", "within-days"}
"""Windows of follow-up and of measures: each rule has its own."""


@each(sorted({id_ for rule in of(Stratum.CRITERIA) for id_ in rule.parameters} - OF_ITS_RULE))
def test_a_parameter_of_criteria_has_one_value_everywhere(id_: str) -> None:
    found = {(rule.parameters[id_].value, rule.parameters[id_].unit) for rule in ALL if id_ in rule.parameters}
    assert len(found) == 1


@every_set
def test_what_is_shipped_is_a_draft_that_nobody_approved(rule_set: RuleSet) -> None:
    assert rule_set.status == "draft"
    assert rule_set.document["ruleset"]["approvers"] == []


@every_set
def test_the_header_holds_what_a_header_may_hold(rule_set: RuleSet) -> None:
    """A key with a typo would be passed over: `refusal` would make every missing datum of a refusal asked for."""
    header = rule_set.document["ruleset"]
    always = {"id", "kind", "version", "title", "question", "status", "effective", "approvers", "developer", "funding"}
    deciding = {"hit-order", "refusals"} if rule_set.recommendations else set()
    covers = {"family", "lcd", "contractor", "jurisdiction", "applies-to", "lists", "evidence", "open-questions"}
    needed, may = always | {"sources"} | deciding | (covers if rule_set.lcd else set()), {"shared", "open-questions"}
    of_kind = {"clinical": {"basis"}, "coverage": {"concerns", *covers}, "considerations": {"lists"}}
    of_kind["measure"] = {"measures", "not-computed"}
    may |= of_kind.get(str(header["kind"]), set())
    assert needed <= set(header) <= needed | may
    assert header["kind"] == "coverage" or not rule_set.lcd
    assert header["kind"] in ("clinical", "coverage", "safety", "follow-up", "bone-health", "measure", "considerations")
    assert re.fullmatch(r"\d+\.\d+\.\d+", header["version"])
    assert DAY.fullmatch(header["effective"]["from"])


@every_set
def test_a_rule_set_shows_its_source_attributes(rule_set: RuleSet) -> None:
    assert set(rule_set.document["ruleset"]["sources"]) == {
        "citation", "developer", "funding", "released-on", "race", "ethnicity", "language", "sexual-orientation",
        "gender-identity", "sex", "date-of-birth", "social-determinants", "health-status-assessments",
        "predictive-attributes",
    }  # fmt: skip


@every_datum
def test_every_datum_is_used_or_says_why_not(datum: Datum) -> None:
    read = {name for rule in ALL for name in rule.reads()}
    said = {field for rule in ALL for text in rule.say.values() for field in messages.FIELD.findall(text)}
    used = datum.id in read or datum.id in {field.partition(".")[0] for field in said}
    assert used is not (datum.id in CHOOSES_THE_RULE_SET)
    assert {id_ for rule_set in SETS for id_ in rule_set.applies_to} >= CHOOSES_THE_RULE_SET


@each(BOOK.vocabulary.asks)
def test_every_ask_is_used(ask: str) -> None:
    assert ask in {datum.ask for datum in BOOK.vocabulary.data.values()} | {rule.ask for rule in ALL}
