"""What a decision says of criteria in words: for each sheet every sentence once, however many rule sets say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pathway.case import Case
from pathway.conditions import Leaf
from pathway.decisions import FIRST, THIRD
from pathway.kleene import PARTLY_KNOWN, reason_of, verdict_of
from pathway.messages import TOLD, WHY, place_of, render, too_old
from pathway.rulebook import Rule
from pathway.strata import Judged
from pathway.trace import comparisons
from pathway.vocabulary import Vocabulary


class Sayings:
    """The words of one decision, in its form. Rows are made once and stand in the body wherever they are said.

    `twins` leads a criterion, by its identity, to the number of all that say the same; without it each is its own.
    """

    def __init__(self, case: Case, form: int, twins: Mapping[int, int]) -> None:
        self._case, self._form, self._twins = case, form, twins
        self._criteria: dict[int, dict[int, dict[str, Any]]] = {}
        self._missing: dict[tuple[int, int, str, str], dict[str, str]] = {}

    def criteria(self, rules: Iterable[Rule], row: Judged) -> list[dict[str, Any]]:
        """Criteria with verdict and message, in the first form with their comparisons."""
        own, twins = self._criteria.setdefault(id(row.sheet), {}), self._twins
        of_all = self._criteria.setdefault(0, {})
        rows: list[dict[str, Any]] = []
        for rule in rules:
            number = twins.get(id(rule), id(rule))
            said = of_all if rule.of_person else own
            one = said.get(number)
            if one is None:
                one = said[number] = self._criterion(rule, row)
            rows.append(one)
        return rows

    def missing(self, rule: Rule, datum: str, vocabulary: Vocabulary, row: Judged) -> dict[str, str]:
        """A datum that a criterion waits for, why it is not there, and what to ask."""
        ask = vocabulary[datum].ask or rule.ask
        say = vocabulary.asks[ask].say
        key = (self._twins.get(id(rule), id(rule)), id(row.sheet), datum, say)
        said = self._missing.get(key)
        if said is None or said["ask"] != ask:
            said = self._missing[key] = {
                "datum": datum,
                "reason": self._reason(rule, datum, row),
                "ask": ask,
                "say": say,
            }
        return said

    def sentence(self, template: str, rules: Iterable[Rule], row: Judged) -> str:
        """A sentence with its fields; the data that one of the rules finds too old are looked for if it names them.

        A vertebra without a name is told in words; up to the third form by the word of the record.
        """
        place = place_of(row.sheet.level) if self._form > THIRD else row.sheet.level
        told = TOLD in template
        if not told and WHY not in template:
            return render(template, row.view, place)
        named = (leaf for rule in rules for leaf in rule.leaves if f"{{{leaf.datum.id}." in template)
        found = ((leaf.datum.id, self._why(leaf, row), self._verdict(leaf, row) if told else None) for leaf in named)
        return render(template, row.view, place, too_old(template, found))

    def _criterion(self, rule: Rule, row: Judged) -> dict[str, Any]:
        verdict = row.verdicts[rule.id]
        said = {"id": rule.id, "verdict": verdict, "message": self.sentence(rule.say[verdict], [rule], row)}
        if self._form == FIRST:
            because = comparisons(rule.when, row.view, self._case.as_of)
            return {**said, "because": [item.to_json() for item in because]}
        return said

    def _reason(self, rule: Rule, datum: str, row: Judged) -> str:
        fact = row.view[datum]
        reasons = [self._why(leaf, row) for leaf in rule.leaves if leaf.datum.id == datum]
        reason = reasons[-1] if self._form == FIRST else next(filter(None, reasons), "")
        return reason or (fact.reason.value if fact.reason else PARTLY_KNOWN)

    def _verdict(self, leaf: Leaf, row: Judged) -> bool | None:
        return verdict_of(leaf, row.view[leaf.datum.id], self._case.as_of)

    def _why(self, leaf: Leaf, row: Judged) -> str:
        return reason_of(leaf, row.view[leaf.datum.id], self._case.as_of)
