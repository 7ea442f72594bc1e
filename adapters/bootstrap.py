"""The composition root: settings in, a wired service out. The only place where parts meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from adapters.db.migrate import upgrade
from adapters.db.store import SqlStore, open_store
from adapters.fhir import concept_map
from adapters.fhir.deliver import Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from adapters.out import channels
from adapters.settings import Settings, from_environment
from adapters.worker import doorbell
from pathway.calendar import start_of_day
from pathway.clockwork import Pace
from pathway.errors import BadInputError
from pathway.in_force import Rules
from pathway.leases import Armed, RulesInForce, Tell, silent
from pathway.ports import Clock
from pathway.rulebook import RuleBook, load, read_vocabulary
from pathway.service import Service
from pathway.vocabulary import Vocabulary

_LOG = structlog.get_logger("pathway.rules")


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """Everything wired: what the web, the command line and the tests work with."""

    settings: Settings
    clock: Clock
    terms: Terminology
    vocabulary: Vocabulary
    store: SqlStore
    service: Service

    @property
    def rules(self) -> RulesInForce:
        """The rules in force: what decides on a day, and what is wrong with it."""
        return self.service.rules

    @property
    def book(self) -> RuleBook:
        """The rule sets that decide at present, as the site layer leaves them, and the declared data."""
        decides = self.rules.look(self.clock.now()).rule_sets
        return RuleBook({one.id: one for one in decides}, self.vocabulary)

    @property
    def approved(self) -> frozenset[str]:
        """The releases that decide at present and are no drafts. One that decides no more is not among them: what it
        made is decided anew with the next delivery.
        """
        return frozenset(one.release for one in self.book.sets.values() if one.status != "draft")

    def reader(self, received_at: datetime, source: str = "") -> Reader:
        """A reader of submissions that came at an instant."""
        zone = ZoneInfo(self.settings.time_zone)
        return Reader(source or self.settings.source, received_at, self.terms, self.vocabulary, zone)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()


def open_house(settings: Settings | None = None, clock: Clock | None = None) -> House:
    """Load the rules, bring the database up to date, and wire the service. Raises PathwayError with what to mend."""
    settings, clock = settings or from_environment(), clock or SystemClock()
    rules, terms = rules_in_force(settings, tell=_tell), code_tables(settings)
    check_acting(settings, rules.look(clock.now()))  # what cannot be used is said now, not at the first call
    upgrade(settings.database_url)
    store = open_store(settings.database_url, doorbell.ring)
    with store.write() as ledger:
        ledger.keep_bytes(terms.body)  # a decision names its code tables by hash
    declared = rules.rules.declared
    facts = ChartReader(declared, terms, ZoneInfo(settings.time_zone), settings.place_state)
    service = Service(
        store, facts, rules, clock, settings.acting_policy, pace=pace_of(settings), channels=channels(settings),
        zone=ZoneInfo(settings.time_zone), live_from=live_from(settings), tell=_tell,
    )  # fmt: skip
    return House(settings, clock, terms, declared, store, service)


def live_from(settings: Settings) -> datetime | None:
    """The instant at which the service goes live: the start of that day in the facility's zone."""
    return start_of_day(settings.go_live, ZoneInfo(settings.time_zone)) if settings.go_live else None


def pace_of(settings: Settings) -> Pace:
    """How long tasks may rest, as the site has it."""
    return Pace(
        answer=timedelta(minutes=settings.emergency_minutes), attempts=settings.contact_attempts,
        grace=timedelta(hours=settings.overdue_hours), grace_asap=timedelta(hours=settings.overdue_asap_hours),
        grace_stat=timedelta(minutes=settings.overdue_stat_minutes),
        longest_snooze=timedelta(days=settings.longest_snooze_days),
        longest_snooze_urgent=timedelta(days=settings.longest_snooze_urgent_days),
        longest_snooze_asap=timedelta(days=settings.longest_snooze_asap_days),
        longest_snooze_stat=timedelta(days=settings.longest_snooze_stat_days),
    )  # fmt: skip


def check_acting(settings: Settings, armed: Armed) -> None:
    """Refuse an acting policy that is not configured, or is not clinical: no task would ever come of it.

    One that is configured and does not run today is no fault of the settings: each decision says so.
    """
    acting, resting = settings.acting_policy, {one["ruleSet"] for one in armed.not_run}
    clinical = [one.id for one in armed.rule_sets if one.kind == "clinical"]
    if not acting or acting in clinical or acting in resting:
        return
    known = any(one.id == acting for one in armed.rule_sets)
    raise BadInputError(
        f"{acting!r} is {'no clinical rule set' if known else 'not among the rule sets that decide'}, so it cannot act",
        where="PATHWAY_ACTING_POLICY",
        fix=f"Name one of: {', '.join(clinical)}" if clinical else "Set it empty: no clinical rule set is configured",
    )


def code_tables(settings: Settings) -> Terminology:
    """The code tables, with the site's own codes if the settings name a file; BadInputError tells of its faults."""
    terms = Terminology.load()
    return Terminology.load(site=concept_map.read(settings.site_codes, terms)) if settings.site_codes else terms


def rules_in_force(settings: Settings, names: tuple[str, ...] = (), tell: Tell = silent) -> RulesInForce:
    """The rules that the settings name, or only those of `names`. Raises PathwayError for files that cannot be read."""
    book = load(settings.rules) if settings.rules_from == "working" else None
    declared = book.vocabulary if book else read_vocabulary(settings.rules)
    rules = Rules(settings.rules, names or settings.policies, declared, settings.site_rules, book)
    return RulesInForce(rules, ZoneInfo(settings.time_zone), tell=tell)


def _tell(event: str, **about: str) -> None:
    """An event about rules or rechecks, in the log; the command line, which has none, says it in its own way."""
    if structlog.is_configured():
        (_LOG.error if event in ("rules-trouble", "recheck-failed", "wake-failed") else _LOG.info)(event, **about)
