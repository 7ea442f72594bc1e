"""A decision as a small table for people, and as one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from pathway.applicability import PAYER

_MARKS = {"not-met": "-", "unknown": "?", "met": "+"}  # in the order in which they are shown
_COLOURS = {
    "candidate": "green", "defer": "yellow", "insufficient-data": "yellow", "met": "green",
    "documentation-missing": "yellow",
}  # fmt: skip


def one_line(name: str, body: Mapping[str, Any]) -> str:
    """One patient on one line: file, verdict by level, coverage apart from it, tasks, how much was set aside."""
    rows = [row for row in body["levels"] if "kind" not in row]
    leading = [row for row in rows if row["policy"] == body.get("acting")] or rows
    clinical = [f"{row['level']} {row['outcome']}" for row in leading]
    covered = [f"{row['level']} {row['outcome']} ({row.get('lcd') or row['policy']})" for row in _of(body, "coverage")]
    safe = [f"{row['level']} {row['outcome']}" for row in _of(body, "safety")]
    verdicts = ", ".join(clinical) or "no vertebral fracture on record"
    tasks = ", ".join(o["code"] for o in body["obligations"] if o["state"] == "open")
    aside = sum(1 for item in body["setAside"] if item["code"] == "invalid")
    return (
        f"{name:<28} {verdicts}"
        + (f" | before cement: {', '.join(safe)}" if safe else "")
        + (f" | coverage: {', '.join(covered)}" if covered else "")
        + (f" | next: {tasks}" if tasks else "")
        + (f" | set aside: {aside}" if aside else "")
    )


def _of(body: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The verdicts of another kind than the clinical ones."""
    return [row for row in body["levels"] if row.get("kind") == kind]


def table(body: Mapping[str, Any]) -> str:
    """The whole answer for one patient: verdicts with reasons, what is missing, what comes next, what was set aside."""
    return "\n".join(_lines(body))


def _lines(body: Mapping[str, Any]) -> Iterator[str]:
    idle = not_chosen(body)
    releases = ", ".join(f"{r['id']} {r['version']} ({r['status']})" for r in body["releases"] if r["id"] not in idle)
    yield f"{body['patient']}   as of {body['asOf']}"
    yield f"under {releases}" + (": not approved for clinical use" if "draft" in releases else "")
    acting = body.get("acting", "")
    if acting and acting not in {release["id"] for release in body["releases"]}:
        yield f"  {acting} acts and did not run: no other takes its place, and no clinical task comes of this"
    if not body["levels"]:
        yield "  no vertebral fracture and no cement on record"
    for row in (row for row in body["levels"] if not _beside(body, row)):
        yield ""
        yield from _level(row)
    yield from _others(body)
    yield from (_choice(entry) for entry in body.get("choices", ()) if body["levels"])
    for row in body["treated"]:
        yield f"  {row['level']:<12} after cement ({row['ruleSet']})"
        yield from (_said(c) for c in row["criteria"])
    for row in body.get("considerations", ()):
        whose = "operator's" if row["level"] else "physician's"
        yield f"  {row['level'] or 'the person':<12} to weigh; the choice is the {whose} ({row['ruleSet']})"
        yield from (_said(c) for c in row["criteria"] if c["verdict"] != "unknown")
    yield from _next(body)
    yield from _hints(body)
    yield from _aside(body)


def not_chosen(body: Mapping[str, Any]) -> frozenset[str]:
    """The configured rule sets of families that this payer and place did not choose."""
    entries = body.get("choices", ())
    kinds, chosen = {entry["kind"] for entry in entries}, {id for entry in entries for id in entry["chosen"]}
    spoke = {row["policy"] for row in body["levels"]}
    return frozenset(r["id"] for r in body["releases"] if r["kind"] in kinds and r["id"] not in chosen | spoke)


def _beside(body: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a verdict stands beside the others on one line: a policy that does not act, a payer not known to care."""
    acting = body.get("acting", "")
    unpaid = row["outcome"] == "not-applicable" or any(item["datum"] == PAYER for item in row["missing"])
    return unpaid if "kind" in row else bool(acting and row["policy"] != acting)


def _others(body: Mapping[str, Any]) -> Iterator[str]:
    """The verdicts beside, a line for each; `--policy` shows one of them in full."""
    rows = [row for row in body["levels"] if _beside(body, row)]
    if rows:
        yield "\n  beside, and asking for nothing (in full with --policy)"
    for row in rows:
        yield _wrap(f"    {row['level']:<10} {row['outcome']}  ({row['policy']})  {row['reason']}")


def _choice(entry: Mapping[str, Any]) -> str:
    """Which rule set of a family answered, or why none did and what to get."""
    asks = "; ".join(item["say"] for item in entry["missing"])
    head = f"  {entry['kind']:<12} {entry['outcome']}  ({', '.join(entry['chosen']) or entry['family']})"
    return _wrap(f"{head}  {entry['reason']}{f': {asks}' if asks else ''}")


def _level(row: Mapping[str, Any]) -> Iterator[str]:
    outcome = click.style(row["outcome"], fg=_COLOURS.get(row["outcome"]), bold=True)
    lcd = f"LCD {row['lcd']}, " if "lcd" in row else ""
    apart = f"{row['kind']}, {lcd}" if "kind" in row else ""
    yield f"  {row['level']:<12} {outcome}  ({apart}{row['policy']})  {row['reason']}"
    for criterion in sorted(row["criteria"], key=lambda c: list(_MARKS).index(c["verdict"])):
        yield _said(criterion)
    asked: dict[str, list[str]] = {}
    for item in row["missing"]:
        asked.setdefault(item["say"], []).append(f"{item['datum']}: {item['reason']}")
    for say, data in asked.items():
        yield _wrap(f"    missing, could change the verdict: {say} [{'; '.join(data)}]")
    for item in row["notAssessed"]:
        yield _wrap(f"    not assessed: {item['message']}")
    unknown = [c for c in row["criteria"] if c["verdict"] == "unknown"]
    if unknown and not asked and not row["notAssessed"]:
        yield "    what is unknown here cannot change the verdict"


def _said(criterion: Mapping[str, Any]) -> str:
    return _wrap(f"    {_MARKS[criterion['verdict']]} {criterion['message']}  [{criterion['id']}]")


def _next(body: Mapping[str, Any]) -> Iterator[str]:
    wishes = [o for o in body["obligations"] if o["state"] == "open"]
    if wishes:
        yield ""
        yield "  next"
    for wish in sorted(wishes, key=lambda o: (o["priority"] != "stat", o["due"], o["code"])):
        when = f"{wish['due'][:16]}Z  {wish['priority']:<7} {wish['owner']:<11}"
        yield _wrap(f"    {when} {', '.join(wish['levels'])}: {wish['title']}. {wish['why'][0]}")
        for item in wish.get("items", ()):
            yield _wrap(f"      {_MARKS[item['verdict']]} {item['message']}")


def _hints(body: Mapping[str, Any]) -> Iterator[str]:
    """The cards that are no tasks."""
    for hint in body.get("hints", ()):
        yield ""
        yield _wrap(f"  card, no task: {hint['title']}. {'. '.join(hint['why'])}  [{hint['rule']}]")


def _aside(body: Mapping[str, Any]) -> Iterator[str]:
    rows = body["setAside"]
    if rows:
        yield ""
        yield "  set aside"
    later = [r for r in rows if r["code"] == "not-yet-known"]
    if later:
        yield f"    {len(later)} resources not yet known at that instant"
    for item in rows:
        if item["code"] != "not-yet-known":
            yield _wrap(f"    {item['code']}  {item['where']}: {item['why']}")


def _wrap(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width=110, subsequent_indent=indent, break_on_hyphens=False)
