"""Every bench still runs, and its tables say what they should; how long it took is nobody's business here."""

from pathlib import Path

import psycopg
import pytest

from bench import databases, deciding, engines, hooks, report, screening, sweeping
from bench.measure import in_turns
from bench.report import BEGIN, END, Table, write
from bench.workload import of_rules, statements
from bench.zen_forms import ways
from pathway.compiler import compile_statements

pytestmark = pytest.mark.slow  # every bench in little, some 20 s in all


def test_engines_agree_and_are_timed() -> None:
    tables = engines.tables(rounds=1, sheets=3, sizes=(40,))
    assert [table.title for table in tables] == ["Engines, 40 rules", "Engines, 40 criteria"]
    for table in tables:
        names = [row[0] for row in table.rows]
        assert [name[:3] for name in names] == ["our"] * 3 + ["zen"] * 3 + ["gen"]
        assert all(len(row) == len(table.head) for row in table.rows)


def test_an_engine_that_disagrees_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "generated", lambda rules: lambda sheet: [None] * len(rules))
    with pytest.raises(SystemExit, match="generated Python does not give the same verdicts"):
        engines.tables(rounds=1, sheets=3, sizes=(40,))


def test_a_row_of_the_decision_table_is_a_rule_of_ours() -> None:
    made = statements(40)
    compiled = sum(shard.ways for shard in compile_statements(made))
    assert sum(len(ways(one.condition, truth)) for one in made for truth in (True, False)) == compiled
    assert 40 <= sum(shard.ways for shard in compile_statements(of_rules(40))) < 48


def test_deciding_covers_three_levels_under_all_rule_sets_that_give_verdicts() -> None:
    whole, stages = deciding.tables(rounds=1, charts=2)
    assert "3 levels each" in whole.notes[0]
    for policy in ("candidacy", "nice-ta279", "coverage-cms-lcd-", "payer-6w", "pre-procedure"):
        assert policy in whole.notes[0]
    assert whole.rows[-1][0] == "`decide()`, shipped sets and measures, two levels cemented"
    assert "3 levels and 2 cemented ones" in whole.notes[-1]
    assert stages.title == "Deciding under all sets, by stage"
    assert sum(int(row[2].rstrip("%")) for row in stages.rows) in range(95, 106)


def test_a_hook_call_is_compared_with_parsing_and_echoing_and_taken_apart() -> None:
    cost, waited, stages = hooks.tables(rounds=1, calls=2, sizes=(20,))
    assert [table.rows[0][0] for table in (cost, waited, stages)] == ["20"] * 3
    assert tuple(stages.head) == ("resources", *hooks.STAGES, "rest")


def test_without_a_server_sqlite_is_measured_alone_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "SERVER", "postgresql://nobody@127.0.0.1:1/none")
    (table,) = databases.tables(rounds=1, calls=1, patients=2)
    assert all(row[3:] == ("-", "-", "-") for row in table.rows)
    assert "No PostgreSQL server" in table.notes[-1]


@pytest.mark.service
def test_both_databases_are_measured() -> None:
    try:
        psycopg.connect(databases.SERVER, connect_timeout=5).close()
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL at PATHWAY_TEST_POSTGRES to measure on")
    (table,) = databases.tables(rounds=1, calls=1, patients=2)
    assert not any(cell == "-" for row in table.rows for cell in row)


def test_screening_is_measured_by_stage_and_as_a_whole() -> None:
    stage, whole = screening.tables(rounds=1, cases=4, patients=30)
    assert [row[0] for row in stage.rows] == ["one worker", "2 workers"]
    assert [row[0] for row in whole.rows] == ["1", "2"]
    assert all(row[-1].endswith(" MiB") for row in whole.rows)
    assert "30 invented patients" in whole.notes[0]


def test_a_sweep_is_measured_among_few_and_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "SERVER", "postgresql://nobody@127.0.0.1:1/none")
    (table,) = sweeping.tables(rounds=2, few=200, many=2000, due_each=3)
    assert [row[:2] for row in table.rows] == [("SQLite", "3 tasks"), ("SQLite", "nothing")]
    assert "No PostgreSQL server" in table.notes[-1]


def test_a_sweep_that_does_not_find_what_is_due_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "SERVER", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(sweeping, "due", lambda *_: None)
    with pytest.raises(SystemExit, match="found 0 instead of 3"):
        sweeping.tables(rounds=1, few=10, many=20, due_each=3)


def test_candidates_take_turns() -> None:
    order: list[str] = []
    paces = in_turns({"a": lambda n: order.append(f"a{n}"), "b": lambda n: order.append(f"b{n}")}, rounds=1, calls=2)
    assert order == ["a0", "a1", "b0", "b1", "b0", "b1", "a0", "a1"]
    assert paces["a"].low <= paces["a"].p50 <= paces["a"].high


def test_tables_go_between_the_markers_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write([Table("Title", ("what", "p50"), [("this", "1 µs")], ("A note.",))], path)
    text = path.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\nMeasured ")
    assert text.endswith(f"| this | 1 µs |\n\nA note.\n\n{END}\nafter\n")
    assert "old" not in text
    assert text.count("### Title") == 1


def test_the_file_has_its_markers() -> None:
    text = report.FILE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
