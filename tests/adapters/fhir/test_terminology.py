"""The tables of codes are sound, and a code is found in its value set and in no other."""

from __future__ import annotations

import itertools
import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.terminology import (
    BASE,
    ICD_10_CM,
    ICD_10_PCS,
    PROFILES,
    CodeRow,
    Match,
    Terminology,
    load_local_codes,
    load_rows,
    local_system,
)
from pathway.errors import RuleBookError
from pathway.levels import LEVELS, LevelRange
from tests.each import each

with warnings.catch_warnings():  # it reads its data the way Python 3.11 deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import simple_icd_10_cm

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
SOPT = "https://nahdo.org/sopt"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
ROWS = load_rows()
TERMS = Terminology.load()
LOCAL = {local_system(each): {code["code"] for code in codes} for each, codes in load_local_codes().items()}


def of(system: str) -> list[CodeRow]:
    return [row for row in ROWS if row.system == system]


def name(row: CodeRow) -> str:
    return f"{row.value_set}-{row.code}"


def find(value_set: str, system: str, code: str) -> Match | None:
    return TERMS.match(value_set, [{"system": system, "code": code}])


# --- check digits, by the rules that SNOMED CT and LOINC publish


def verhoeff(number: str) -> bool:
    """The dihedral check of SNOMED CT identifiers, built from the group D5 and not from a copied table."""

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
        return 5 + (a - b) % 5 if b < 5 else (a - b) % 5

    step = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit)
        for _ in range(place % 8):
            value = step[value]
        check = times(check, value)
    return check == 0


def mod10(code: str) -> bool:
    """The check digit of LOINC: Luhn over the part before the hyphen."""
    body, _, check = code.partition("-")
    doubled = (int(d) * (2 if n % 2 == 0 else 1) for n, d in enumerate(reversed(body)))
    return (sum(sum(divmod(d, 10)) for d in doubled) + int(check)) % 10 == 0


@pytest.mark.parametrize(
    ("number", "sound"), [("236", True), ("22298006", True), ("447766008", False), ("447764006", False)]
)
def test_the_verhoeff_check_knows_good_from_bad(number: str, sound: bool) -> None:
    assert verhoeff(number) is sound


@pytest.mark.parametrize(
    ("code", "sound"), [("2160-0", True), ("72514-3", True), ("72514-4", False), ("38208-6", False)]
)
def test_the_mod_10_check_knows_good_from_bad(code: str, sound: bool) -> None:
    assert mod10(code) is sound


@each(of(SNOMED), name)
def test_a_snomed_id_passes_its_check_digit(row: CodeRow) -> None:
    assert row.code.isdigit()
    assert 6 <= len(row.code) <= 18
    assert verhoeff(row.code)


@each(of(LOINC), name)
def test_a_loinc_code_passes_its_check_digit(row: CodeRow) -> None:
    assert mod10(row.code)


@each(of(ICD_10_CM), name)
def test_an_icd_10_cm_code_exists_and_its_match_fits(row: CodeRow) -> None:
    assert simple_icd_10_cm.is_valid_item(row.code)
    assert simple_icd_10_cm.get_description(row.code) == row.display
    leaf = simple_icd_10_cm.is_leaf(row.code)
    assert leaf or row.match in ("stem", "under"), "a code that others follow is matched by stem or under"


@each(of(ICD_10_PCS), name)
def test_an_icd_10_pcs_code_has_its_form(row: CodeRow) -> None:
    assert len(row.code) == 7
    assert set(row.code) <= set("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")  # no I and no O


@each(of(CPT), name)
def test_a_cpt_code_is_a_number_without_a_descriptor(row: CodeRow) -> None:
    assert row.code.isdigit()
    assert len(row.code) == 5
    assert row.display == ""


@each(ROWS, name)
def test_every_row_says_how_it_was_verified_and_names_a_known_system(row: CodeRow) -> None:
    assert row.verified_by.strip()
    assert row.system in {ICD_10_CM, ICD_10_PCS, CPT, SNOMED, LOINC, DICOM, SOPT, RXNORM, ATC, *LOCAL}
    if row.system in LOCAL:
        assert row.code in LOCAL[row.system], "a local code is defined in local-codes.yaml"
        assert row.verified_by == "local code, defined here"


@each([row for row in ROWS if row.levels], name)
def test_every_level_of_a_row_is_one(row: CodeRow) -> None:
    assert str(LevelRange.parse(row.levels)) == row.levels


@each(sorted(TERMS.ids))
def test_every_value_set_has_codes_except_the_one_whose_codes_are_still_to_come(value_set: str) -> None:
    assert any(row.value_set == value_set for row in ROWS)


def test_the_local_levels_are_the_levels_of_the_core() -> None:
    assert tuple(c["code"] for c in load_local_codes()["level"]) == LEVELS
    assert {row.code for row in of(local_system("level")) if row.value_set == "vertebral-level"} == set(LEVELS)


def test_a_fracture_code_belongs_to_one_cause_only() -> None:
    causes = [s for s in TERMS.ids if s.startswith("vertebral-fracture-") or s == "fracture-other-site"]
    codes = [(row.system, row.code) for row in ROWS if row.value_set in causes]
    assert len(codes) == len(set(codes))


# --- matching


@pytest.mark.parametrize(
    "code", ["M80.08", "M8008", "M80.08XA", "M8008XA", "m80.08xa", "M80.08X", "M80.08A", "M80.08XK"]
)
def test_an_icd_stem_matches_with_and_without_dot_placeholder_and_seventh_character(code: str) -> None:
    match = find("vertebral-fracture-osteoporotic", ICD_10_CM, code)
    assert match == Match("vertebral-fracture-osteoporotic", ICD_10_CM, code, None, sequela=False)


@pytest.mark.parametrize(
    "code",
    [
        "M80",
        "M80.0",
        "M80.01XA",
        "M80.08XA1",
        "M80.081",
        "M80.08XAA",
        "M80.08XXXA",
        "M80.08 XA",
        "M81.0",
        "",
        "XM80.08",
    ],
)
def test_what_is_not_the_stem_and_a_seventh_character_does_not_match(code: str) -> None:
    assert find("vertebral-fracture-osteoporotic", ICD_10_CM, code) is None


@pytest.mark.parametrize(
    ("code", "sequela"), [("M80.08XS", True), ("S32010S", True), ("S32.010A", False), ("S32.010", False)]
)
def test_the_seventh_character_s_is_reported_as_sequela(code: str, sequela: bool) -> None:
    match = TERMS.matches_any(
        {"coding": [{"system": ICD_10_CM, "code": code}]},
        "vertebral-fracture-osteoporotic",
        "vertebral-fracture-traumatic",
    )
    assert match is not None
    assert match.sequela is sequela


@pytest.mark.parametrize(
    ("value_set", "system", "code", "levels"),
    [
        ("vertebral-fracture-traumatic", ICD_10_CM, "S22.080A", "T11-T12"),
        ("vertebral-fracture-traumatic", ICD_10_CM, "S32.010A", "L1"),
        ("vertebral-fracture-traumatic", ICD_10_CM, "S22.000A", "T1-T12"),
        ("vertebral-fracture-collapse", ICD_10_CM, "M48.55XA", "T10-L2"),
        ("vertebral-fracture-collapse", ICD_10_CM, "M48.50XA", None),
        ("cement-augmentation", ICD_10_PCS, "0QU03JZ", "L1-L5"),
        ("cement-augmentation", CPT, "22510", "C1-T12"),
        ("cement-augmentation", CPT, "22511", "L1-S1"),
        ("cement-augmentation", CPT, "22512", "C1-S1"),
        ("cement-augmentation", CPT, "22513", "T1-T12"),
        ("cement-augmentation", CPT, "22514", "L1-L5"),
        ("cement-augmentation", CPT, "22515", "T1-L5"),
        ("vertebral-level", SNOMED, "66794005", "L1"),
        ("vertebral-level", f"{BASE}/CodeSystem/level", "S1", "S1"),
        ("level", f"{BASE}/CodeSystem/level", "T12", "T12"),
    ],
)
def test_a_code_gives_the_levels_that_it_allows(value_set: str, system: str, code: str, levels: str | None) -> None:
    match = find(value_set, system, code)
    assert match is not None
    assert (str(match.levels) if match.levels else None) == levels


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://hl7.org/fhir/sid/icd-10", "M80.08"),  # WHO: another site, not the vertebra
        (None, "M80.08XA"),
        ("http://snomed.info/sct", "M80.08XA"),
        (ICD_10_CM, None),
        (ICD_10_CM, 8008),
        ([ICD_10_CM], "M80.08XA"),
    ],
)
def test_a_code_of_no_or_another_system_is_never_guessed(system: object, code: object) -> None:
    assert TERMS.match("vertebral-fracture-osteoporotic", [{"system": system, "code": code}]) is None


def test_icd_10_pcs_is_known_by_its_older_uri_and_reported_by_the_canonical_one() -> None:
    match = find("cement-augmentation", "http://hl7.org/fhir/sid/icd-10-pcs", "0pu43jz")
    assert match is not None
    assert match.system == ICD_10_PCS


def test_a_reposition_is_not_cement() -> None:
    assert find("cement-augmentation", ICD_10_PCS, "0PS43ZZ") is None
    assert find("fracture-reposition", ICD_10_PCS, "0PS43ZZ") is not None


def test_the_order_of_codings_changes_nothing_and_the_sharpest_level_wins() -> None:
    codings = [
        {"system": SNOMED, "code": "207938004"},
        {"system": ICD_10_CM, "code": "S22.000A"},
        {"system": ICD_10_CM, "code": "S22.080S"},
        {"system": ICD_10_CM, "code": "S22.080A"},
        {"display": "Wedge fracture"},
    ]
    matches = {TERMS.match("vertebral-fracture-traumatic", order) for order in itertools.permutations(codings)}
    assert matches == {
        Match("vertebral-fracture-traumatic", ICD_10_CM, "S22.080A", LevelRange.parse("T11-T12"), sequela=False)
    }


def test_the_first_value_set_that_matches_is_given() -> None:
    concept = {"coding": [{"system": SNOMED, "code": "42942008"}, {"system": ICD_10_CM, "code": "M80.08XA"}]}
    match = TERMS.matches_any(concept, "vertebral-fracture-osteoporotic", "vertebral-fracture-unstated")
    assert match is not None
    assert match.value_set == "vertebral-fracture-osteoporotic"


@pytest.mark.parametrize("concept", [None, {}, {"text": "Osteoporosis"}, {"coding": []}])
def test_a_concept_without_codings_matches_nothing(concept: dict[str, object] | None) -> None:
    assert TERMS.matches_any(concept, "osteoporosis") is None


def test_an_unknown_value_set_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(RuleBookError, match=r"no value set 'osteoporos'.*Did you mean 'osteoporosis'"):
        TERMS.match("osteoporos", [])


@given(st.sampled_from([row for row in ROWS if row.match == "exact"]), st.characters())
def test_one_character_more_or_less_is_another_code(row: CodeRow, more: str) -> None:
    known = {each.code for each in ROWS if each.value_set == row.value_set}
    for code in (row.code + more, row.code[:-1], more + row.code):
        found = find(row.value_set, row.system, code)
        assert found is None or code in known or row.system in (ICD_10_CM, ICD_10_PCS)


@pytest.mark.parametrize("tail", ["", "A", "XA", "S", "9", "XXXXA"])
def test_a_code_is_known_if_some_value_set_has_it(tail: str) -> None:
    for row in ROWS[::7]:
        coding = {"system": row.system, "code": row.code + tail}
        assert TERMS.knows(coding) is any(TERMS.match(each, [coding]) for each in TERMS.ids), coding
    assert not TERMS.knows({"code": "M80.08XA"})
    assert TERMS.systems() == {row.system for row in ROWS}


# --- the tables themselves


def test_the_hash_is_the_same_for_any_order_and_other_for_any_change() -> None:
    ids = sorted(TERMS.ids)
    assert Terminology(reversed(ids), reversed(ROWS)).sha256 == TERMS.sha256
    for field in ("levels", "display", "verified_by", "code"):
        changed = [ROWS[0]._replace(**{field: "T5"}), *ROWS[1:]]
        assert Terminology(ids, changed).sha256 != TERMS.sha256, field


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("codes.csv", "local-codes.yaml", "value-sets.yaml"):
        shutil.copy(PROFILES / file, tmp_path)
    return tmp_path


GOOD = f"osteoporosis,{ICD_10_CM},M81.9,exact,,x,someone"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"osteoporosis,{ICD_10_CM},M81.9,exact,,x,", "verifiedBy is empty"),
        (f"osteoporosis,{ICD_10_CM},M81.9,like,,x,someone", "match is not exact or stem"),
        (f"osteoporosis,{SNOMED},64859007,stem,,x,someone", "match is not exact"),
        (f"osteoporosis,{ICD_10_CM},M81.0,exact,,x,someone", "M81.0 stands twice"),
        (f"osteoporosis,{ICD_10_CM},m810,exact,,x,someone", "m810 stands twice"),
        (f"osteoporosis,{ICD_10_CM},M81.9,exact,,x, y,someone", "not seven columns"),
        (f"osteoporosys,{ICD_10_CM},M81.9,exact,,x,someone", "no value set 'osteoporosys'"),
        (f"osteoporosis,{ICD_10_CM},M81.9,exact,T13,x,someone", "T13"),
    ],
)
def test_a_bad_row_is_refused(folder: Path, line: str, says: str) -> None:
    with (folder / "codes.csv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(Exception, match=says):
        Terminology.load(folder)


def test_a_good_row_is_taken(folder: Path) -> None:
    with (folder / "codes.csv").open("a", encoding="utf-8") as file:
        file.write(GOOD + "\n")
    terms = Terminology.load(folder)
    assert terms.match("osteoporosis", [{"system": ICD_10_CM, "code": "M81.9"}]) is not None


@pytest.mark.parametrize(
    "concepts",
    [
        "  - {code: a, display: A}\n",
        "  - {code: a, display: A, definition: x, note: y}\n",
        "  - {code: a, display: A, definition: x}\n  - {code: a, display: B, definition: y}\n",
    ],
)
def test_a_local_concept_has_its_three_keys_and_a_code_of_its_own(folder: Path, concepts: str) -> None:
    file = folder / "local-codes.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("\ntask:\n", f"\ntask:\n{concepts}"), encoding="utf-8")
    with pytest.raises(RuleBookError, match="a concept of task"):
        Terminology.load(folder)


def test_a_new_local_code_is_a_change_of_data_only(folder: Path) -> None:
    file = folder / "local-codes.yaml"
    text = file.read_text(encoding="utf-8").replace("\ntask:\n", "\ntask:\n  - {code: a, display: A, definition: x}\n")
    file.write_text(text, encoding="utf-8")
    match = Terminology.load(folder).match("task", [{"system": local_system("task"), "code": "a"}])
    assert match is not None
