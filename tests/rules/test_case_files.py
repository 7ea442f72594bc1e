"""A case file that is wrong, or covers too little, is refused with its file, its rule, what is wrong and the fix."""

from pathlib import Path

import pytest

from pathway.casebook import check, check_rule, run
from pathway.casefiles import read_one
from pathway.errors import PathwayError
from pathway.rulebook import load
from tests.rules.book import BOOK, FILES, RULES, copy, edit

ADULT = "shared/adult.cases.yaml"
FRESH = "shared/fresh-fracture.cases.yaml"
PAIN = "shared/severe-spinal-pain.cases.yaml"
PLACE = "shared/spine-level.cases.yaml"
MRI = "candidacy/order-spine-mri.cases.yaml"
AGAIN = "candidacy/re-evaluate.cases.yaml"
DEFER = "candidacy/outcome-defer.cases.yaml"

WRONG = [
    (ADULT, "facts: {age: 18}", "fact: {age: 18}", "'fact' is not known here. Known: name, facts, criteria, outcome"),
    (ADULT, "cases:", "case:", "'case' is not known here. Known: rule, base, cases"),
    (ADULT, "rule: shared.adult", "rule: shared.adlut", "the file is about another rule. Write rule: shared.adult"),
    (ADULT, "facts: {age: 18}", "facts: {agee: 18}", "'agee' is not known here. Known: age"),
    (ADULT, "facts: {age: 18}", "facts: {infection: true}", "'infection' is not known here. Known: age"),
    (ADULT, "facts: {age: 18}", "facts: {age: eighteen}", "not a plausible integer. Expected ('0', '125', 'a')"),
    (ADULT, "facts: {age: 18}", "facts: {age: 180}", "not a plausible integer"),
    (ADULT, "facts: {age: 18}", "facts: {age: {val: 18}}", "'val' is not known here. Known: value, age, unknown"),
    (ADULT, "facts: {age: 18}", "facts: {age: {candidate: 18}}", "a fact has a value, or is unknown"),
    (ADULT, "facts: {age: 18}", "facts: {age: {value: 18, unknown: stale}}", "a fact has a value, or is unknown"),
    (ADULT, "candidate: 71", "candidate: 710", "not a plausible integer"),
    (ADULT, "facts: {age: 18}", "facts: 18", "key: value lines are wanted here"),
    (ADULT, "unknown: unparseable", "unknown: illegible", "unknown: 'illegible' is no reason. One of: not-recorded"),
    (ADULT, "expect: met", "expect: applies", "expect: 'applies' is not known. One of: met, not-met, unknown"),
    (ADULT, "expect: met", "expekt: met", "'expekt' is not known here"),
    (
        FRESH,
        "age: 31 d",
        "age: 31 days",
        "age '31 days' is no length of time. Write a whole number of min, h, d, wk, a",
    ),
    (FRESH, "value: none,", "value: no,", "not a plausible code. Expected ('oedema-or-uptake', 'none')"),
    (PAIN, "value: 4.99", "value: 4.999", "pain-score keeps 2 decimal places. Use fewer decimal places"),
    (PAIN, "pain-score: 0", "pain-score: true", "not a plausible decimal"),
    (PLACE, "{lo: 18, hi: 19}", "{lo: 19, hi: 18}", "not a plausible interval"),
    (
        MRI,
        "  outcome: insufficient-data",
        "  outcome: insufficient",
        "outcome 'insufficient' cannot stand here. One of: ",
    ),
    (MRI, "  outcome: insufficient-data\n", "", "outcome None cannot stand here. One of: out-of-scope"),
    (MRI, "shared.fresh-fracture: unknown", "shared.fresh-fracture: maybe", "cannot be 'maybe'. One of: met, not-met"),
    (MRI, "shared.fresh-fracture: unknown", "shared.adult: met", "'shared.adult' is not known here. Known: candidacy."),
    (MRI, "    expect: silent", "    expect: silent\n    says: x", "a silent rule says nothing. Leave out says"),
    (
        ADULT,
        "    expect: met",
        "    standing: true\n    expect: met",
        "only a task can stand open. Write standing: true",
    ),
    (MRI, "    expect: open", "    standing: perhaps\n    expect: open", "only a task can stand open"),
    (DEFER, "  criteria:", "  outcome: defer\n  criteria:", "outcome 'defer' cannot stand here. Leave it out"),
]

THIN = [
    (ADULT, "age: 18", "age: 20", "no case has age at its bound. Add one with 18 a"),
    (ADULT, "{age: 17}", "{age: 16}", "no case has age just below its bound. Add one with 17 a"),
    (ADULT, "{age: 19}", "{age: 20}", "no case has age just above its bound. Add one with 19 a"),
    (ADULT, "unknown: conflicting, candidate: 71", "unknown: not-recorded", "no case has sources that conflict"),
    (ADULT, "A person of nineteen is an adult", "Nineteen", "the name 'Nineteen' is no sentence"),
    (ADULT, "A person of nineteen is an adult", "A person of nineteen is an adult.", "is no sentence"),
    (
        ADULT,
        "A person of nineteen is an adult",
        "the eighteenth birthday makes an adult",
        "the name 'the eighteenth birthday makes an adult' stands twice. Say what differs",
    ),
    (FRESH, "age: 30 d", "age: 29 d", "no case has acuity-imaging exactly as old as it may be. Add one of 30 days"),
    ("candidacy/outcome-contraindicated.cases.yaml", "expect: silent", "expect: applies", "expected 'applies', found"),
    (
        AGAIN,
        "    standing: true\n",
        "",
        "no case has insufficient-data while the task stands open. Add one with standing",
    ),
    (ADULT, "Adult: 18 years", "Adult: 19 years", "expected 'Adult: 19 years', found 'Adult: 18 years'"),
]


def faults_of(root: Path, file: str, old: str, new: str) -> tuple[PathwayError, ...]:
    """What the check says of one rule whose case file was changed."""
    (root / file).parent.mkdir()
    (root / file).write_text((RULES / file).read_text(encoding="utf-8"), encoding="utf-8")
    edit(root, file, old, new)
    return check_rule(root, BOOK.vocabulary, FILES[file.removesuffix(".cases.yaml").replace("/", ".")].rule)


@pytest.mark.parametrize(("file", "old", "new", "message"), WRONG)
def test_a_case_file_that_cannot_be_read_says_why(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    (fault,) = faults_of(tmp_path, file, old, new)
    assert fault.sentence().startswith(file)
    assert message in fault.sentence()
    assert fault.fix


@pytest.mark.parametrize(("file", "old", "new", "message"), THIN)
def test_cases_that_cover_too_little_say_what_to_add(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    faults = [fault for fault in faults_of(tmp_path, file, old, new) if message in fault.sentence()]
    assert [fault.sentence().startswith(file) and bool(fault.fix) for fault in faults] == [True]


def test_a_rule_without_cases_is_refused(tmp_path: Path) -> None:
    root = copy(tmp_path)
    (root / ADULT).unlink()
    assert [fault.sentence() for fault in check(root, BOOK)] == [
        "shared/adult.cases.yaml: shared.adult: the rule has no cases. Write shared/adult.cases.yaml"
    ]


def test_a_datum_that_is_never_unknown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / ADULT).write_text(
        "rule: shared.adult\ncases:\n  - {name: An adult of 18, facts: {age: 18}, expect: met}\n"
    )
    said = {fault.what for fault in check_rule(tmp_path, BOOK.vocabulary, FILES["shared.adult"].rule)}
    assert {"no case expects not-met", "no case expects unknown", "no case says that age is unknown"} <= said


def test_a_limit_of_age_needs_a_case_beyond_it(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / FRESH).write_text((RULES / FRESH).read_text().replace("31 d", "30 d"))
    said = {fault.what for fault in check_rule(tmp_path, BOOK.vocabulary, FILES["shared.fresh-fracture"].rule)}
    assert "no case has acuity-imaging too old" in said


def test_cases_and_rules_that_nothing_runs_are_refused(tmp_path: Path) -> None:
    root = copy(tmp_path)
    (root / "shared/adlut.cases.yaml").write_text("rule: shared.adlut\n")
    (root / "shared/lonely.yaml").write_text((root / "shared/adult.yaml").read_text().replace(".adult", ".lonely"))
    assert [fault.where for fault in check(root, load(root))] == [
        "shared/adlut.cases.yaml: shared.adlut",
        "shared/lonely.yaml: shared.lonely",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{age} years: no", "{agee} years: no", "the message names 'agee'. Name level or a datum that the rule reads"),
        ("{age} years: no", "{tenderness} years: no", "the message names 'tenderness'"),
    ],
)
def test_a_message_that_cannot_be_said_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    root = copy(tmp_path)
    edit(root, "shared/adult.yaml", old, new)
    faults = [fault.sentence() for fault in check(root, load(root))]
    assert [fault for fault in faults if fault.startswith("shared/adult.yaml: shared.adult: ") and message in fault]


def test_what_a_case_does_not_name_is_not_recorded() -> None:
    (first, *_) = FILES["candidacy.wait-may-be-shorter"].examples
    assert first.named == {"hospitalised", "bed-bound", "pain-score", "conservative-care-days"}
    assert [id_ for id_, fact in first.view.items() if fact.known] == [id_ for id_ in first.view if id_ in first.named]


def test_an_empty_case_file_runs_to_nothing(tmp_path: Path) -> None:
    file = read_one(tmp_path, BOOK.vocabulary, FILES["shared.adult"].rule)
    assert run(file) == ()


def test_a_result_says_where_it_stands() -> None:
    (first, *_) = run(FILES["shared.adult"])
    assert first.passed
    assert first.sentence() == "shared/adult.cases.yaml: shared.adult: The eighteenth birthday makes an adult"
