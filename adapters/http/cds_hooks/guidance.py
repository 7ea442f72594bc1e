"""What a card is written from: a decision with its rule sets, and the few words that all its parts use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pathway.rulebook import RuleSet

NOT_APPROVED: Final = "not approved for clinical use"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guidance:
    """A decision body with the rule sets that it was made under: all that a card is written from."""

    body: Mapping[str, Any]
    rule_sets: Mapping[str, RuleSet]

    def release(self, policy: str) -> str:
        """`candidacy 0.1.0`, and that it is a draft where it is one."""
        release = next(r for r in self.body["releases"] if r["id"] == policy)
        warning = f" (draft: {NOT_APPROVED})" if release["status"] == "draft" else ""
        return f"{policy} {release['version']}{warning}"

    def kind(self, policy: str) -> str:
        """What a rule set speaks about: `clinical`, `coverage`, `safety` …"""
        return next(str(r["kind"]) for r in self.body["releases"] if r["id"] == policy)

    @property
    def acting(self) -> frozenset[str]:
        """The clinical rule sets whose verdicts lead: the acting one; before there was one, all."""
        clinical = [r["id"] for r in self.body["releases"] if r["kind"] == "clinical"]
        acting = self.body.get("acting")
        return frozenset(clinical if acting is None else {acting} & set(clinical))

    @property
    def drafts(self) -> bool:
        """Whether any of the releases is a draft."""
        return any(release["status"] == "draft" for release in self.body["releases"])

    @property
    def emergencies(self) -> list[Row]:
        """The open obligations that cannot wait."""
        return [o for o in self.body["obligations"] if o["state"] == "open" and o["priority"] == "stat"]

    @property
    def following(self) -> list[Row]:
        """The other open obligations: what comes next, without haste."""
        return [o for o in self.body["obligations"] if o["state"] == "open" and o["priority"] != "stat"]

    @property
    def gaps(self) -> list[Row]:
        """What could not be retrieved, with the reason."""
        return [item for item in self.body["setAside"] if item["code"] == "not-retrieved"]

    @property
    def resting(self) -> list[Row]:
        """The clinical rule sets that are configured and did not decide, with the reason; a payer's are choices."""
        return [entry for entry in self.body.get("notRun", ()) if "family" not in entry]


def name(row: Row) -> str:
    """`L1`, or that nobody named the vertebra."""
    return "Vertebra not named" if row["level"] == "unspecified" else row["level"]


def verdict(row: Row) -> str:
    """The outcome in words."""
    return row["outcome"].replace("-", " ")
