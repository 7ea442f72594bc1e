"""The command line as a user meets it: output, messages, exit codes; never a traceback."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.demo.patients import demo_patients
from adapters.demo.record import Record
from tests.world import NOW, candidate, person

pytestmark = pytest.mark.e2e  # commands as a person gives them, on the whole rule book


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'cli.sqlite3'}")


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert "Traceback" not in result.output + result.stderr
    return result


def save(folder: Path, record: Record, name: str = "") -> Path:
    path = folder / f"{name or record.id}.json"
    path.write_text(json.dumps(record.bundle()))
    return path


def _copied_rules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rules = folder / "rules"
    shutil.copytree(Path(__file__).parents[3] / "rules", rules)
    monkeypatch.setenv("PATHWAY_RULES", str(rules))
    return rules


AS_OF = ("--as-of", "2026-11-22T12:00:00Z")


def test_assess_prints_verdict_reasons_and_next_steps(tmp_path: Path) -> None:
    result = run("assess", save(tmp_path, candidate()), *AS_OF)
    assert result.exit_code == 0
    for words in ("L1", "candidate", "Fresh: marrow oedema at L1", "next", "operator", "not approved for clinical use"):
        assert words in result.stdout


def test_assess_says_what_is_missing_and_that_it_matters(tmp_path: Path) -> None:
    result = run("assess", save(tmp_path, person().fracture("L1", 3)), *AS_OF)
    assert "missing, could change the verdict: Show whether it is fresh" in result.stdout


def test_assess_says_when_what_is_unknown_cannot_matter(tmp_path: Path) -> None:
    record = person().fracture("L1", 30).tender("L1", True, 2).oedema("L1", False, 1).pain(7, 1)
    result = run("assess", save(tmp_path, record), *AS_OF)
    assert "cannot change the verdict" in result.stdout


def test_assess_json_has_the_whole_decision(tmp_path: Path) -> None:
    body = json.loads(run("assess", save(tmp_path, candidate()), *AS_OF, "--json").stdout)
    assert {"asOf", "releases", "levels", "obligations", "setAside", "inputSha256"} <= set(body)
    level = next(row for row in body["levels"] if row["policy"] == body["acting"])
    assert {"level", "policy", "outcome", "criteria", "missing", "notAssessed"} <= set(level)
    assert all(set(c) == {"id", "verdict", "message"} for c in level["criteria"])  # comparisons: on demand


def test_assess_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = save(tmp_path, candidate())
    assert run("assess", path, *AS_OF, "--json").stdout == run("assess", path, *AS_OF, "--json").stdout


def test_one_policy_alone(tmp_path: Path) -> None:
    body = json.loads(run("assess", save(tmp_path, candidate()), *AS_OF, "--json", "--policy", "candidacy").stdout)
    assert [r["id"] for r in body["releases"]] == ["candidacy"]


def test_an_unknown_policy_is_refused_and_the_known_ones_named(tmp_path: Path) -> None:
    result = run("assess", save(tmp_path, candidate()), "--policy", "candidasy")
    assert result.exit_code == 2
    assert "candidacy" in result.stderr


def test_many_files_give_a_line_each_and_a_refused_one_does_not_stop_the_others(tmp_path: Path) -> None:
    paths = [save(tmp_path, record) for record in demo_patients(NOW)]
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    result = run("assess", *paths, bad, *AS_OF)
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == len(paths)
    assert "bad.json" in result.stderr
    assert "1 of 19 files refused" in result.stderr


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-22T12:00:00", ""])
def test_what_is_no_instant_is_refused_with_a_fix(tmp_path: Path, text: str) -> None:
    path = save(tmp_path, candidate())
    result = run("assess", path, f"--as-of={text}")
    if text:
        assert result.exit_code == 2
        assert "2026-11-22T08:00:00Z" in result.stderr
    else:
        assert result.exit_code == 0


def test_ndjson_of_two_patients(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.write_text("\n".join(json.dumps(r) for p in ("a", "b") for r in person(p).fracture("L1", 3).resources))
    result = run("assess", path, *AS_OF)
    assert "file|a" in result.stdout
    assert "file|b" in result.stdout


def test_two_patients_in_a_bundle_end_with_exit_code_two(tmp_path: Path) -> None:
    bundle = person("a").bundle()
    bundle["entry"] += person("b").bundle()["entry"]
    path = tmp_path / "two.json"
    path.write_text(json.dumps(bundle))
    result = run("assess", path)
    assert result.exit_code == 2
    assert "Send one Bundle for each patient" in result.stderr


def test_the_demo_loads_twice_and_its_decisions_replay() -> None:
    assert run("demo", "load").exit_code == 0
    assert "18 demo patients" in run("demo", "load").stdout


def test_replay_of_an_unknown_decision_is_refused() -> None:
    result = run("replay", "no-such-decision")
    assert result.exit_code == 2
    assert "no decision has this id" in result.stderr


def test_a_rule_file_with_a_typo_names_file_line_and_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _copied_rules(tmp_path, monkeypatch) / "shared" / "adult.yaml"
    path.write_text(path.read_text().replace("scope: patient", "scoop: patient"))
    result = run("assess", save(tmp_path, candidate()))
    assert result.exit_code == 2
    assert "shared/adult.yaml:4" in result.stderr
    assert "scoop" in result.stderr
    assert "Known keys" in result.stderr


def test_the_rule_book_is_sound_and_its_cases_pass() -> None:
    assert "The rule book is sound" in run("rules", "check").stdout
    assert " 0 failed" in run("rules", "test").stdout


def test_a_rule_is_shown_in_words_with_its_sources() -> None:
    shown = run("rules", "show", "shared.fresh-fracture").stdout
    assert "NICE TA279" in shown
    assert "imaging-max-age: 30 d" in shown
    assert run("rules", "show", "shared.fresh").exit_code == 2


def test_a_changed_threshold_fails_its_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _copied_rules(tmp_path, monkeypatch) / "candidacy" / "care-given-its-time.yaml"
    path.write_text(path.read_text().replace("value: 21", "value: 20"))
    result = run("rules", "test")
    assert result.exit_code == 1
    assert "care-given-its-time" in result.stderr
    assert run("rules", "check").exit_code == 1


def test_a_task_code_that_no_code_system_defines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _copied_rules(tmp_path, monkeypatch) / "candidacy" / "re-evaluate.yaml"
    path.write_text(path.read_text().replace("task: re-evaluate", "task: look-again"))
    result = run("rules", "check")
    assert result.exit_code == 1
    assert "'look-again' is no code" in result.stderr


def test_a_release_is_frozen_once_and_never_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = _copied_rules(tmp_path, monkeypatch)
    for old in (rules / "releases").glob("*.json"):
        old.unlink()
    (rules / "lock.json").unlink(missing_ok=True)
    assert run("rules", "release", "--all").exit_code == 0
    assert run("rules", "release", "--all").exit_code == 0
    path = rules / "shared" / "adult.yaml"
    path.write_text(path.read_text().replace('"Adult: ', '"Grown up: '))
    cases = rules / "shared" / "adult.cases.yaml"
    cases.write_text(cases.read_text().replace('"Adult: ', '"Grown up: '))
    result = run("rules", "release", "--all")
    assert result.exit_code == 2
    assert "version" in result.stderr


def test_the_releases_are_listed_with_what_is_in_force_today_and_what_is_not_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = _copied_rules(tmp_path, monkeypatch)
    header = rules / "candidacy" / "ruleset.yaml"
    header.write_text(re.sub("version: .*", "version: 8.0.0", header.read_text()))
    listed = run("rules", "list").stdout
    assert re.search(r"^candidacy\n  8\.0\.0 +not frozen yet\n", listed, re.MULTILINE)
    assert re.search(r"  0\.1\.0 +draft +from 2026-11-22 +sha256 2c296dafa23c", listed)
    assert listed.count("in force on ") >= 3


def test_what_decides_on_a_day_and_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_POLICIES", '["candidacy", "after-cement"]')
    held = run("rules", "in-force", "--on", "2026-11-22")
    assert held.exit_code == 0
    assert [line.split("|")[0] for line in held.stdout.splitlines()] == ["candidacy", "after-cement"]
    before = run("rules", "in-force", "--on", "2026-11-21")
    assert before.exit_code == 1
    assert "candidacy does not decide: no release of candidacy is in force on 2026-11-21" in _plain(before.stdout)
    assert "Frozen: " in before.stderr
    assert run("rules", "in-force", "--on", "soon").exit_code == 2


def test_a_release_is_frozen_by_name_and_all_of_them_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = _copied_rules(tmp_path, monkeypatch)
    for path in rules.glob("*/*"):  # every case of every rule runs before a release: here those of one small rule set
        if path.parent.name not in ("bone-health", "vocabulary") and not path.name.startswith("alive."):
            path.unlink()
    (rules / "lock.json").unlink()
    assert run("rules", "release").exit_code == 2
    assert run("rules", "release", "bone-health", "--all").exit_code == 2
    assert run("rules", "release", "bone-health").exit_code == 0
    assert list(json.loads((rules / "lock.json").read_text())) == ["bone-health"]


def test_a_sites_number_is_shown_beside_the_rules_own_and_a_wrong_one_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = tmp_path / "site.yaml"
    text = (
        "site: example\nstatus: draft\nparameters:\n  - {rule-set: candidacy, rule: shared.severe-spinal-pain,"
        " parameter: pain-min, value: 6, unit: '{score}', set-on: 2026-12-01, by: [A. Person], reason: ours}\n"
    )
    layer.write_text(text)
    monkeypatch.setenv("PATHWAY_SITE_RULES", str(layer))
    shown = run("rules", "show", "shared.severe-spinal-pain").stdout
    assert "in candidacy: pain-min 5 -> 6 {score} (site, by A. Person, on 2026-12-01): ours" in shown
    assert "with the site layer" in run("rules", "in-force").stdout
    layer.write_text(text.replace("'{score}'", "d"))
    wrong = run("rules", "in-force")
    assert wrong.exit_code == 1
    assert "site.yaml:4: pain-min is in '{score}', not in 'd'. Keep the unit" in wrong.stderr


def _plain(text: str) -> str:
    return " ".join(text.split())
