"""`pathway codes unmapped` reads either database, and tells nothing of a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House, open_house
from adapters.cli import main
from adapters.settings import ROOT, Settings
from tests.adapters.ingesting import deliver, replace_id
from tests.world import FixedClock, person

pytestmark = pytest.mark.e2e


@pytest.fixture
def house(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", url)
    house = open_house(Settings(database_url=url), FixedClock())
    bundle = json.loads(
        json.dumps(
            person(name="Quill").fracture("L1", 3, "OSTEO-VCF-ACUTE", "https://clinic.example/diagnoses").bundle()
        )
    )
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Condition":
            entry["resource"]["code"]["text"] = "of Mrs Quill"
            entry["resource"]["code"]["coding"][0]["display"] = "Fracture"
    for patient in ("p7", "p8"):
        deliver(house, replace_id(bundle, patient), patient)
    yield house
    house.close()


def run(*args: str) -> str:
    result = CliRunner().invoke(main, ["codes", *args])
    assert result.exit_code == 0, result.stderr
    assert not {"Quill", "p7", "p8"} & set(result.stdout.replace('"', " ").split())
    return result.stdout


@pytest.mark.usefixtures("house")
def test_the_codes_are_counted_over_all_charts_until_they_are_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("unmapped")
    assert told.startswith("1 codes that no value set knows, in 2 places of 2 charts")
    assert "https://clinic.example/diagnoses|OSTEO-VCF-ACUTE 'Fracture'" in told
    (row,) = json.loads(run("unmapped", "--json"))["codes"]
    assert (row["element"], row["patients"], row["resources"]) == ("Condition.code", 2, 2)
    monkeypatch.setenv("PATHWAY_SITE_CODES", str(ROOT / "docs" / "site-codes.example.json"))
    assert run("unmapped").startswith("0 codes")
    assert "codes mapped (1 to a wider one), 1 that match nothing" in run("check")
