"""The pages for people, held to the program: settings, commands, targets, links, the lists of records and rule sets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from adapters.bootstrap import open_house
from adapters.cli import main
from adapters.http.app import create_app
from adapters.settings import PREFIX, ROOT, Settings
from tests.world import FixedClock

PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS["README.md"]
SETTINGS = TEXTS["docs/settings.md"]


def shown(default: Any) -> str:
    if isinstance(default, SecretStr) or default in ("", None):
        return "none"
    text = json.dumps(default) if isinstance(default, tuple) else str(default)
    return f"`{text.replace(f'{ROOT}/', '')}`"


def row(name: str, field: FieldInfo) -> str:
    return f"| `{PREFIX}{name.upper()}` | {shown(field.default)} | {field.description} |"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_with_its_default_and_meaning(name: str) -> None:
    assert row(name, Settings.model_fields[name]) in SETTINGS.splitlines()


def test_no_setting_is_listed_that_is_not_there() -> None:
    assert len(re.findall(rf"^\| `{PREFIX}", SETTINGS, re.MULTILINE)) == len(Settings.model_fields)


def commands(group: click.Group, above: str = "pathway") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


COMMANDS = dict(commands(main))


def named(line: str) -> Iterator[str]:
    """The commands in the first cell of a row: the first in full, the others by the word in which they differ."""
    codes = re.findall(r"`([^`]+)`", line.split("|")[1])
    first, *others = ([word for word in code.split() if word.islower()] for code in codes)
    yield from (" ".join((*first[:-1], one[-1])) for one in (first, *others))


def test_the_readme_names_every_command_and_no_other() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `pathway ")]
    assert sorted(one for line in rows for one in named(line)) == sorted(COMMANDS)


@pytest.mark.parametrize("page", TEXTS)
def test_a_command_or_option_that_a_page_names_exists(page: str) -> None:
    for said in re.findall(r"(?<![/\w-])pathway ((?:[a-z-]+ )?[a-z-]+)((?: [^`\n#|(]*)?)", code(TEXTS[page])):
        words, rest = said
        name = next((f"pathway {one}" for one in (words, words.split()[0]) if f"pathway {one}" in COMMANDS), None)
        assert name or f"pathway {words.split()[0]}" in {one.rsplit(" ", 1)[0] for one in COMMANDS}, said
        if name:
            known = {option for one in COMMANDS[name].params for option in one.opts} | {"--help"}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, said


@pytest.mark.parametrize("page", TEXTS)
def test_a_target_that_a_page_names_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^|&& )make ([a-z-]+)", code(TEXTS[page]), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", TEXTS)
def test_a_link_leads_to_a_file(page: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[page]):
        assert (ROOT / page).parent.joinpath(link).exists(), link


def test_every_decision_record_is_listed() -> None:
    records = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    assert set(re.findall(r"\]\((\d{4}-[^)]+)\)", TEXTS["docs/adr/README.md"])) == records


@pytest.mark.parametrize("release", sorted((ROOT / "rules/releases").glob("*.json")), ids=lambda path: Path(path).stem)
def test_the_changelog_names_every_release_and_its_first_day(release: Path) -> None:
    frozen = json.loads(release.read_bytes())["ruleset"]
    short = frozen["id"].removeprefix("coverage-cms-lcd")
    lines = [line for line in TEXTS["CHANGELOG.md"].splitlines() if line.startswith("| ")]
    assert any(short in line and f"| {frozen['version']} | {frozen['effective']['from']} |" in line for line in lines)


def test_the_first_record_opens_a_task_for_its_patient(tmp_path: Path) -> None:
    house = open_house(Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'docs.sqlite3'}"), FixedClock())
    try:
        client = create_app(house).test_client()
        body = (ROOT / "docs/first-record.json").read_bytes()
        sent = client.post("/fhir", data=body, content_type="application/fhir+json")
        assert {entry["response"]["status"] for entry in sent.get_json()["entry"]} == {"201 Created"}
        found = client.get("/fhir/Task?patient=first").get_json()
        assert {entry["resource"]["for"]["reference"] for entry in found["entry"]} == {"Patient/first"}
    finally:
        house.close()


def code(text: str) -> str:
    """What a page shows as code: blocks and words in backticks, one a line."""
    fence = re.compile(r"```(?:sh|console)?\n(.*?)```", re.DOTALL)
    return "\n".join((*fence.findall(text), *re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", fence.sub("", text))))
