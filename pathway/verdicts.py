"""Verdicts that two independent judges agree on: durable-rules and the plain evaluator."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from pathway.comparisons import Comparisons, folded
from pathway.compiler import Statement, compile_statements
from pathway.engine import Engine
from pathway.errors import EngineDisagreementError
from pathway.forks import renew_in_child
from pathway.kleene import View, verdict_of
from pathway.vocabulary import Scope


class Verdict(StrEnum):
    """What is known of a statement about one patient, level or treated level."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"


_WORDS: Final = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.UNKNOWN}


class Judge:
    """Judges statements on views by the engine and by the evaluator, and answers only where both agree.

    `evaluations` counts verdicts compared, `disagreements` those that differed. Threads may share one.
    Raises CompileError for statements that the engine cannot be trusted to run. `engine` is for tests.
    """

    def __init__(self, statements: Iterable[Statement], *, engine: Engine | None = None) -> None:
        self.statements = tuple(statements)
        self.evaluations = 0
        self.disagreements = 0
        self._engine = engine or Engine(compile_statements(self.statements))
        self._oracles = {scope: _Oracle([one for one in self.statements if one.scope is scope]) for scope in Scope}
        self.forget()
        renew_in_child(self)

    def judge(self, scope: Scope, views: Sequence[View], as_of: datetime) -> list[dict[str, Verdict]]:
        """For each view the verdict of every statement of the scope, by id, in the statements' order.

        Raises EngineDisagreementError, naming the statements and no value, where the two judges differ.
        """
        oracle = self._oracles[scope]
        answers = self._engine.run([(scope, view) for view in views], as_of)
        expected = [oracle.verdicts(view, as_of) for view in views]
        self._compare(answers, expected)
        return [{id_: _WORDS[verdict] for id_, verdict in one.items()} for one in expected]

    def close(self) -> None:
        """Give the engine's memory back when idle; the judge cannot be used from then on."""
        self._engine.close()

    def forget(self) -> None:
        """Drop the lock untouched: in a forked child it may be held by a thread that is not there."""
        self._counting = threading.Lock()

    def _compare(self, answers: Sequence[dict[str, bool | None]], expected: Sequence[dict[str, bool | None]]) -> None:
        differing = [
            id_
            for answer, oracle in zip(answers, expected, strict=True)
            if answer != oracle
            for id_ in sorted(answer.keys() | oracle.keys())
            if answer.get(id_, _UNJUDGED) is not oracle.get(id_, _UNJUDGED)
        ]
        with self._counting:
            self.evaluations += sum(map(len, expected))
            self.disagreements += len(differing)
        if differing:
            raise EngineDisagreementError(
                f"engine and evaluator differ about {', '.join(sorted(set(differing)))}",
                fix="Decide nothing by these rules until a person has looked",
                about=tuple(sorted(set(differing))),
            )


_UNJUDGED: Final = object()


class _Oracle:
    """Statements of one scope by the plain evaluator (`kleene.evaluate`), their comparisons looked at once a sheet."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._looked = Comparisons(verdict_of)
        self._folded = {one.id: folded(one.condition, self._looked.number) for one in statements}

    def verdicts(self, view: View, as_of: datetime) -> dict[str, bool | None]:
        """Every statement's verdict by id."""
        found = self._looked.on(view, as_of)
        return {id_: fold(found) for id_, fold in self._folded.items()}
