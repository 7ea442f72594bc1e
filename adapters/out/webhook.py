"""Alerts to a webhook: a small signed JSON document, posted to exactly the address that the site set.

`Pathway-Signature: sha256=<hex>` is the HMAC-SHA256 of the body's bytes under the shared secret; `sentAt` inside lets a
receiver refuse an old one. `Idempotency-Key` is the same however often one posting is tried: a call is made once.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import requests
import urllib3

from adapters.bootstrap import House
from adapters.out import bounded
from adapters.out.alerts import Alert, alert_of
from adapters.out.posting import SEND, Claimed, Refused, Sent, TryLater
from adapters.out.retry_after import retry_after
from pathway import __version__
from pathway.canonical import canonical, instant

TIMEOUT: Final = (3.0, 5.0)
"""Seconds to connect, and to wait for the answer: what is in flight when the service is told to end still ends."""
_PASSING: Final = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Webhook:
    """The sender of the channel `webhook`."""

    house: House
    address: str = field(repr=False)
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, house: House) -> Webhook:
        """As the settings have it, which `alerts.channels` held to be whole."""
        secret = house.settings.alert_webhook_secret.get_secret_value().encode()
        return cls(house, house.settings.alert_webhook, secret)

    def send(self, row: Claimed) -> Sent:
        """Post the alert of a row; TryLater where it may yet arrive, Refused where it never will."""
        with self.house.store.read() as ledger:
            alert = alert_of(ledger, row, self.house.settings.public_url)
        if alert is None:
            return Sent(asked=False)
        now = self.house.clock.now()
        status, wait = self._post(body_of(alert, now), f"{row.key}/{row.wanted}", now)
        if status in _PASSING or status >= 500:
            busy = status == 429 or status >= 500
            raise TryLater(f"the webhook answered {status}", after=wait, server=busy, counts=not busy)
        if status >= 300:
            fix = "Mend PATHWAY_ALERT_WEBHOOK or its receiver, then requeue this row"
            raise Refused(f"the webhook answered {status}", why="it will not take this alert", fix=fix)
        return Sent()

    def _post(self, body: bytes, key: str, now: datetime) -> tuple[int, timedelta | None]:
        """The status that came, and how long it asks to be left alone. What it says is not read."""
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": f"pathway/{__version__}",
            "Pathway-Signature": signature(self.secret, body),
        }  # fmt: skip
        try:
            with (
                bounded.session(time.monotonic() + SEND.total_seconds()) as session,
                session.post(
                    self.address, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
                ) as answer,
            ):
                return answer.status_code, retry_after(answer.headers.get("Retry-After", ""), now)
        # Their texts hold the address, which may be a password: none is kept.
        except requests.RequestException as error:
            away = bounded.never_reached(error)
            raise TryLater("the webhook cannot be reached, or broke off", counts=not away) from None
        except (urllib3.exceptions.HTTPError, OSError, UnicodeError):
            raise TryLater("the webhook cannot be reached, or broke off") from None


def body_of(alert: Alert, at: datetime) -> bytes:
    """What is posted: whom it is for, which task, of what kind, and where it is answered."""
    told = {
        "event": "emergency-again" if alert.again else "emergency", "task": alert.task, "kind": alert.kind,
        "role": alert.role, "stage": alert.stage, "link": alert.link, "sentAt": instant(at),
    }  # fmt: skip
    return canonical(told)


def signature(secret: bytes, body: bytes) -> str:
    """The header that proves who sent these bytes."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
