"""Backup and restore: from either database into either, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.cli.demo import load_demo
from adapters.db import SqlStore, StoreUnavailableError, upgrade
from adapters.db import backup as moving
from adapters.db.archive import BackupError
from pathway.canonical import sha256
from tests.adapters.db.builders import AT, ingest, opened
from tests.databases import BACKENDS, counts, fresh, plainly
from tests.world import FixedClock, make_house

LEFT_OUT = {"session", "sign_in_attempt", "alembic_version"}


@pytest.fixture
def filled(store: SqlStore, url: str) -> str:
    """A database with a few ingests."""
    for name in "abc":
        with store.write() as ledger:
            ingest(ledger, name, f"clinic|{name}\u2028é")
    return url


@pytest.fixture(params=BACKENDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database on the same machine, of either kind."""
    with fresh(request.param, tmp_path / "target") as url:
        yield url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup of a test goes."""
    return tmp_path / "kept.backup"


@pytest.fixture
def kept(filled: str, file: Path) -> Path:
    """A backup of `filled`."""
    moving.backup(filled, file, AT)
    return file


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).split(b"\n") if line]


@pytest.mark.slow
def test_everything_moves_and_every_decision_is_made_again(bare: str, target: str, file: Path, tmp_path: Path) -> None:
    source = make_house(tmp_path, FixedClock(), database_url=bare)
    decisions = [record.id for record in load_demo(source)]
    source.close()
    moving.backup(bare, file, AT)
    moving.restore(target, file)
    before, after = counts(bare), counts(target)
    assert {t: n for t, n in after.items() if t not in LEFT_OUT} == {
        t: n for t, n in before.items() if t not in LEFT_OUT
    }
    there = make_house(tmp_path, FixedClock(), database_url=target)
    for id in decisions:
        assert there.service.replay(id).id == id
    check_alive(there)
    there.close()
    again = file.with_name("again.backup")
    moving.backup(bare, again, AT)
    assert again.read_bytes() == file.read_bytes()  # the same rows are the same file


def check_alive(house: House) -> None:
    """The service goes on where it stopped: new numbers for new decisions, what is logged stays guarded."""
    last = max(d.sequence for p in _patients(house) for d in _decisions(house, p))
    assert min(record.sequence for record in _stored(house, load_demo(house))) > last
    with pytest.raises(Exception, match="append-only"):
        plainly(house.settings.database_url, "DELETE FROM decision")


def _patients(house: House) -> tuple[str, ...]:
    with house.store.read() as ledger:
        return ledger.patients()


def _decisions(house: House, patient: str) -> tuple[Any, ...]:
    with house.store.read() as ledger:
        return ledger.decisions(patient)


def _stored(house: House, records: tuple[Any, ...]) -> list[Any]:
    with house.store.read() as ledger:
        return [ledger.decision(record.id) for record in records]


def test_a_backup_of_a_restored_database_holds_the_same_rows(kept: Path, target: str) -> None:
    found = moving.restore(target, kept)
    again = kept.with_name("again.backup")
    assert moving.backup(target, again, AT).tables() == found.tables()
    assert lines(again) == lines(kept)


def test_only_its_owner_may_read_a_backup_and_none_is_replaced(filled: str, file: Path) -> None:
    before = os.umask(0)
    try:
        moving.backup(filled, file, AT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_bytes()
    with pytest.raises(BackupError, match="new name"):
        moving.backup(filled, file, AT)
    assert file.read_bytes() == kept
    assert [f.name for f in file.parent.iterdir() if f.is_file()] == [file.name]


def test_a_backup_that_cannot_be_written_leaves_no_file(filled: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "a.backup", Path("/dev/full/a.backup")):
        with pytest.raises(BackupError, match="cannot be written"):
            moving.backup(filled, path, AT)
        assert not path.exists()


def test_a_backup_is_one_state_while_others_write(store: SqlStore, filled: str, file: Path, target: str) -> None:
    """No ingest is in it by halves, and none that had ended before is missing."""
    stop, written = threading.Event(), list[str]()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with store.write() as ledger:
                ingest(ledger, f"w{number}", "clinic|busy")
            written.append(f"d-w{number}")
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    while len(written) < 3:
        stop.wait(0.01)
    already = list(written)
    moving.backup(filled, file, AT)
    stop.set()
    thread.join()
    moving.restore(target, file)
    with opened(target) as there, there.read() as ledger:
        found = [decision.id for decision in reversed(ledger.decisions("clinic|busy", limit=10_000))]
        assert found[: len(already)] == already
        assert found == written[: len(found)]
        assert len(ledger.chart("clinic|busy")) == 3 * len(found) == ledger.chart_version("clinic|busy")
        assert len(ledger.tasks("clinic|busy")) == len(found)


def test_sessions_stay_behind(filled: str, file: Path, backend: str) -> None:
    true = "1" if backend == "sqlite" else "true"
    at = "'2026-01-01 00:00:00.000000'"
    plainly(filled, f"INSERT INTO account VALUES ('ann', 'coordinator', 'Ann', 'hash', {true}, {true}, {at})")
    plainly(filled, f"INSERT INTO session VALUES ('{'f' * 64}', 'ann', {at}, {at})")
    found = moving.backup(filled, file, AT)
    assert found.rows["account"] == 1
    assert "f" * 64 not in gzip.decompress(file.read_bytes()).decode()


Damage = Callable[[bytes], bytes]


def _in_text(change: Damage) -> Damage:
    return lambda data: gzip.compress(change(gzip.decompress(data)))


def _rehashed(text: bytes) -> bytes:
    """A forger's: a decision's bytes changed, and the last line made to fit."""
    from adapters.db.archive import Sum

    rows = [json.loads(line) for line in text.splitlines()]
    names = [table["name"] for table in rows[0]["tables"]]
    found, out = Sum(), text.split(b"\n")[:1]
    found.head(out[0] + b"\n")
    for row in rows[1:-1]:
        if names[row[0]] == "decision":
            row[-2] = "e31="
        values = json.dumps(row[1:], ensure_ascii=False, separators=(",", ":")).encode()
        found.row(names[row[0]], values + b"\n")
        out.append(b"[%d," % row[0] + values[1:])
    return b"\n".join([*out, json.dumps(found.to_json()).encode(), b""])


def _planted(text: bytes) -> bytes:
    """A forger's: somebody is signed in already, and the last line made to fit."""
    from adapters.db.archive import Sum
    from adapters.db.layout import Layout
    from adapters.db.tables import session

    lines = text.split(b"\n")[:-2]
    head = json.loads(lines[0])
    head["tables"].append(Layout.of(session).to_json())
    lines[0] = json.dumps(head).encode()
    lines.append(
        b'[%d,"%s","ann","2026-01-01T00:00:00Z","2026-01-01T00:00:00Z"]' % (len(head["tables"]) - 1, b"f" * 64)
    )
    found = Sum()
    found.head(lines[0] + b"\n")
    for line in lines[1:]:
        found.row(head["tables"][json.loads(line)[0]]["name"], b"[" + line.partition(b",")[2] + b"\n")
    return b"\n".join([*lines, json.dumps(found.to_json()).encode(), b""])


DAMAGES: dict[str, Damage] = {
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut at the end": lambda data: data[:-9],
    "a bit flipped": lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
    "empty": lambda data: b"",
    "not a backup": lambda data: b"SQLite format 3\0" + data,
    "another JSON": lambda data: gzip.compress(b'{"format": "other"}\n'),
    "a JSON list": lambda data: gzip.compress(b"[]\n"),
    "a line left out": _in_text(lambda text: b"\n".join(text.split(b"\n")[:5] + text.split(b"\n")[6:])),
    "a line twice": _in_text(lambda text: b"\n".join([*text.split(b"\n")[:5], *text.split(b"\n")[4:]])),
    "the last line left out": _in_text(lambda text: b"\n".join(text.split(b"\n")[:-2]) + b"\n"),
    "something after the last line": _in_text(lambda text: text + b"[0]\n"),
    "another table": _in_text(lambda text: re.sub(rb"\n\[\d+,", b"\n[99,", text)),
    "another column": _in_text(lambda text: text.replace(b'"bytes"', b'"blob"')),
    "a row too short": _in_text(lambda text: re.sub(rb"\n\[(\d+),", rb"\n[\1,1]\n[\1,", text, count=1)),
    "a made up version": _in_text(lambda text: text.replace(b'"version":1', b'"version":2', 1)),
    "an unknown revision": _in_text(lambda text: text.replace(b'"schema":"00', b'"schema":"99', 1)),
    "a decision changed and the sums made to fit": _in_text(_rehashed),
    "a session planted and the sums made to fit": _in_text(_planted),
    "a key that is no column": _in_text(lambda text: text.replace(b'"key":["sha256"]', b'"key":["other"]', 1)),
    "a first line without an end to its depth": lambda data: gzip.compress(b"[" * 200_000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_leaves_nothing(kept: Path, tmp_path: Path, damage: str) -> None:
    kept.write_bytes(DAMAGES[damage](kept.read_bytes()))
    target = f"sqlite:///{tmp_path / 'target' / 'pathway.db'}"
    with pytest.raises(BackupError):
        moving.restore(target, kept)
    assert not list((tmp_path / "target").glob("*"))


def test_a_missing_file_is_said(tmp_path: Path, target: str) -> None:
    with pytest.raises(BackupError, match="cannot be read"):
        moving.restore(target, tmp_path / "none.backup")


def test_a_restore_that_fails_half_way_leaves_an_empty_database(
    kept: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the power fails")

    monkeypatch.setattr(moving, "_verify", fail)
    with pytest.raises(RuntimeError):
        moving.restore(target, kept)
    monkeypatch.undo()
    moving.restore(target, kept)


def test_a_database_that_changes_what_it_is_given_is_found_out(
    kept: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters.db.layout import Layout

    true_row = Layout.row

    def other(self: Layout, values: Any) -> Any:
        row = true_row(self, values)
        return row | {"status": "completed"} if self.name == "task" else row

    monkeypatch.setattr(Layout, "row", other)
    with pytest.raises(BackupError, match="not those of the backup"):
        moving.restore(target, kept)


def test_a_database_that_holds_anything_is_not_restored_into(kept: Path, filled: str, target: str) -> None:
    before = counts(filled)
    with pytest.raises(BackupError, match="not empty"):
        moving.restore(filled, kept)
    assert counts(filled) == before
    upgrade(target)
    with pytest.raises(BackupError, match="not empty"):
        moving.restore(target, kept)


def test_what_was_changed_behind_our_back_is_found_by_the_backup(filled: str, file: Path, backend: str) -> None:
    bytes_ = "x'00'" if backend == "sqlite" else "'\\x00'"
    plainly(filled, f"UPDATE payload SET body = {bytes_} WHERE sha256 = '{sha256(b'input')}'")
    with pytest.raises(BackupError, match="was changed"):
        moving.backup(filled, file, AT)
    assert not file.exists()


def test_a_database_that_is_not_there_makes_no_file(file: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        moving.backup(f"sqlite:///{tmp_path}/none.db", file, AT)
    assert not file.exists()


def test_the_commands_say_what_moved_and_that_it_is_about_patients(
    filled: str, file: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", filled)
    said = CliRunner().invoke(main, ["backup", str(file)])
    assert said.exit_code == 0, said.output
    assert "3 patients, 3 decisions, 3 tasks" in said.output
    assert "patient data" in said.output
    monkeypatch.setenv("PATHWAY_DATABASE_URL", target)
    assert "3 decisions" in CliRunner().invoke(main, ["restore", str(file)]).output
    refused = CliRunner().invoke(main, ["restore", str(file)])
    assert refused.exit_code == 2
    assert "not empty" in refused.output
    assert CliRunner().invoke(main, ["upgrade"]).exit_code == 0
