"""`pathway rules check | test | docs | show | release | list | in-force`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import SystemClock, rules_in_force
from adapters.cli.rule_cases import test
from adapters.cli.rule_docs import docs
from adapters.fhir.terminology import Terminology, local_system
from adapters.settings import from_environment
from pathway import casebook, casefiles, prose, releases, site_file
from pathway.effective import read_day
from pathway.errors import NotFoundError, PathwayError, RuleBookError
from pathway.rulebook import Rule, RuleBook, load
from pathway.site import EMPTY, Layer


@click.group()
def rules() -> None:
    """The rule book: check it, run its cases, show a rule in words, freeze a release."""


@rules.command()
def check() -> None:
    """Check the whole rule book: rules, messages, cases and their gaps, frozen releases, task codes."""
    root, book = _book()
    verified = releases.verify(root, book)
    faults: list[PathwayError] = [*casebook.check(root, book), *verified.faults, *_unknown_tasks(book)]
    faults += _site_faults(book)
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    if faults:
        click.echo(f"{len(faults)} faults", err=True)
        raise click.exceptions.Exit(1)
    sets = ", ".join(f"{s.release} ({s.status})" for s in book.sets.values())
    click.echo(f"The rule book is sound: {len(casefiles.all_rules(book))} rules in {sets}")
    if verified.ahead:
        click.echo(f"Not frozen yet: {', '.join(verified.ahead)}")


rules.add_command(test)
rules.add_command(docs)


@rules.command()
@click.argument("rule", required=False)
def show(rule: str | None) -> None:
    """Show one rule or one rule set in words, or list all rules."""
    root, book = _book()
    known = {one.id: one for one in casefiles.all_rules(book)}
    if rule is not None and rule in book.sets:
        click.echo(prose.show_set(book.sets[rule]))
        return
    if rule is None:
        for one in known.values():
            click.echo(f"{one.id:<44} {one.title}")
        return
    if rule not in known:
        raise NotFoundError(f"no rule or rule set {rule!r}", fix="`pathway rules show` lists the rules")
    cases = casefiles.read_one(root, book.vocabulary, known[rule]).examples
    click.echo(prose.show(known[rule], len(cases)))
    for line in _at_this_site(known[rule]):
        click.echo(line)


@rules.command()
@click.argument("rule_set", required=False)
@click.option("--all", "every", is_flag=True, help="Freeze every rule set of the working tree.")
def release(rule_set: str | None, every: bool) -> None:
    """Freeze a rule set or family, or all of them, under its version: `rules/releases/` and `rules/lock.json`."""
    if every == bool(rule_set):
        raise click.UsageError("Name one rule set, or say --all")
    root, book = _book()
    faults = casebook.check(root, book)
    if faults:
        raise RuleBookError(f"{len(faults)} faults keep it from being released", fix="Run `pathway rules check`")
    for chosen in book.choose([rule_set] if rule_set else book.sets):
        path = releases.store(root, chosen)
        click.echo(f"{chosen.release}  sha256 {chosen.sha256}  {path.relative_to(root)}")


@rules.command("list")
def list_releases() -> None:
    """List every frozen version with its status, its days and its hash, and what is not frozen yet."""
    settings, today = from_environment(), _today()
    shelf, ahead = releases.shelf(settings.rules), releases.unfrozen(settings.rules)
    for id_ in sorted({*shelf, *ahead}):
        click.echo(id_)
        if id_ in ahead:
            click.echo(f"  {ahead[id_]:<9} not frozen yet")
        now = releases.holding(shelf.get(id_, ()), today)
        for one in shelf.get(id_, ()):
            mark = f"  in force on {today}" if one is now else ""
            click.echo(f"  {one.version:<9} {one.status:<8} {one.period!s:<30} sha256 {one.sha256[:12]}{mark}")


@rules.command("in-force")
@click.option("--on", "day", metavar="DATE", help="The day, such as 2026-12-01; today if not given.")
def in_force(day: str | None) -> None:
    """Show what decides on a day, as the site layer leaves it. Exit code 1 if something that must decide does not."""
    settings = from_environment().model_copy(update={"rules_from": "releases"})
    on = read_day(day, "--on") if day else _today()
    found = rules_in_force(settings).look(datetime.combine(on, time(12), ZoneInfo(settings.time_zone))).selection
    for one in found.rule_sets:
        layer = f"  with the site layer {one.site['sha256'][:12]}" if one.site else ""
        click.echo(f"{one.release:<32} {one.status:<8} sha256 {one.sha256[:12]}{layer}")
    for reason in found.not_run:
        click.echo(f"{reason['ruleSet']:<32} does not decide: {reason['why']}")
    for trouble in found.trouble:
        click.echo(f"Error: {trouble.what}", err=True)
    if any(trouble.red for trouble in found.trouble):
        raise click.exceptions.Exit(1)


def _today() -> date:
    """The day in the facility's zone."""
    return SystemClock().now().astimezone(ZoneInfo(from_environment().time_zone)).date()


def _layer() -> Layer:
    path = from_environment().site_rules
    return site_file.read(path) if path else EMPTY


def _site_faults(book: RuleBook) -> list[PathwayError]:
    """What of the site layer does not fit the working rule sets."""
    faults: list[PathwayError] = []
    try:
        layer = _layer()
        layer.check_names(frozenset((*book.sets, *(one.family for one in book.sets.values() if one.family))))
    except RuleBookError as fault:
        return [fault]
    for rule_set in book.sets.values():
        try:
            layer.apply(rule_set)
        except RuleBookError as fault:
            faults.append(fault)
    return faults


def _at_this_site(rule: Rule) -> Iterator[str]:
    """What the site layer changes about a rule, beside what it says itself."""
    layer = _layer()
    for one in layer.overrides:
        if one.entry.rule == rule.id and one.parameter in rule.parameters:
            own, entry = rule.parameters[one.parameter], one.entry
            signed = f"(site, by {', '.join(entry.by)}, on {entry.set_on}): {entry.reason}"
            yield f"At this site, in {entry.rule_set}: {one.parameter} {own.value} -> {one.value} {one.unit} {signed}"
    for one in layer.lists:
        if one.name in rule.lists:
            was, now, entry = ", ".join(rule.lists[one.name]), ", ".join(one.items), one.entry
            signed = f"(site, by {', '.join(entry.by)}, on {entry.set_on}): {entry.reason}"
            yield f"At this site, in {entry.rule_set}: {one.name} [{was}] -> [{now}] {signed}"
    for off in layer.off:
        if off.rule == rule.id:
            yield f"At this site, in {off.rule_set}: off (by {', '.join(off.by)}, on {off.set_on}): {off.reason}"


def _book() -> tuple[Path, RuleBook]:
    root = from_environment().rules
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
