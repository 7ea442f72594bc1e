"""`pathway rules test` and `pathway rules docs` as a person meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.settings import ROOT

pytestmark = pytest.mark.e2e


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, ["rules", *map(str, args)])
    assert "Traceback" not in result.output + result.stderr
    return result


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Osteoporosis care alone, with all that it reads: a small book to break."""
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules" / "bone-health", folder / "bone-health")
    shutil.copytree(ROOT / "rules" / "vocabulary", folder / "vocabulary")
    (folder / "shared").mkdir()
    for path in (ROOT / "rules" / "shared").glob("alive.*"):
        shutil.copy(path, folder / "shared")
    (folder / "kept-data.yaml").write_text(_kept(folder), encoding="utf-8")
    monkeypatch.setenv("PATHWAY_RULES", str(folder))
    return folder


def _kept(folder: Path) -> str:
    """A reason for every datum that this small book does not read."""
    from pathway import casecoverage, casefiles
    from pathway.rulebook import load

    book = load(folder)
    found = casecoverage.cover(book, casefiles.read(folder, book), [], {})
    return "".join(f"{one.id}: read by other rule sets\n" for one in found.data if not one.used)


def test_the_shipped_cases_pass_and_nothing_is_lacking() -> None:
    result = run("test")
    assert result.exit_code == 0, result.stderr
    assert "0 failed" in result.stdout
    assert result.stdout.splitlines()[-1] == "nothing is lacking"
    (book,) = (line.split() for line in result.stdout.splitlines() if line.startswith("the book"))
    assert all(seen == must for seen, _, must in (cell.partition("/") for cell in book[4:]) if must)


def test_what_is_lacking_is_named_and_is_an_error(rules: Path) -> None:
    assert run("test").exit_code == 0
    path = rules / "bone-health" / "osteoporosis-referral.cases.yaml"
    path.write_text(path.read_text().replace("expect: closed", "expect: open"), encoding="utf-8")
    result = run("test")
    assert result.exit_code == 1
    assert "never seen closed. Add a case that shows it" in result.stderr
    assert "expected 'open', found 'closed'" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("lacking: ")


def test_the_report_for_machines_says_the_same(rules: Path) -> None:
    report = json.loads(run("test", "--json").stdout)
    assert (report["failed"], report["lacking"]) == ([], [])
    assert report["rules"]["bone-health.osteoporosis-referral"]["seen"] == ["closed", "open", "silent"]
    assert report["data"]["deceased"]["readBy"] == ["shared.alive"]
    (rules / "kept-data.yaml").write_text("age: nobody asks it\n", encoding="utf-8")
    result = run("test", "--json")
    assert result.exit_code == 1
    assert "no rule reads" in json.loads(result.stdout)["lacking"][0]["what"]


def test_the_pages_are_written_once_and_checked(rules: Path, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    assert run("docs", pages, "--check").exit_code == 1
    assert not pages.exists()
    assert run("docs", pages).stdout.count("  written\n") == 2
    assert run("docs", pages).stdout.count("as the rules are") == 2
    assert run("docs", pages, "--check").exit_code == 0
    rule = rules / "shared" / "alive.yaml"
    rule.write_text(rule.read_text().replace("title: ", "title: Now ", 1), encoding="utf-8")
    assert "rule-index.md  is old" in run("docs", pages, "--check").stdout
