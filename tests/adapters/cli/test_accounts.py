"""`pathway account`: who may sign in, without a secret in an argument, an answer or a log."""

from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.db import open_store
from adapters.db.accounts import Account
from adapters.http.auth import passwords

PASSWORD = "seven grey herons in a row"


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/x.db"


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["account", *arguments], input=typed)


def found(url: str, name: str) -> Account | None:
    store = open_store(url)
    with store.accounts(write=False) as accounts:
        account = accounts.find(name)
    store.close()
    return account


def test_the_first_admin_is_made_on_the_machine(url: str) -> None:
    done = run("add", "m.rossi", "--role", "admin", "--display", "Maria Rossi", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "m.rossi can sign in as admin")
    account = found(url, "m.rossi")
    assert account is not None
    assert (account.display, account.role, account.enabled, account.demo) == ("Maria Rossi", "admin", True, False)
    assert passwords.fits(account.password, PASSWORD)
    assert PASSWORD not in done.output + done.stderr


def test_a_script_gives_the_password_on_standard_input(url: str) -> None:
    assert run("add", "ben", "--role", "clinician", "--password-stdin", typed=f"{PASSWORD}\nmore\n").exit_code == 0
    account = found(url, "ben")
    assert account is not None
    assert passwords.fits(account.password, PASSWORD)


def test_two_passwords_that_differ_are_asked_for_again(url: str) -> None:
    done = run("add", "ben", "--role", "clinician", typed=f"{PASSWORD}\n{PASSWORD}x\n{PASSWORD}\n{PASSWORD}\n")
    assert "do not match" in done.output
    assert found(url, "ben") is not None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("fourteen chars", "15 to 256"),
        ("", "15 to 256"),
        ("x" * 257, "15 to 256"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("coordinator-ben1", "little more than the name"),
    ],
)
def test_a_weak_password_makes_no_account(url: str, password: str, why: str) -> None:
    done = run("add", "ben", "--role", "clinician", "--password-stdin", typed=f"{password}\n")
    assert (done.exit_code, why in done.stderr) == (2, True)
    assert found(url, "ben") is None
    assert not password or password not in done.stderr


@pytest.mark.parametrize("name", ["", "b", "Ben", "be n", "demo-ben", "pathway", "-ben", "b" * 41, "bén", "../x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert run("add", "--role", "clinician", "--password-stdin", "--", name, typed=f"{PASSWORD}\n").exit_code == 2


def test_a_role_that_is_none_is_refused() -> None:
    assert run("add", "ben", "--role", "root", "--password-stdin", typed=f"{PASSWORD}\n").exit_code == 2


def add(name: str = "ben", role: str = "clinician") -> None:
    assert run("add", name, "--role", role, "--password-stdin", typed=f"{PASSWORD}\n").exit_code == 0


def test_a_name_is_given_once_and_no_password_is_asked_for_the_second(url: str) -> None:
    add()
    done = run("add", "ben", "--role", "admin")
    assert (done.exit_code, "exists" in done.stderr) == (2, True)
    account = found(url, "ben")
    assert account is not None
    assert account.role == "clinician"


def test_the_list_shows_who_and_never_a_hash() -> None:
    add()
    add("ann", "auditor")
    run("disable", "ann")
    listed = run("list").output
    assert [line.split()[:3] for line in listed.splitlines()] == [
        ["ann", "auditor", "disabled"], ["ben", "clinician", "enabled"],
    ]  # fmt: skip
    assert "argon2" not in listed


def test_disable_enable_and_password_take_effect(url: str) -> None:
    add()
    run("disable", "ben")
    account = found(url, "ben")
    assert account is not None
    assert not account.enabled
    run("enable", "ben")
    assert run("password", "ben", "--password-stdin", typed="nine red kites at noon\n").exit_code == 0
    account = found(url, "ben")
    assert account is not None
    assert account.enabled
    assert passwords.fits(account.password, "nine red kites at noon")
    assert not passwords.fits(account.password, PASSWORD)


@pytest.mark.parametrize("command", ["disable", "enable", "password"])
def test_nobody_is_not_found_and_asked_nothing(command: str) -> None:
    done = run(command, "nobody")
    assert (done.exit_code, "no account has this name" in done.stderr) == (2, True)


def test_the_demo_brings_its_people_and_gives_them_no_password(url: str) -> None:
    runner = CliRunner()
    for _ in range(2):
        assert runner.invoke(main, ["demo", "load"]).exit_code == 0
    account: Any = found(url, "demo-clinician")
    assert (account.demo, account.password) == (True, "")
    done = run("password", "demo-clinician", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (done.exit_code, "no password" in done.stderr) == (2, True)
