"""`pathway rules check | test | show | release`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from adapters.fhir.terminology import Terminology, local_system
from adapters.settings import Settings
from pathway import casebook, casefiles, prose, releases
from pathway.errors import NotFoundError, PathwayError, RuleBookError
from pathway.rulebook import RuleBook, load


@click.group()
def rules() -> None:
    """The rule book: check it, run its cases, show a rule in words, freeze a release."""


@rules.command()
def check() -> None:
    """Check the whole rule book: rules, messages, cases and their gaps, frozen releases, task codes."""
    root, book = _book()
    verified = releases.verify(root, book)
    faults: list[PathwayError] = [*casebook.check(root, book), *verified.faults, *_unknown_tasks(book)]
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    if faults:
        click.echo(f"{len(faults)} faults", err=True)
        raise click.exceptions.Exit(1)
    sets = ", ".join(f"{s.release} ({s.status})" for s in book.sets.values())
    click.echo(f"The rule book is sound: {len(casefiles.all_rules(book))} rules in {sets}")
    if verified.ahead:
        click.echo(f"Not frozen yet: {', '.join(verified.ahead)}")


@rules.command()
def test() -> None:
    """Run every case of every rule, by the engine and by the evaluator."""
    root, book = _book()
    failed, total, found = 0, 0, Counter[str]()
    for file in casefiles.read(root, book):
        found.update(example.expect for example in file.examples)
        for result in casebook.run(file):
            total += 1
            if not result.passed:
                failed += 1
                click.echo(f"Error: {result.sentence()}", err=True)
    click.echo(f"{total - failed} checks of {sum(found.values())} cases passed, {failed} failed")
    click.echo("expected: " + ", ".join(f"{word} {count}" for word, count in sorted(found.items())))
    if failed:
        raise click.exceptions.Exit(1)


@rules.command()
@click.argument("rule", required=False)
def show(rule: str | None) -> None:
    """Show one rule in words, or list all rules."""
    root, book = _book()
    known = {one.id: one for one in casefiles.all_rules(book)}
    if rule is None:
        for one in known.values():
            click.echo(f"{one.id:<44} {one.title}")
        return
    if rule not in known:
        raise NotFoundError(f"no rule {rule!r}", fix="`pathway rules show` lists them")
    cases = casefiles.read_one(root, book.vocabulary, known[rule]).examples
    click.echo(prose.show(known[rule], len(cases)))


@rules.command()
@click.argument("rule_set", required=False)
def release(rule_set: str | None) -> None:
    """Freeze a rule set, or all of them, under its version: `rules/releases/` and `rules/lock.json`."""
    root, book = _book()
    faults = casebook.check(root, book)
    if faults:
        raise RuleBookError(f"{len(faults)} faults keep it from being released", fix="Run `pathway rules check`")
    for chosen in book.choose([rule_set] if rule_set else book.sets):
        path = releases.store(root, chosen)
        click.echo(f"{chosen.release}  sha256 {chosen.sha256}  {path.relative_to(root)}")


def _book() -> tuple[Path, RuleBook]:
    root = Settings().rules
    return root, load(root)


def _unknown_tasks(book: RuleBook) -> list[PathwayError]:
    """Task codes that no code system defines: an invented code must not leave the house."""
    terms = Terminology.load()
    system = local_system("task")
    return [
        RuleBookError(f"task {rule.task!r} is no code of {system}", where=rule.id, fix="Add it to local-codes.yaml")
        for rule in casefiles.all_rules(book)
        if rule.task and terms.match("task", [{"system": system, "code": rule.task}]) is None
    ]
