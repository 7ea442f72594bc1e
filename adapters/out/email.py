"""Alerts by e-mail: a few lines without a word about the patient, to everybody who is on call or stands behind them."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from adapters.bootstrap import House
from adapters.out.alerts import Alert, alert_of
from adapters.out.bounded import Guard
from adapters.out.posting import Claimed, Refused, Sent, TryLater

WHOLE: Final = 12.0
"""Seconds for a whole conversation: longer than `posting.SEND`, since many mail servers hold their greeting back."""
HAND_OVER: Final = 4.0
"""Seconds of these that must be left when the mail itself goes: once it is over there, only its answer says so."""
CONNECT: Final = 3.0
PERMANENT: Final = 500
"""SMTP replies from here on say never; those below say not now (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class Email:
    """The sender of the channel `email`. `server` may hold a password."""

    house: House
    server: str = field(repr=False)
    to: tuple[str, ...]
    sender: str

    @classmethod
    def of(cls, house: House) -> Email:
        """As the settings have it, which `alerts.channels` held to be whole."""
        settings = house.settings
        return cls(house, settings.alert_smtp, settings.alert_to, settings.alert_from)

    def send(self, row: Claimed) -> Sent:
        """Mail the alert of a row; TryLater where it may yet arrive, Refused where it never will.

        An address that is refused makes the row fail although others have the mail: told twice is better than never.
        """
        with self.house.store.read() as ledger:
            alert = alert_of(ledger, row, self.house.settings.public_url)
        if alert is None:
            return Sent(asked=False)
        refused = self._mail(self._letter(alert, f"{row.key}/{row.wanted}", self.house.clock.now()))
        if refused:
            raise _answered(min(code for code, _ in refused.values()), len(refused), len(self.to))
        return Sent()

    def _mail(self, letter: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Hand a letter over; who of those it is for was refused. Where it may have arrived, the attempt counts."""
        reached = False
        try:
            with Guard(time.monotonic() + WHOLE) as guard:
                server = self._connected(guard)
                reached = True
                try:
                    refused = server.send_message(letter, self.sender, list(self.to))
                    server.putcmd("quit")  # its answer changes nothing
                    return refused
                finally:
                    server.close()
        except smtplib.SMTPRecipientsRefused as error:
            return error.recipients
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code) from None
        # Their texts may hold what was sent: none is kept.
        except (smtplib.SMTPException, OSError, UnicodeError):
            if reached:
                raise TryLater("the mail server did not answer in time, or broke off") from None
            raise TryLater("the mail server cannot be reached", counts=False) from None

    def _letter(self, alert: Alert, key: str, at: datetime) -> EmailMessage:
        """The same Message-ID however often one posting is tried, so that programs show it once."""
        letter = EmailMessage()
        letter["Subject"] = f"Pathway: an emergency waits for {_plain(alert.role)}{' (again)' if alert.again else ''}"
        letter["From"], letter["To"] = self.sender, ", ".join(self.to)
        letter["Date"] = format_datetime(at)
        letter["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{self.sender.rpartition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday reply
        letter["Importance"] = "high"
        letter.set_content(words_of(alert))
        return letter

    def _connected(self, guard: Guard) -> smtplib.SMTP:
        """A connection, encrypted and signed in where the address says so. No name of this machine is told."""
        parts = urlsplit(self.server)
        host, port, tls = parts.hostname or "", parts.port or 0, ssl.create_default_context()
        if parts.scheme == "smtps":
            server = _guarded(smtplib.SMTP_SSL, guard)(host, port, "localhost", timeout=CONNECT, context=tls)
        else:
            server = _guarded(smtplib.SMTP, guard)(host, port, "localhost", timeout=CONNECT)
        try:
            if parts.scheme == "smtp+starttls":
                server.starttls(context=tls)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            server.close()
            raise
        return server


def _guarded(kind: type[smtplib.SMTP], guard: Guard) -> Any:
    """A client that waits for replies until the guard shuts its socket."""

    class Guarded(kind):
        def getreply(self) -> tuple[int, bytes]:
            if self.sock is not None:
                guard.watch(self.sock)  # after STARTTLS it is another
                self.sock.settimeout(max(guard.left, 0.01))
            return super().getreply()

        def data(self, msg: Any) -> tuple[int, bytes]:
            if guard.left < HAND_OVER:
                raise TryLater("the mail server is too slow")
            return super().data(msg)

    return Guarded


def words_of(alert: Alert) -> str:
    """What the mail says."""
    before = "There was a call about it before: it still waits, or was opened again.\n" if alert.again else ""
    return (
        f"An emergency waits for: {_plain(alert.role)}.\n{before}\n"
        f"Kind: {_plain(alert.kind)}\nTask: {alert.task}\nAnswer it here: {alert.link}\n\n"
        "This mail holds nothing about the patient; the page asks you to sign in.\n"
        "Do not answer this mail: nobody reads it.\n"
    )


def _plain(code: str) -> str:
    return code.replace("-", " ")


def _answered(code: int, refused: int = 0, of: int = 0) -> TryLater | Refused:
    """What a reply of the server comes to."""
    what = f"the mail server answered {code}" + (f" for {refused} of {of} addresses" if refused else "")
    if code < PERMANENT:
        return TryLater(what, server=not refused)
    return Refused(
        what, why="it will not take this mail",
        fix="Mend PATHWAY_ALERT_SMTP, PATHWAY_ALERT_TO or PATHWAY_ALERT_FROM, then requeue this row",
    )  # fmt: skip
