"""Releases: what is frozen never changes, reads back under its hash, and decides as it did."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway import releases
from pathway.canonical import canonical, parse, sha256
from pathway.decide import decide
from pathway.effective import Period
from pathway.errors import NotFoundError, RuleBookError
from pathway.rulebook import RuleBook, RuleSet, from_document, load
from pathway.strata import Machine
from tests.rules.book import BOOK, CANDIDACY, RULES, copy, edit
from tests.rules.people import Person

HEADER = "candidacy/ruleset.yaml"
FROZEN = "releases/candidacy-0.1.0.json"


def rule_set(version: str = "0.1.0", pain_min: Decimal | int = 5, **header: Any) -> RuleSet:
    """The candidacy rules under another version, with another threshold of pain, or with another header."""
    document = parse(canonical(CANDIDACY.document))
    document["ruleset"] |= {"version": version, **header}
    (rule,) = (rule for rule in document["rules"] if rule["id"] == "shared.severe-spinal-pain")
    rule["parameters"]["pain-min"]["value"] = pain_min
    return from_document(document)


def verify(root: Path, working: RuleSet) -> releases.Verified:
    return releases.verify(root, RuleBook({working.id: working}, BOOK.vocabulary))


def faults(root: Path, working: RuleSet) -> list[str]:
    return [fault.sentence() for fault in verify(root, working).faults]


def test_a_release_is_named_by_id_and_version_and_is_canonical() -> None:
    name, body = releases.freeze(rule_set())
    assert name == "candidacy-0.1.0.json"
    assert canonical(parse(body)) == body


@pytest.mark.parametrize("id_", list(BOOK.sets))
def test_a_release_holds_all_that_a_decision_depends_on(id_: str) -> None:
    document = parse(releases.freeze(BOOK.sets[id_])[1])
    assert {rule["id"] for rule in document["rules"]} == {rule.id for rule in BOOK.sets[id_].rules()}
    assert set(document["vocabulary"]["data"]) == set(BOOK.vocabulary.data)
    assert document["ruleset"]["id"] == id_
    assert from_document(document).sha256 == BOOK.sets[id_].sha256


def test_storing_writes_the_release_and_the_lock(tmp_path: Path) -> None:
    path = releases.store(tmp_path, rule_set())
    assert path == tmp_path / FROZEN
    assert path.read_bytes() == rule_set().body
    assert json.loads((tmp_path / "lock.json").read_text()) == {"candidacy": {"0.1.0": sha256(path.read_bytes())}}


def test_storing_again_changes_nothing(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set())
    before = (tmp_path / FROZEN).read_bytes(), (tmp_path / "lock.json").read_bytes()
    releases.store(tmp_path, rule_set())
    assert ((tmp_path / FROZEN).read_bytes(), (tmp_path / "lock.json").read_bytes()) == before


@pytest.mark.parametrize("pain_min", [5, Decimal("5.5"), Decimal("4.05"), Decimal("5.0"), Decimal("0.10")], ids=str)
def test_a_release_reads_back_under_its_hash_and_decides_the_same(tmp_path: Path, pain_min: Decimal | int) -> None:
    original = rule_set(pain_min=pain_min)
    releases.store(tmp_path, original)
    again = releases.read(tmp_path, "candidacy", "0.1.0")
    (pain,) = (rule for rule in again.criteria if rule.id == "shared.severe-spinal-pain")
    assert (again.sha256, again.body) == (original.sha256, original.body)
    assert str(pain.parameters["pain-min"].value) == str(pain_min)
    case = Person({}, {"L1": {}, "T12": {}}, {"L1": {}}).case()
    assert decide(case, [Machine(again)]).to_bytes() == decide(case, [Machine(original)]).to_bytes()


def test_the_plain_number_and_the_decimal_are_two_contents() -> None:
    assert rule_set(pain_min=5).sha256 != rule_set(pain_min=Decimal("5.0")).sha256


def test_other_content_under_a_frozen_version_is_refused(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set())
    message = (
        f"{HEADER}: its content differs from the frozen candidacy|0.1.0 (a release never changes). Bump the version"
    )
    with pytest.raises(RuleBookError) as caught:
        releases.store(tmp_path, rule_set(pain_min=6))
    assert caught.value.sentence() == message
    assert faults(tmp_path, rule_set(pain_min=6)) == [message]
    assert (tmp_path / FROZEN).read_bytes() == rule_set().body


def test_a_change_of_the_vocabulary_is_a_change_of_the_rule_set(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set())
    document = parse(rule_set().body)
    document["vocabulary"]["asks"]["record-pain"] += " again"
    assert len(faults(tmp_path, from_document(document))) == 1


def test_a_higher_version_may_differ_and_is_said_to_be_ahead(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set())
    later = rule_set("0.1.1", pain_min=6)
    assert verify(tmp_path, later) == releases.Verified((), ("candidacy|0.1.1",))
    releases.store(tmp_path, later)
    assert verify(tmp_path, later) == releases.Verified((), ())
    assert releases.read(tmp_path, "candidacy", "0.1.0").sha256 == rule_set().sha256
    assert releases.read(tmp_path, "candidacy", "0.1.1").sha256 == later.sha256


def test_a_lower_version_is_refused(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set("0.10.0"))
    message = f"{HEADER}: version 0.9.0 is below the frozen 0.10.0. Bump the version"
    with pytest.raises(RuleBookError, match=r"below the frozen 0\.10\.0"):
        releases.store(tmp_path, rule_set("0.9.0"))
    assert faults(tmp_path, rule_set("0.9.0")) == [message]


def test_the_lock_is_in_order_of_id_and_of_number(tmp_path: Path) -> None:
    for one in (rule_set("0.9.0"), rule_set("0.10.0"), BOOK.sets["after-cement"]):
        releases.store(tmp_path, one)
    text = (tmp_path / "lock.json").read_text()
    assert list(json.loads(text)) == ["after-cement", "candidacy"]
    assert list(json.loads(text)["candidacy"]) == ["0.9.0", "0.10.0"]
    assert text.endswith("}\n")


@pytest.mark.parametrize("version", ["1.0", "1.0.0-beta", "v1.0.0", "01.0.0", "1.0.0\n", "1.0.0/../x", "1\u0661.0.0"])
def test_a_version_is_three_plain_numbers(version: str) -> None:
    with pytest.raises(RuleBookError, match="is not like"):
        releases.freeze(rule_set(version))


@pytest.mark.parametrize("id_", ["../candidacy", "Candidacy", "", "a/b", "a\n"])
def test_an_id_cannot_lead_out_of_the_folder(id_: str) -> None:
    with pytest.raises(RuleBookError, match="lower-case words"):
        releases.freeze(rule_set(id=id_))


def test_what_would_not_read_back_the_same_is_not_released() -> None:
    """A mapping with the one key `decimal` is how a Decimal is written: plain data must not look like it."""
    with pytest.raises(RuleBookError, match="would not read back the same"):
        releases.freeze(rule_set(sources={"decimal": "5e1"}))


def test_one_changed_byte_in_a_release_is_noticed(tmp_path: Path) -> None:
    path = releases.store(tmp_path, rule_set())
    path.write_bytes(path.read_bytes().replace(b"Adult", b"adult", 1))
    assert faults(tmp_path, rule_set()) == [f"{FROZEN}: a frozen release has changed. Restore it from version control"]
    with pytest.raises(RuleBookError, match="has changed"):
        releases.read(tmp_path, "candidacy", "0.1.0")


def test_a_missing_release_is_noticed(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set()).unlink()
    assert faults(tmp_path, rule_set()) == [f"{FROZEN}: a frozen release is missing. Restore it from version control"]
    with pytest.raises(RuleBookError, match="is missing"):
        releases.read(tmp_path, "candidacy", "0.1.0")


def test_a_release_that_the_lock_does_not_know_is_noticed(tmp_path: Path) -> None:
    releases.store(tmp_path, rule_set())
    (tmp_path / "lock.json").write_text("{}")
    (fault,) = faults(tmp_path, rule_set())
    assert fault.startswith(f"{FROZEN}: the lock does not know this release")


def test_a_file_that_holds_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / FROZEN).write_bytes(b"{}")
    with pytest.raises(RuleBookError, match="holds something else"):
        releases.store(tmp_path, rule_set())
    assert (tmp_path / FROZEN).read_bytes() == b"{}"


def test_a_release_that_never_was(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no release candidacy\|9\.9\.9"):
        releases.read(tmp_path, "candidacy", "9.9.9")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "<<<<<<<", '{"candidacy": 1}', '{"candidacy": {"0.1.0": "no hash"}}', '{"candidacy": {"0.1.0": 1}}'],
)
def test_a_lock_that_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(RuleBookError, match=r"lock\.json: not a lock of id, version and sha256"):
        verify(tmp_path, rule_set())


DAY = date(2026, 11, 22)
PERIODS = st.tuples(st.integers(0, 20), st.none() | st.integers(0, 20)).map(
    lambda ends: Period(DAY + timedelta(ends[0]), None if ends[1] is None else DAY + timedelta(ends[0] + ends[1]))
)
STATUS = st.sampled_from(["draft", "active", "retired"])
SHELVES = st.lists(st.tuples(PERIODS, STATUS), max_size=5)


def shelved(rows: list[tuple[Period, str]]) -> list[releases.Release]:
    """Versions 0.1.0, 0.2.0 and so on, highest first."""
    made = [
        releases.Release("candidacy", f"0.{n}.0", f"{n:064x}", "clinical", "Candidacy", status, period)
        for n, (period, status) in enumerate(rows, start=1)
    ]
    return made[::-1]


@given(rows=SHELVES, day=st.integers(-5, 45))
def test_in_force_is_the_highest_version_whose_days_hold_and_never_a_retired_one(
    rows: list[tuple[Period, str]], day: int
) -> None:
    on = DAY + timedelta(day)
    holding = [one for one in shelved(rows) if one.period.holds(on)]
    found = releases.holding(shelved(rows), on)
    assert found == (holding[0] if holding and holding[0].status != "retired" else None)


@given(rows=SHELVES, further=st.tuples(PERIODS, STATUS), day=st.integers(-5, 45))
def test_a_further_release_never_brings_back_an_older_one(
    rows: list[tuple[Period, str]], further: tuple[Period, str], day: int
) -> None:
    on = DAY + timedelta(day)
    before, after = (releases.holding(shelved(one), on) for one in (rows, [*rows, further]))
    assert after in (before, shelved([*rows, further])[0], None)
    assert after is not None or before is None or further[1] == "retired"


def test_which_release_is_in_force_changes_with_the_day(tmp_path: Path) -> None:
    for version, effective in (
        ("0.1.0", {"from": "2026-11-22"}),
        ("0.2.0", {"from": "2026-12-01", "to": "2026-12-31"}),
        ("0.10.0", {"from": "2027-02-01"}),
    ):
        releases.store(tmp_path, rule_set(version, effective=effective))
    found = {
        day: getattr(releases.in_force(tmp_path, "candidacy", date.fromisoformat(day)), "version", None)
        for day in ("2026-11-21", "2026-11-22", "2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01", "2027-02-01")
    }
    assert list(found.values()) == [None, "0.1.0", "0.1.0", "0.2.0", "0.2.0", "0.1.0", "0.10.0"]
    assert [one.version for one in releases.shelf(tmp_path)["candidacy"]] == ["0.10.0", "0.2.0", "0.1.0"]


@pytest.mark.parametrize(
    "effective",
    ["soon", {}, {"from": "soon"}, {"from": "2026-02-30"}, {"from": "2026-11-22", "till": "2026-12-01"},
     {"from": "2026-11-22", "to": "2026-11-21"}, {"from": "22.11.2026"}],
    ids=str,
)  # fmt: skip
def test_an_effective_period_that_is_none_is_refused(effective: Any) -> None:
    with pytest.raises(RuleBookError, match=r"candidacy/ruleset\.yaml: .*Write \{from: 2026-11-22\}"):
        rule_set(effective=effective)


def test_what_is_not_frozen_yet_is_named(tmp_path: Path) -> None:
    root = copy(tmp_path)
    releases.store(root, rule_set("7.0.0"))
    edit(root, HEADER, f"version: {CANDIDACY.version}", "version: 7.0.0")
    before = releases.unfrozen(root)
    edit(root, HEADER, "version: 7.0.0", "version: 7.0.1")
    assert releases.unfrozen(root) == {**before, "candidacy": "7.0.1"}


def test_without_a_lock_nothing_is_frozen(tmp_path: Path) -> None:
    root = copy(tmp_path)
    (root / "lock.json").unlink(missing_ok=True)
    for path in root.glob("releases/*.json"):
        path.unlink()
    found = releases.verify(root)
    assert found == releases.Verified((), tuple(one.release for one in load(root).sets.values()))


def test_the_releases_that_we_ship_are_as_they_were_frozen() -> None:
    assert [fault.sentence() for fault in releases.verify(RULES).faults] == []
