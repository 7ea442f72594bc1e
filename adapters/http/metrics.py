"""What the service counts, for Prometheus. Labels are routes, codes and names of ours: never an id, never a value.

Each app has a registry of its own, so that two in one process (tests) do not add up. Counts are those of one process:
`pathway serve` is one process with threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.bootstrap import House
from adapters.http.queue_metrics import Queues
from pathway.errors import PathwayError

blueprint = Blueprint("metrics", __name__)
_KEY: Final = "pathway.metrics"
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STAGE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
NOWHERE: Final = "-"
"""The route of a request to no route of ours: an address is chosen by the caller and may hold anything."""


class Metrics:
    """The instruments of one app. Threads may share them."""

    def __init__(self, house: House) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Counter(
            "pathway_requests", "Requests answered", ("route", "method", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "pathway_request_seconds", "From request to answer", ("route",), registry=self.registry,
            buckets=_REQUEST_SECONDS,
        )  # fmt: skip
        self.stage_seconds = Histogram(
            "pathway_stage_seconds", "Stages of taking in and of a hook call", ("stage",), registry=self.registry,
            buckets=_STAGE_SECONDS,
        )  # fmt: skip
        self.decisions = Counter("pathway_decisions", "Decisions logged", ("trigger",), registry=self.registry)
        self.outcomes = Counter(
            "pathway_outcomes", "Outcomes of levels under policies", ("trigger", "policy", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self.cards = Counter("pathway_cards", "Cards shown in hook calls", ("kind", "rule"), registry=self.registry)
        self.card_answers = Counter(
            "pathway_card_answers", "Answers to cards, each once; what is missing to the cards had no response",
            ("outcome", "reason"), registry=self.registry,
        )  # fmt: skip
        self.set_aside = Counter(
            "pathway_set_aside", "Records and data that a decision could not use", ("code",), registry=self.registry
        )
        self.store_unavailable = Counter(
            "pathway_store_unavailable", "Requests refused because the database was away", registry=self.registry
        )
        ProcessCollector(namespace="pathway", registry=self.registry)
        self.registry.register(_Judges(house))
        self.registry.register(Queues(house))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer, its status as its class (`2xx`)."""
        self.requests.labels(route, method, f"{status // 100}xx").inc()
        self.request_seconds.labels(route).observe(seconds)

    def showed(self, kind: str, rule: str) -> None:
        """Count one card that was shown, by what it is and the rule or policy that gave it."""
        self.cards.labels(kind, rule).inc()

    def answered_card(self, outcome: str, reason: str) -> None:
        """Count one answer to a card; the reason is a code of ours, `other`, or empty."""
        self.card_answers.labels(outcome, reason).inc()

    def decided(self, trigger: str, body: Mapping[str, Any]) -> None:
        """Count one decision with the outcome of each level under each policy, and what was set aside."""
        self.decisions.labels(trigger).inc()
        for row in body["levels"]:
            self.outcomes.labels(trigger, row["policy"], row["outcome"]).inc()
        for item in body["setAside"]:
            self.set_aside.labels(item["code"]).inc()


class _Judges(Collector):
    """The verdicts that engine and evaluator were compared on, read from the rule sets when somebody asks."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterable[Metric]:
        compared = CounterMetricFamily(
            "pathway_verdicts_compared", "Verdicts given by engine and evaluator", labels=("rule_set",)
        )
        differing = CounterMetricFamily(
            "pathway_verdicts_differing", "Verdicts on which the two differed: must be 0", labels=("rule_set",)
        )
        for rule_set, (evaluations, disagreements) in sorted(self._counts().items()):
            compared.add_metric((rule_set,), evaluations)
            differing.add_metric((rule_set,), disagreements)
        return (compared, differing)

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def _counts(self) -> dict[str, tuple[int, int]]:
        """By rule set that decides today: a new release begins at 0, as a restart does."""
        try:
            machines = self._house.rules.look(self._house.clock.now()).machines
        except PathwayError:  # rules that cannot be read are a matter of /readyz
            machines = ()
        return {machine.rule_set.id: (machine.evaluations, machine.disagreements) for machine in machines}


def install(app: Flask, house: House) -> None:
    """Give an app its instruments."""
    app.extensions[_KEY] = Metrics(house)


def metrics() -> Metrics:
    """The instruments of the present app."""
    return current_app.extensions[_KEY]


@blueprint.get("/metrics")
def read() -> Response:
    """Everything counted, as text for a scraper."""
    return Response(generate_latest(metrics().registry), content_type=CONTENT_TYPE_LATEST)
