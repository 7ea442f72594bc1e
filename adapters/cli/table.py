"""A decision as a small table for people, and as one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

_MARKS = {"not-met": "-", "unknown": "?", "met": "+"}  # in the order in which they are shown
_COLOURS = {"candidate": "green", "defer": "yellow", "insufficient-data": "yellow"}


def one_line(name: str, body: Mapping[str, Any]) -> str:
    """One patient on one line: file, verdict by level, tasks, how much was set aside."""
    verdicts = (
        ", ".join(f"{row['level']} {row['outcome']}" for row in body["levels"]) or "no vertebral fracture on record"
    )
    tasks = ", ".join(o["code"] for o in body["obligations"] if o["state"] == "open")
    aside = sum(1 for item in body["setAside"] if item["code"] == "invalid")
    return (
        f"{name:<28} {verdicts}" + (f" | next: {tasks}" if tasks else "") + (f" | set aside: {aside}" if aside else "")
    )


def table(body: Mapping[str, Any]) -> str:
    """The whole answer for one patient: verdicts with reasons, what is missing, what comes next, what was set aside."""
    return "\n".join(_lines(body))


def _lines(body: Mapping[str, Any]) -> Iterator[str]:
    releases = ", ".join(f"{r['id']} {r['version']} ({r['status']})" for r in body["releases"])
    yield f"{body['patient']}   as of {body['asOf']}"
    yield f"under {releases}" + (": not approved for clinical use" if "draft" in releases else "")
    if not body["levels"]:
        yield "  no vertebral fracture and no cement on record"
    for row in body["levels"]:
        yield ""
        yield from _level(row)
    for row in body["treated"]:
        yield f"  {row['level']:<12} after cement ({row['ruleSet']})"
        yield from (_said(c) for c in row["criteria"])
    yield from _next(body)
    yield from _aside(body)


def _level(row: Mapping[str, Any]) -> Iterator[str]:
    outcome = click.style(row["outcome"], fg=_COLOURS.get(row["outcome"]), bold=True)
    yield f"  {row['level']:<12} {outcome}  ({row['policy']})  {row['reason']}"
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
