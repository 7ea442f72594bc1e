"""The composition root: settings in, a wired service out. The only place where parts meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from adapters.db.migrate import upgrade
from adapters.db.store import SqlStore, open_store
from adapters.fhir.deliver import Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings
from pathway.ports import Clock
from pathway.rulebook import RuleBook, load
from pathway.service import Service
from pathway.strata import Machine
from pathway.vocabulary import Vocabulary


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
    book: RuleBook
    store: SqlStore
    service: Service

    @property
    def vocabulary(self) -> Vocabulary:
        """The declared data."""
        return self.book.vocabulary

    def reader(self, received_at: datetime, source: str = "") -> Reader:
        """A reader of submissions that came at an instant."""
        zone = ZoneInfo(self.settings.time_zone)
        return Reader(source or self.settings.source, received_at, self.terms, self.vocabulary, zone)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()


def open_house(settings: Settings | None = None, clock: Clock | None = None) -> House:
    """Load the rules, bring the database up to date, and wire the service. Raises PathwayError with what to mend."""
    settings = settings or Settings()
    book = load(settings.rules)
    terms = Terminology.load()
    machines = tuple(Machine(rule_set) for rule_set in book.choose(settings.policies))
    upgrade(settings.database_url)
    store = open_store(settings.database_url)
    clock = clock or SystemClock()
    facts = ChartReader(book.vocabulary, terms, ZoneInfo(settings.time_zone))
    return House(settings, clock, terms, book, store, Service(store, facts, machines, clock))
