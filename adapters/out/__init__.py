"""What leaves the house: rows of the outbox, sent by the sender of their channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pathway.keeping import FHIR

if TYPE_CHECKING:
    from adapters.bootstrap import House
    from adapters.out.posting import Sender
    from adapters.settings import Settings


def channels(settings: Settings) -> frozenset[str]:
    """The channels that a site has set up; BadInputError names what one that is half set up lacks."""
    from adapters.out import alerts

    return alerts.channels(settings) | ({FHIR} if settings.fhir_write_base else frozenset[str]())


def senders(house: House) -> Mapping[str, Sender]:
    """Who sends, by channel: those channels that the settings set up, the most urgent first."""
    from adapters.out.alerts import EMAIL, WEBHOOK
    from adapters.out.email import Email
    from adapters.out.webhook import Webhook

    wanted = channels(house.settings)
    found: dict[str, Sender] = {}
    if WEBHOOK in wanted:
        found[WEBHOOK] = Webhook.of(house)
    if EMAIL in wanted:
        found[EMAIL] = Email.of(house)
    if house.settings.fhir_write_base:
        from adapters.out.writer import FhirWriter

        found[FHIR] = FhirWriter.of(house)
    return found
