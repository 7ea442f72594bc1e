"""`pathway rules docs`: the pages that are made from the rule book, and what of the catalogue no rule covers."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.fhir.terminology import load_local_codes
from adapters.settings import ROOT, from_environment
from pathway import casecoverage, casefiles, ruledocs
from pathway.rulebook import RuleBook, load


def pages(rules: Path, book: RuleBook) -> dict[str, str]:
    """The pages of a rules folder and the book that was read from it, by file name."""
    cases = {file.rule.id: len(file.examples) for file in casefiles.read(rules, book)}
    findings = {concept["code"]: concept["definition"] for concept in load_local_codes()["finding"]}
    kept, subjects = casecoverage.kept(rules), ruledocs.read_subjects(rules)
    return {
        "rule-index.md": ruledocs.rule_index(book, cases, ruledocs.read_catalogue(rules)),
        "data.md": ruledocs.data_page(book, subjects, findings, kept),
    }


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a page is not what the rules give now.")
def docs(folder: Path | None, check: bool) -> None:
    """Write the pages that are made from the rules into FOLDER: all rules in words, and every datum."""
    rules = from_environment().rules
    target = folder or ROOT / "docs"
    book = load(rules)
    made = pages(rules, book)
    old = [name for name, text in made.items() if not _holds(target / name, text)]
    for name in old if not check else ():
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(made[name], encoding="utf-8", newline="\n")
    for name in made:
        click.echo(f"{target / name}  {'as the rules are' if name not in old else 'is old' if check else 'written'}")
    for fault in ruledocs.read_catalogue(rules).faults(book):
        click.echo(f"Warning: {fault}", err=True)
    if check and old:
        raise click.exceptions.Exit(1)


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text
