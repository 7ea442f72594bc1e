"""The rule book refuses what it might misread, and says where, what and how to mend it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pathway.canonical import canonical, parse
from pathway.errors import RuleBookError
from pathway.rulebook import bounds, from_document, load
from pathway.vocabulary import Kind
from tests.rules.book import ALL, BOOK, CANDIDACY, RULES, edit

ADULT = "shared/adult.yaml"
FRESH = "shared/fresh-fracture.yaml"
NAMED = "shared/level-named.yaml"
MRI = "candidacy/order-spine-mri.yaml"
HEADER = "candidacy/ruleset.yaml"
WORDS = "vocabulary/person.yaml"

TRAPS = [
    # a key twice, at any depth
    (ADULT, "role: gate", "role: gate\nrole: flag", "shared/adult.yaml:7: key 'role' stands twice. Keep one of them"),
    (ADULT, "at-least: adult-age", "at-least: adult-age, at-least: 5", "shared/adult.yaml:10: key 'at-least' stands"),
    (WORDS, "  age:\n", "  age:\n    title: x\n  age:\n", "key 'age' stands twice. Keep one of them"),
    (HEADER, "kind: clinical", "kind: clinical\nkind: coverage", "candidacy/ruleset.yaml:3: key 'kind' stands twice"),
    # a key with a typo
    (ADULT, "role: gate", "rolle: gate", "shared/adult.yaml:6: unknown key 'rolle'. Known keys, in order: id, title"),
    (ADULT, "when:", "wehn:", "shared/adult.yaml:9: unknown key 'wehn'. Known keys"),
    (WORDS, "    type: integer", "    typ: integer", "person.yaml: age: unknown key 'typ'. Known keys: title"),
    (ADULT, "at-least", "at-leest", "shared.adult: 'age' needs exactly one comparison. One of: is, in, at-least"),
    (ADULT, "  age: {", "  aeg: {", "shared.adult: no datum or criterion 'aeg' can be read here. Near it: age"),
    (ADULT, "{at-least: adult-age}", "{at-least: adlut-age}", "parameter 'adlut-age' is not declared. Declare it"),
    (FRESH, "within: imaging", "within: imagin", "parameter 'imagin-max-age' is not declared. Declare it"),
    (FRESH, "is: oedema-or-uptake", "is: oedema", "'oedema' is no value of acuity-imaging. Values: oedema-or-uptake"),
    (FRESH, "within: imaging-max-age", "inside: imaging-max-age", "'acuity-imaging' needs exactly one comparison"),
    (MRI, "shared.fresh-fracture: {is: unknown}", "shared.fresh: {is: unknown}", "no datum or criterion 'shared.f"),
    (MRI, "{is: insufficient-data}", "{is: insufficient}", "'insufficient' is no value of outcome. Values: "),
    (HEADER, "  - shared.adult", "  - shared.adlut", "candidacy/ruleset.yaml: no shared rule 'shared.adlut'. Known:"),
    # a wrong unit
    (ADULT, "unit: a,", "unit: d,", "shared.adult: parameter 'adult-age' is in d, age in a. Use one unit"),
    (FRESH, "unit: d,", "unit: kg,", "parameter 'imaging-max-age' is no duration. Units of time: min, h, d, wk, a"),
    (WORDS, "    unit: a\n", "", "vocabulary/person.yaml: age: a number needs a unit and a range. Add unit (UCUM)"),
    # a wrong order
    (ADULT, "title: Adult\nstratum: criteria", "stratum: criteria\ntitle: Adult", "the keys are out of order. Order: "),
    # what YAML reads in its own way
    (ADULT, "  age: {", "\tage: {", "shared/adult.yaml:10: not YAML: found character '\\t'"),
    (NAMED, "is: true", "is: no", "shared.level-named: level-named is true or false"),
    (NAMED, "is: true", "is: yes", "shared.level-named: level-named is true or false"),
    (NAMED, "is: true", "is: True", "shared.level-named: level-named is true or false"),
    (ADULT, "{at-least: adult-age}", "{at-least: 1e3}", "parameter '1e3' is not declared. Declare it under parameters"),
    (ADULT, "{at-least: adult-age}", "{at-least: 018}", "parameter '018' is not declared"),
    (ADULT, "{at-least: adult-age}", "{at-least: 1_8}", "parameter '1_8' is not declared"),
    (ADULT, "{at-least: adult-age}", "{at-least: 2026-11-22}", "parameter '2026-11-22' is not declared"),
    (ADULT, "{at-least: adult-age}", "{at-least: true}", "age is compared with a number or a parameter"),
    (ADULT, "{at-least: adult-age}", "{at-least: 18.5}", "age keeps 0 decimal places. Use fewer decimal places"),
    (ADULT, "role: gate", "---\nrole: gate", "shared/adult.yaml:6: not YAML: but found another document"),
    (ADULT, "role: gate", "role: !!python/name:os.system gate", "shared/adult.yaml:6: not YAML: could not determine"),
    (ADULT, "id: shared.adult", "- id: shared.adult", "shared/adult.yaml:2: not YAML"),
    # values that are not known
    (ADULT, "stratum: criteria", "stratum: criterion", "shared/adult.yaml:3: stratum 'criterion' is not known. One"),
    (ADULT, "role: gate", "role: gates", "shared/adult.yaml:6: role 'gates' is not known. One of: gate, flag, note"),
    (MRI, "owner: clinician", "owner: doctor", "owner 'doctor' is not known. One of: coordinator, nurse, clinician"),
    (MRI, "after: asked", "after: ask", "due names no event or no declared duration"),
    (MRI, "closed-by:", "closed-by: {}\nwhen:", "stands twice"),
    # what would be misunderstood as a whole
    (ADULT, "id: shared.adult", "id: shared.adlut", "the id does not follow from the file's name. Write id: shared"),
    (ADULT, "evidence:", "ask: x\nevidence:", "stands twice"),
    (ADULT, "ask: record-birth-date", "ask: record-birthdate", "ask 'record-birthdate' is not declared. Add it to the"),
    (ADULT, "strength: appropriateness, ", "", "shared/adult.yaml: a citation lacks 'strength'. Give label"),
    (ADULT, "status: secondary}\n", "status: MEM}\n", "citation with status 'MEM' may not ship. Read the source first"),
    (ADULT, ", set-on: 2026-11-22", "", "shared.adult: parameter 'adult-age' lacks 'set-on'. Give value, unit, status"),
    (ADULT, "when:\n  age: {at-least: adult-age}\n", "", "shared/adult.yaml: key 'when' is missing. A rule of"),
    (HEADER, "status: draft", "status: active", "an active rule set names two approvers. Keep it draft"),
    (HEADER, "id: candidacy", "id: candidate", "the id differs from the folder's name. Make them the same"),
    (HEADER, "  - shared.adult\n", "", "no datum or criterion 'shared.adult' can be read here"),
    (HEADER, "defer, candidate]", "defer, candidate, maybe]", "hit order, refusals and rules name different outcomes"),
    (HEADER, "refusals: [", "refusals: [maybe, ", "hit order, refusals and rules name different outcomes"),
    (HEADER, "question: ", "quest: ", "candidacy/ruleset.yaml: unknown key 'quest'. Known keys: id"),
    (WORDS, "scope: patient", "scope: person", "'person' is not a valid Scope. Types: boolean"),
    (WORDS, "    ask: record-birth-date", "    ask: birthday", "person.yaml: age: ask 'birthday' is not declared"),
]  # fmt: skip

MISREAD = [
    (ADULT, "value: 18", "value: 1e3"),
    (ADULT, "value: 18", "value: 018"),
    (ADULT, "value: 18", "value: 1_8"),
    (ADULT, "value: 18", "value: '18'"),
    (ADULT, "value: 18", "value: Infinity"),
    (FRESH, "value: 30", "value: -30"),
    (ADULT, "set-on: 2026-11-22", "set-on: 22.11.2026"),
    (ADULT, "status: secondary, set-on", "status: MEM, set-on"),
    (ADULT, "scope: patient\n", ""),
    (ADULT, "title: Adult\n", ""),
    (ADULT, '  unknown: "Age', '  unkown: "Age'),
    (HEADER, "refusals:", "refusal:"),
    (HEADER, "hit-order:", "hitorder:"),
    (HEADER, "status: draft", "status: activ"),
    (HEADER, f"version: {CANDIDACY.version}", "version: 1.0"),
]
"""Slips that would be read as something else."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the rules folder with the one rule set that the traps are laid in."""
    others = [rule_set for rule_set in BOOK.sets if rule_set != "candidacy"]
    return Path(shutil.copytree(RULES, tmp_path / "rules", ignore=shutil.ignore_patterns("*.cases.yaml", *others)))


def id_of(trap: tuple[str, ...]) -> str:
    return f"{trap[0]}: {trap[2] or 'without ' + trap[1]}"[:60].replace("\n", " ")


@pytest.mark.parametrize("trap", TRAPS, ids=id_of)
def test_a_slip_is_refused_with_place_fault_and_fix(root: Path, trap: tuple[str, str, str, str]) -> None:
    file, old, new, message = trap
    edit(root, file, old, new)
    with pytest.raises(RuleBookError) as caught:
        load(root)
    assert message in caught.value.sentence()
    assert caught.value.where, "names the file or the rule"


@pytest.mark.parametrize("trap", MISREAD, ids=id_of)
def test_a_slip_that_is_read_as_something_else_is_refused(root: Path, trap: tuple[str, str, str]) -> None:
    edit(root, *trap)
    with pytest.raises(RuleBookError):
        load(root)


@pytest.mark.parametrize("file", [WORDS, HEADER, ADULT])
@pytest.mark.parametrize("bytes_", [b"", b"\xff\xfe", b"[1, 2]", b"a: b: c", b"'"], ids=repr)
def test_a_file_that_is_no_mapping_names_itself(root: Path, file: str, bytes_: bytes) -> None:
    (root / file).write_bytes(bytes_)
    with pytest.raises(RuleBookError) as caught:
        load(root)
    assert caught.value.where.startswith(file)
    assert caught.value.fix


def test_a_folder_without_a_vocabulary_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuleBookError, match="vocabulary: the folder is missing or empty"):
        load(tmp_path)


def test_a_message_never_says_where_the_folder_stands(root: Path) -> None:
    edit(root, ADULT, "role: gate", "rolle: gate")
    with pytest.raises(RuleBookError) as caught:
        load(root)
    assert str(root) not in caught.value.sentence()


def document(**header: Any) -> dict[str, Any]:
    """The document of the candidacy rules, free to change."""
    copied: dict[str, Any] = parse(canonical(CANDIDACY.document))
    copied["ruleset"] |= header
    return copied


def test_a_document_reads_the_same_from_files_and_from_a_release() -> None:
    assert from_document(document()).sha256 == CANDIDACY.sha256
    assert [rule.id for rule in from_document(document()).rules()] == [rule.id for rule in CANDIDACY.rules()]


def test_a_rule_that_stands_twice_is_refused() -> None:
    doubled = document()
    doubled["rules"].append(doubled["rules"][0])
    with pytest.raises(RuleBookError, match="stands twice"):
        from_document(doubled)


@pytest.mark.parametrize("approvers", [[], ["one person"]])
def test_an_active_rule_set_needs_two_approvers(approvers: list[str]) -> None:
    with pytest.raises(RuleBookError, match="names two approvers"):
        from_document(document(status="active", approvers=approvers))


def test_two_named_people_make_it_active() -> None:
    assert from_document(document(status="active", approvers=["A. Person", "B. Person"])).status == "active"


@pytest.mark.parametrize("status", ["read", "abstract", "secondary", "project-default"])
def test_a_citation_may_ship_with_an_honest_status(status: str) -> None:
    changed = document()
    changed["rules"][0]["evidence"][0]["status"] = status
    assert from_document(changed).rules()


def test_a_rule_reads_each_name_once_in_written_order() -> None:
    rules = {rule.id: rule for rule in ALL}
    assert rules["shared.neurology-intact"].reads() == ("neurology",)
    assert rules["candidacy.wait-may-be-shorter"].reads() == (
        "hospitalised", "bed-bound", "pain-score", "conservative-care-days",
    )  # fmt: skip
    assert rules["candidacy.examine-again"].reads()[0] == "tender-beside-fresh"


def test_bounds_are_the_ordered_comparisons() -> None:
    rules = {rule.id: rule for rule in ALL}
    found = {(leaf.datum.id, str(leaf.op), leaf.operand) for leaf in bounds(rules["shared.spine-level"])}
    assert found == {("level-order", "at-least", 8), ("level-order", "at-most", 24)}
    assert bounds(rules["shared.level-named"]) == ()


def test_a_level_rule_sees_no_datum_of_a_procedure() -> None:
    blind = document()
    (rule,) = (rule for rule in blind["rules"] if rule["id"] == "shared.cause-in-scope")
    rule["when"] = {"days-since-cement": {"at-most": 3}}
    with pytest.raises(RuleBookError, match=r"shared\.cause-in-scope: no datum or criterion 'days-since-cement'"):
        from_document(blind)


def test_an_outcome_rule_sees_criteria_and_no_data() -> None:
    peeking = document()
    (rule,) = (rule for rule in peeking["rules"] if rule["id"] == "candidacy.outcome-defer")
    rule["when"] = {"age": {"at-least": 18}}
    with pytest.raises(RuleBookError, match="no datum or criterion 'age' can be read here"):
        from_document(peeking)


def test_choosing_an_unknown_rule_set_lists_the_known_ones() -> None:
    known = "after-cement, bone-health, bone-treatment, candidacy"
    with pytest.raises(RuleBookError, match=rf"no rule set 'candidate'\. Known: .*{known}"):
        BOOK.choose(["candidate"])
    assert BOOK.choose(["candidacy"]) == (CANDIDACY,)


def test_the_release_is_named_id_and_version() -> None:
    assert CANDIDACY.release == f"candidacy|{CANDIDACY.version}"


def test_a_number_of_the_vocabulary_has_a_unit_and_a_range() -> None:
    numbers = [d for d in BOOK.vocabulary.data.values() if d.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.INTERVAL)]
    assert [d.id for d in numbers if not d.unit or d.lo is None or d.hi is None or d.lo >= d.hi] == []


def test_a_gate_whose_missing_datum_nobody_could_get_is_refused(root: Path) -> None:
    edit(root, WORDS, "    ask: record-birth-date\n", "")
    edit(root, ADULT, "ask: record-birth-date\n", "")
    with pytest.raises(RuleBookError, match="nothing says how 'age' is got"):
        load(root)
