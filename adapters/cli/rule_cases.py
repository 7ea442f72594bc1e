"""`pathway rules test`: every case of every rule, and what the cases have seen of the book."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from adapters.settings import from_environment
from adapters.text_columns import columns
from pathway import casebook, casecoverage, casefiles
from pathway.casecoverage import Coverage, SetSeen
from pathway.forms import Stratum
from pathway.rulebook import load


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON, rule by rule and datum by datum.")
def test(as_json: bool) -> None:
    """Run every case of every rule, by the engine and by the evaluator, and report what the cases have seen.

    Exit code 1 if a case fails, or if something that must be seen was not; what is lacking is named.
    """
    root = from_environment().rules
    book = load(root)
    files = casefiles.read(root, book)
    results = [result for file in files for result in casebook.run(file)]
    found = casecoverage.cover(book, files, results, casecoverage.kept(root))
    failed = [one.sentence() for one in results if not one.passed]
    if as_json:
        click.echo(json.dumps(_document(found, len(results), failed), indent=2, ensure_ascii=False))
    else:
        expected = Counter(example.expect for file in files for example in file.examples)
        for line in (*_summary(len(results), len(failed), expected), *_told(found)):
            click.echo(line)
        for line in (*failed, *(f"lacking: {one}" for one in found.lacking)):
            click.echo(f"Error: {line}", err=True)
    if failed or found.lacking:
        raise click.exceptions.Exit(1)


def _summary(total: int, failed: int, expected: Counter[str]) -> Iterator[str]:
    yield f"{total - failed} of {total} cases passed, {failed} failed"
    yield "expected: " + ", ".join(f"{word} {count}" for word, count in sorted(expected.items()))


def _told(found: Coverage) -> Iterator[str]:
    """A row for each rule set and one for the book: `seen/must be seen`."""
    head = ("rule set", "rules", "cases", *casecoverage.WORDS, "outcomes", "open", "closed", "data")
    yield ""
    yield from columns([head, *(_row(one) for one in found.sets), _book(found)])
    unread = [one for one in found.data if not one.used and one.kept]
    if unread:
        yield ""
        yield f"{len(unread)} data that no rule reads, and why they are kept ({casecoverage.KEPT})"
        yield from (f"  {one.id}: {one.kept}" for one in unread)
    yield ""
    yield "nothing is lacking" if not found.lacking else f"lacking: {len(found.lacking)}"


def _row(one: SetSeen) -> tuple[str, ...]:
    outcomes = (len(one.outcomes), len(one.rule_set.hit_order))
    counts = [one.count(Stratum.CRITERIA, word) for word in casecoverage.WORDS]
    tasks = [one.count(Stratum.OBLIGATIONS, word) for word in ("open", "closed")]
    data = (sum(one.data.values()), len(one.data))
    cases = str(sum(rule.cases for rule in one.rules))
    return (one.rule_set.id, str(len(one.rules)), cases, *map(_of, (*counts, outcomes, *tasks, data)))


def _book(found: Coverage) -> tuple[str, ...]:
    """The same over the book, each rule counted once however many rule sets have it."""
    rules = {rule.rule.id: rule for one in found.sets for rule in one.rules}
    counts = [_count(rules.values(), Stratum.CRITERIA, word) for word in casecoverage.WORDS]
    tasks = [_count(rules.values(), Stratum.OBLIGATIONS, word) for word in ("open", "closed")]
    outcomes = (sum(len(s.outcomes) for s in found.sets), sum(len(s.rule_set.hit_order) for s in found.sets))
    data = (sum(one.used and one.seen for one in found.data), sum(not one.kept for one in found.data))
    cases = str(sum(rule.cases for rule in rules.values()))
    return ("the book", str(len(rules)), cases, *map(_of, (*counts, outcomes, *tasks, data)))


def _count(rules: Iterable[casecoverage.Seen], stratum: Stratum, word: str) -> tuple[int, int]:
    rows = [one for one in rules if one.rule.stratum is stratum and word in one.must]
    return sum(word in one.words for one in rows), len(rows)


def _of(pair: tuple[int, int]) -> str:
    seen, must = pair
    return f"{seen}/{must}" if must else "-"


def _document(found: Coverage, total: int, failed: Sequence[str]) -> dict[str, Any]:
    rules = {rule.rule.id: rule for one in found.sets for rule in one.rules}
    return {
        "cases": total,
        "failed": list(failed),
        "ruleSets": {
            one.rule_set.id: {
                "rules": [rule.rule.id for rule in one.rules],
                "outcomes": {outcome: outcome in one.outcomes for outcome in one.rule_set.hit_order},
                "data": dict(one.data),
            }
            for one in found.sets
        },
        "rules": {
            id_: {
                "stratum": one.rule.stratum.value, "cases": one.cases, "seen": sorted(one.words),
                "lacking": list(one.lacking),
            }
            for id_, one in sorted(rules.items())
        },
        "data": {
            one.id: {
                "readBy": list(one.read_by), "namedBy": list(one.said_by), "chooses": list(one.chooses),
                "known": one.known, "unknown": one.unknown, "kept": one.kept,
            }
            for one in found.data
        },
        "lacking": [{"where": one.where, "what": one.what, "fix": one.fix} for one in found.lacking],
    }  # fmt: skip
