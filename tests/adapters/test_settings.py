"""A setting that cannot be used is named, with what it is for, and its value is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli import main
from adapters.settings import from_environment
from pathway.errors import BadInputError

WRONG = [
    ("POLICIES", "candidacy", "not a list in JSON"),
    ("POLICIES", "3", "not a list in JSON"),
    ("FHIR_SERVERS", '"https://ehr.example"', "not a list in JSON"),
    ("TIME_ZONE", "Mars/Base", "Europe/Berlin"),
    ("LOG_LEVEL", "loud", "'info'"),
    ("RULES_FROM", "thin-air", "'releases' or 'working'"),
    ("RULES", "/nowhere", "no folder with a vocabulary"),
    ("HOOK_BUDGET_SECONDS", "0", "greater than 0"),
    ("MAX_BODY_BYTES", "-1", "greater than 0"),
    ("PUBLIC_URL", "pathway.clinic.example", "not an address such as https://"),
    ("PUBLIC_URL", "https://[", "IPv6"),
    ("SOURCE", "a|b", "without |"),
]


@pytest.mark.parametrize(("name", "value", "why"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_what_cannot_be_used_is_named_with_its_reason(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PATHWAY_{name}", value)
    result = CliRunner().invoke(main, ["rules", "list"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: PATHWAY_{name}: this setting cannot be used (")
    assert why in result.stderr


def test_a_wrong_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_PUBLIC_URL", "ftp://somebody:whisper@clinic.example")
    with pytest.raises(BadInputError) as fault:
        from_environment()
    assert "whisper" not in str(fault.value)


@pytest.mark.parametrize(("slip", "meant"), [("SITE_RULE", "SITE_RULES"), ("DATABSE_URL", "DATABASE_URL")])
def test_a_misspelt_name_stops_instead_of_leaving_a_default_in_force(
    slip: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PATHWAY_{slip}", "x")
    with pytest.raises(BadInputError, match=f"PATHWAY_{slip}: no setting has this name. Write PATHWAY_{meant},"):
        from_environment()


def test_what_orchestrators_and_tests_set_is_not_taken_for_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "SERVICE_HOST", "PORT_8000_TCP", "REQUIRE_SERVICES", "TEST_POSTGRES", "SOAK", "SHOTS"):
        monkeypatch.setenv(f"PATHWAY_{name}", "x")
    from_environment()


def test_a_list_and_a_folder_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vocabulary").mkdir()
    monkeypatch.setenv("PATHWAY_POLICIES", '["candidacy"]')
    monkeypatch.setenv("PATHWAY_RULES", str(tmp_path))
    assert from_environment().policies == ("candidacy",)
    assert from_environment().rules == tmp_path
