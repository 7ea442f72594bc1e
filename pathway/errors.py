"""What can go wrong, as one tree.

    PathwayError                what, where, why, how to fix
    ├── BadInputError           something we were sent cannot be used; carries a FHIR issue type
    │   └── MissingDataError    a required part was not sent and cannot be fetched
    ├── RuleBookError           a rule, a rule set, the vocabulary or a case file is wrong
    │   └── CompileError        a rule that the engine cannot run safely
    ├── NotInForceError         no rule set decides on that day
    ├── EngineError             the rule engine answered something it must not
    │   └── EngineDisagreementError   engine and evaluator differ: never a decision
    ├── DecisionError           the strata did not give exactly one answer
    ├── ReplayError             a stored decision does not come out the same again
    ├── NotFoundError           no such thing under that id
    └── ChartMovedError         the chart changed while we decided; decide again

Messages name things (files, elements, data) and never carry a patient's value or a token.
"""

from __future__ import annotations


class PathwayError(Exception):
    """An error that a person can act on: what is wrong, where, why, and how to fix it."""

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole message on one line, in the order place, fault, reason, remedy."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f" ({self.why})"
        return f"{text}. {self.fix}" if self.fix else text


class BadInputError(PathwayError):
    """Input that cannot be used. `code` is a FHIR issue type (R4, OperationOutcome.issue.code)."""

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "", code: str = "invalid") -> None:
        self.code = code
        super().__init__(what, where=where, why=why, fix=fix)


class MissingDataError(BadInputError):
    """Required data was neither sent nor can be fetched (CDS Hooks 2.0.1: answer 412)."""


class RuleBookError(PathwayError):
    """A rule file, rule set, vocabulary or case file that must not be used."""


class CompileError(RuleBookError):
    """A rule that would exceed what the engine is known to do right (ADR 0003)."""


class NotInForceError(PathwayError):
    """No rule set that decides is in force: nothing can be decided until one is."""


class EngineError(PathwayError):
    """The rule engine refused a batch or answered something it must not."""


class EngineDisagreementError(EngineError):
    """The engine and the evaluator differ about a rule: a defect that a person must see. `about` are the statements."""

    def __init__(self, what: str, *, fix: str = "", about: tuple[str, ...] = ()) -> None:
        self.about = about
        super().__init__(what, fix=fix)


class DecisionError(PathwayError):
    """The strata did not lead to exactly one answer."""


class ReplayError(PathwayError):
    """A stored decision could not be made again, byte for byte."""


class NotFoundError(PathwayError):
    """Nothing is stored under that id."""


class ChartMovedError(PathwayError):
    """The patient's chart changed between reading it and storing the decision."""
