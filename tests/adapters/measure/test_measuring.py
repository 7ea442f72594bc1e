"""Measures over a store: what people ended, what was logged, the command, the job and the page that shows it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.demo.patients import demo_patients
from adapters.demo.record import Record
from adapters.fhir.validate import check_written
from adapters.jobs import progress, work
from adapters.measure import job as measuring
from adapters.measure.counting import counting
from adapters.measure.fhir_report import bundle
from adapters.measure.report import Head, csv_rows, ndjson, period, rate_words, text
from pathway.errors import NotFoundError
from pathway.measure_forms import measures_of
from pathway.measures import Standing, Tally, Window, tally
from pathway.people import Act, Person, Role, Said
from tests.adapters.http.desks import Desk
from tests.adapters.http.people import form_token
from tests.adapters.measure.charts import ALENDRONATE, DXA
from tests.world import NOW, FixedClock, book, ingest, make_house

pytestmark = pytest.mark.e2e
CLARA = Person("clara", Role.CLINICIAN, "Clara")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), rules_from="working")
    yield made
    made.close()


def window(house: House, **days: Any) -> Window:
    return Window(house.clock.now(), UTC, **days)


def found(house: House, measure: str) -> dict[str, str]:
    """Where each patient stands in a measure."""
    with house.store.read() as ledger:
        everybody = ledger.patients()
    with counting(house, window(house), measure) as counter:
        return {line.patient.partition("|")[2]: line.standing.value for line in counter.lines(everybody)}


def numbers(tallies: tuple[Tally, ...]) -> dict[tuple[str, str], int]:
    return {(one.measure.id, standing.value): one[standing] for one in tallies for standing in Standing}


def cemented(id: str, days: float = 40) -> Record:
    return Record(id, NOW).fracture("L1", days + 20).cement("L1", days)


def end(house: House, patient: str, outcome: str, words: str = "") -> None:
    """Clara ends the task for treatment."""
    with house.store.read() as ledger:
        (task,) = [one for one in ledger.tasks(f"local|{patient}") if one.code == "start-bone-treatment"]
    act = Act.COMPLETE if outcome else Act.DECLINE
    house.service.desk.act(task.id, act, CLARA, task.version, Said(words, outcome=outcome))


def test_how_a_person_ended_the_task_is_the_documented_reason(house: House) -> None:
    ends = {"declined": "declined-by-patient", "unneeded": "not-needed", "did": "done", "refused": ""}
    for id, outcome in ends.items():
        ingest(house, cemented(id))
        end(house, id, outcome, "on haemodialysis, decided with the nephrologist")
    ingest(house, cemented("open"))
    assert found(house, "bone-care-90") == {
        "declined": "numerator", "unneeded": "numerator", "did": "running", "refused": "running", "open": "running",
    }  # fmt: skip
    house.clock.forward(days=51)  # type: ignore[attr-defined]
    assert found(house, "bone-care-90")["did"] == "unknown", "no drug on record, and done is no reason"
    assert found(house, "bone-care-90")["declined"] == "numerator"


def hospice(house: House) -> str:
    return found(house, "osteoporosis-180")["w"]


def test_what_was_taken_back_is_neither_hospice_nor_a_reason(house: House) -> None:
    ingest(house, Record("w", NOW).fracture("L1", 300).cement("L1", 200))
    desk, key = house.service.desk, "local|w"
    assert (hospice(house), found(house, "bone-care-180")) == ("unknown", {"w": "unknown"})
    desk.end_care(key, "", "hospice", CLARA, "as the family said")
    assert hospice(house) == "excluded"
    house.clock.forward(minutes=1)  # type: ignore[attr-defined]
    before = house.clock.now()
    house.clock.forward(minutes=1)  # type: ignore[attr-defined]
    desk.resume_care(key, "", CLARA, "another patient was meant")
    assert hospice(house) == "unknown"
    with counting(house, Window(before, UTC), "osteoporosis-180") as counter:
        assert [line.standing for line in counter.of(key)] == [Standing.EXCLUDED], "as it was known then"
    house.clock.forward(minutes=1)  # type: ignore[attr-defined]
    desk.end_care(key, "", "hospice", CLARA, "now she is")
    desk.end_care(key, "", "died", CLARA, "at home")
    assert hospice(house) == "excluded"


def test_a_reason_that_was_taken_back_is_none(house: House) -> None:
    ingest(house, cemented("c"))
    desk = house.service.desk
    desk.end_care("local|c", "", "transferred", CLARA, "to the clinic in town")
    assert found(house, "bone-care-90") == {"c": "numerator"}
    house.clock.forward(minutes=2)  # type: ignore[attr-defined]
    desk.resume_care("local|c", "", CLARA, "she is back")
    assert found(house, "bone-care-90") == {"c": "running"}


def test_documents_are_those_of_the_last_decision_that_was_logged_before_cement(house: House) -> None:
    records = {one.id: one for one in demo_patients(NOW)}
    chosen = [records["demo-covered"], records["demo-documents-missing"]]
    for record in chosen:
        ingest(house, record)
    house.clock.forward(days=3)  # type: ignore[attr-defined]
    for record in chosen:
        record.now = house.clock.now()
        ingest(house, record.cement("L1", 1))
    ingest(house, cemented("came-late"))
    stands = found(house, "documents")
    assert stands == {
        "demo-covered": "numerator", "demo-documents-missing": "not", "came-late": "in-doubt",
    }  # fmt: skip


@pytest.fixture
def many(house: House) -> House:
    """Three women of the measure and a procedure: tested, treated too late, and nothing on record."""
    ingest(house, Record("tested", NOW).fracture("L1", 300).lab(DXA, -2.7, "{T-score}", 250))
    ingest(house, Record("late", NOW).fracture("L1", 300).medicine("Alendronate", 60, **ALENDRONATE))
    ingest(house, Record("silent", NOW).fracture("L1", 300))
    ingest(house, cemented("cemented", 300).leak_statement("L1", 299.9, leaks=["disc"]))
    return house


def test_page_file_and_command_give_the_same_numbers(many: House) -> None:
    with many.store.read() as ledger:
        everybody = ledger.patients()
    with counting(many, window(many)) as counter:
        lines = list(counter.lines(everybody))
        direct = numbers(tally(counter.measures, lines))
        assert numbers(tally(counter.measures, counter.lines(reversed(everybody)))) == direct
        head = Head.of(counter.window, counter.rule_sets, counter.not_computed)
        said = [json.loads(row) for row in ndjson(lines, counter.measures, head)]
        printed = "\n".join(text(tally(counter.measures, lines), head))
    assert {key: count for key, count in direct.items() if key[0] == "osteoporosis-180" and count} == {
        ("osteoporosis-180", "numerator"): 1, ("osteoporosis-180", "not"): 1, ("osteoporosis-180", "unknown"): 2,
    }  # fmt: skip
    desk = Desk(many, "auditor")
    assert "Nobody has counted yet" in desk.read("/measures").text
    job = measuring.begin(many, window(many), chunk=2)
    assert "Counting, 0 of 4 patients" in desk.read("/measures").text
    assert work(many, 10) == 2
    assert progress(many, job).ended
    kept = measuring.latest(many, measuring.SUM)
    assert kept is not None
    assert numbers(measuring.tallies(kept.body)) == direct
    page = desk.read("/measures").text
    assert "at least 25 %, at most 75 % (of fewer than 20: says little)" in page
    assert "As of 2026-11-22 12:00" in page
    assert "(draft, not approved for clinical use)" in page
    assert "not computed" in page
    rows = list(csv.DictReader(io.StringIO(desk.client.get("/measures.csv").get_data(as_text=True))))
    assert Counter((row["measure"], row["standing"]) for row in rows) == Counter(direct) - Counter()
    assert [row for row in said if "patient" in row] == [line.to_json() for line in lines]
    sums = {row["measure"]: row for row in said if "denominator" in row}
    assert (sums["osteoporosis-180"]["denominator"], sums["osteoporosis-180"]["few"]) == (4, True)
    assert "at least 25 %, at most 75 % (of fewer than 20: says little). 4 patients: 1 yes, 1 no, 2 unknown" in printed
    assert b"".join(csv_rows(lines)).decode().count("\n") == len(rows) + 1


def test_behind_each_number_stand_its_patients_with_episode_day_and_reason(many: House) -> None:
    measuring.begin(many, window(many))
    work(many, 10)
    desk = Desk(many, "coordinator")
    page = desk.read("/measures/osteoporosis-180?standing=not")
    assert "late Fracture L1, 2026-01-26 no First bone density or drug on day 240 after the fracture" in page.text
    assert "/patients/late" in page.html
    assert "/patients/tested" not in page.html
    assert "hips, wrists and all others are not" in page.text
    everybody = desk.read("/measures/osteoporosis-180").html
    assert all(f"/patients/{id}" in everybody for id in ("late", "tested", "silent", "cemented"))
    desk.read("/measures/nothing", 404)
    desk.read("/measures/osteoporosis-180?standing=in-doubt")


def test_counting_is_begun_on_the_page_once_and_done_by_the_workers(many: House) -> None:
    desk = Desk(many, "auditor")
    form = {"csrf_token": form_token(desk.client, "/measures")}
    for _ in range(2):
        assert desk.client.post("/measures", data=form).status_code == 303
    with many.store.jobs(write=False) as jobs:
        (job,) = jobs.jobs([measuring.KIND])
    work(many, 10)
    assert "Count again" in desk.read("/measures").text
    kept = measuring.latest(many, measuring.SUM)
    assert kept is not None
    assert kept.body["job"] == job.id


def test_measures_that_changed_meanwhile_are_not_mixed(many: House, monkeypatch: pytest.MonkeyPatch) -> None:
    job = measuring.begin(many, window(many))
    monkeypatch.setattr(measuring, "_rules", lambda _: ["measures|9.9.9|other"])
    work(many, 10)
    assert "the measures changed since this began" in progress(many, job).faults[0][1]
    assert "did not come to its end: the measures changed" in Desk(many, "auditor").read("/measures").text


def test_what_takes_longer_than_its_time_goes_on_as_a_part_of_its_own(many: House) -> None:
    job = measuring.begin(many, window(many))
    assert work(many, 1, lambda: False) == 1
    whole = [line.to_json() for line in measuring.lines(many, job)]
    other = measuring.begin(many, window(many))
    with many.store.jobs(write=True) as jobs:
        claimed = jobs.claim(many.clock.now(), timedelta(seconds=60), "t", other)
        assert claimed is not None
        done = measuring.run(many, *claimed, lambda: True)
        assert [piece[0] for piece in done.more] == [3]  # type: ignore[union-attr]
        jobs.finish(claimed[1], done.result, done.more, many.clock.now(), done.size)  # type: ignore[union-attr]
    work(many, 10)
    assert [line.to_json() for line in measuring.lines(many, other)] == whole


def test_each_measure_is_a_valid_measure_report(many: House) -> None:
    with many.store.read() as ledger, counting(many, window(many)) as counter:
        head = Head.of(counter.window, counter.rule_sets, counter.not_computed)
        made = bundle(tally(counter.measures, counter.lines(ledger.patients())), head)
    reports = {one["resource"]["measure"]: one["resource"] for one in made["entry"]}
    (report,) = [one for name, one in reports.items() if "/osteoporosis-180|" in name]
    check_written(report)
    population = {
        one["code"].get("text") or one["code"]["coding"][0]["code"]: one["count"]
        for one in report["group"][0]["population"]
    }
    assert population == {
        "initial-population": 4, "denominator": 4, "denominator-exclusion": 0, "numerator": 1, "Unknown": 2,
        "Still running": 0, "In doubt": 0,
    }  # fmt: skip
    assert str(report["group"][0]["measureScore"]["value"]) == "0.2500"
    assert "late" not in json.dumps(made, default=str)


def report_of(measure: str, counts: dict[Standing, int], days: Window | None = None) -> dict[str, Any]:
    (one,) = (one for one in measures_of(book().sets["measures"].document["ruleset"]) if one.id == measure)
    head = Head(days or Window(NOW, UTC), ("measures|0.1.0",), True, ())
    made = bundle([Tally(one, Counter(counts))], head)["entry"][0]["resource"]
    check_written(made)
    return made


def test_the_score_of_a_report_follows_from_its_counts_and_says_which_way_is_better() -> None:
    counts = {Standing.DONE: 2, Standing.NOT_DONE: 1, Standing.UNKNOWN: 1, Standing.RUNNING: 5, Standing.EXCLUDED: 3}
    made = report_of("osteoporosis-180", counts)
    (group,) = made["group"]
    shown = {one["code"]["coding"][0]["code"]: one["count"] for one in group["population"] if "coding" in one["code"]}
    assert shown == {"initial-population": 12, "denominator": 7, "denominator-exclusion": 3, "numerator": 2}
    rated = shown["denominator"] - shown["denominator-exclusion"]
    assert group["measureScore"]["value"] == shown["numerator"] / rated
    assert made["improvementNotation"]["coding"][0]["code"] == "increase"
    assert made["meta"]["tag"] == [{"display": "Draft rules: not approved for clinical use"}]


def test_a_harm_has_no_score_while_some_of_it_is_unknown() -> None:
    made = report_of("infection-90", {Standing.DONE: 1, Standing.NOT_DONE: 9, Standing.UNKNOWN: 30})
    assert "measureScore" not in made["group"][0]
    assert made["improvementNotation"]["coding"][0]["code"] == "decrease"
    known = report_of("infection-90", {Standing.DONE: 1, Standing.NOT_DONE: 9})
    assert str(known["group"][0]["measureScore"]["value"]) == "0.1000"


@pytest.mark.parametrize(
    ("done", "rest", "words"),
    [(1, 299, "0.3 %"), (1, 9999, "0.01 %"), (299, 1, "99.7 %"), (0, 300, "0 %"), (300, 0, "100 %"), (3, 297, "1 %")],
)
def test_one_harm_of_many_is_not_none_and_one_miss_leaves_not_all(done: int, rest: int, words: str) -> None:
    (one, *_) = measures_of(book().sets["measures"].document["ruleset"])
    assert rate_words(Tally(one, Counter({Standing.DONE: done, Standing.NOT_DONE: rest}))) == words


def test_a_report_without_an_end_says_up_to_which_day() -> None:
    assert period(Window(NOW, UTC, since=NOW.date())) == "events from 2026-11-22 to 2026-11-22"


def test_an_unknown_measure_is_named_with_those_there_are(house: House) -> None:
    with pytest.raises(NotFoundError) as caught, counting(house, window(house), "omw"):
        pass
    assert "osteoporosis-180" in str(caught.value)


def test_the_command_counts_keeps_and_refuses_what_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'store.sqlite3'}")
    monkeypatch.setenv("PATHWAY_RULES_FROM", "working")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["measure", *words])

    assert "nobody to rate" in run().output
    assert run("--format", "csv").output.split() == ["measure,patient,episode,levels,on,standing,why"]
    assert json.loads(run("--format", "fhir", "--from", "2025-07-01", "--to", "2026-06-30").output)["entry"]
    assert "Measured 0 patients" in run("--keep").output
    backwards = run("--from", "2026-06-30", "--to", "2025-07-01")
    assert (backwards.exit_code, "the days run backwards" in backwards.output) == (2, True)
    assert run("--as-of", "2026-01-01", "--from", "2026-02-01").exit_code == 2
    ahead = run("--as-of", "2100-01-01")
    assert (ahead.exit_code, "still to come" in ahead.output) == (2, True), "what has not happened was not missed"
    assert run("--keep", "--measure", "omw").exit_code == 2
    assert run("--measure", "omw").exit_code == 2


def test_what_could_not_be_counted_to_its_end_is_not_called_kept(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, cemented("c"))
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'test.sqlite3'}")
    monkeypatch.setenv("PATHWAY_RULES_FROM", "working")
    others = count()
    monkeypatch.setattr(measuring, "_rules", lambda _: [str(next(others))])
    came = CliRunner().invoke(main, ["measure", "--keep"])
    assert came.exit_code == 1
    assert "kept as job" not in came.output
    assert "the measures changed since this began" in came.output
