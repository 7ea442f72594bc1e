"""One form for all: whether rule sets frozen at different times can decide on the same facts, and replay from them."""

from __future__ import annotations

from pathway.errors import RuleBookError
from pathway.rulebook import RuleSet
from pathway.vocabulary import Vocabulary


def reads(rule_set: RuleSet) -> set[str]:
    """The data that a rule set compares, and those by which it is chosen."""
    names = {name for rule in rule_set.rules() for name in rule.reads()} | set(rule_set.applies_to)
    return names & rule_set.vocabulary.data.keys()


def check_filled(rule_set: RuleSet, declared: Vocabulary) -> None:
    """Refuse a rule set that reads what the service does not fill in, or declares a datum with another meaning."""
    for datum in rule_set.vocabulary.data.values():
        if datum.id in declared.data:
            datum.widened(declared.data[datum.id])
    strange = sorted(reads(rule_set) - declared.data.keys())
    if strange:
        what = f"{rule_set.release} reads {strange[0]!r}, which this service does not fill in"
        raise RuleBookError(what, fix="Upgrade the service first")


def clash(one: RuleSet, other: RuleSet, declared: Vocabulary | None) -> RuleBookError | None:
    """What keeps a rule set from deciding beside another: a value of what it reads that it never heard of.

    Where `declared` is given, also a datum outside it that the two declare otherwise.
    """
    fix = f"Freeze {one.id} under the present vocabulary"
    for name in sorted(reads(one) & other.vocabulary.data.keys()):
        if not set(other.vocabulary[name].values) <= set(one.vocabulary[name].values):
            what = f"{one.release} does not know all values of {name!r} that {other.release} declares"
            return RuleBookError(what, fix=fix)
    common = one.vocabulary.data.keys() & other.vocabulary.data.keys()
    for name in sorted(common - declared.data.keys()) if declared is not None else ():
        try:
            one.vocabulary[name].widened(other.vocabulary[name])
        except RuleBookError as fault:
            return fault
    return None
