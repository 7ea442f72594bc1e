"""Tasks and care plans at a FHIR server: each there once, as we have it now, with what people changed there.

A row says that something changed, never what: the body is made when it goes. What is there is read first, so a write
whose answer was lost is found and not done twice, and an edit at the server is seen before it could be overwritten.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from adapters.bootstrap import House
from adapters.fhir.client import normalised
from adapters.out import backend_services, bounded
from adapters.out.merging import ENDED, SERVER, is_trace_of, merged, same, trace
from adapters.out.plans import Piece, piece_of
from adapters.out.posting import SEND, Claimed, Refused, Sent, TryLater
from adapters.out.provenance import TAG, provenance
from adapters.out.remote import Answer, Remote, version_of
from pathway.chart import source_of

Json = dict[str, Any]
TRIES: Final = 3
"""How often a version that moved under us is read again, before the row is put off."""
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_NO_PROVENANCE: Final = frozenset({403, 404, 405, 501})
_CANCELLED: Final = {"Task": "cancelled", "CarePlan": "revoked", "DocumentReference": "entered-in-error"}
_SERVER_IDS: Final = "Set PATHWAY_FHIR_WRITE_IDS to server, if it gives the ids itself"

_LOG = structlog.get_logger("pathway.writer")


@dataclass(frozen=True, slots=True)
class FhirWriter:
    """The sender of the channel `fhir`."""

    house: House
    base: str
    own_ids: bool
    source: str

    @classmethod
    def of(cls, house: House) -> FhirWriter:
        """As the settings have it."""
        settings = house.settings
        base = normalised(settings.fhir_write_base, "PATHWAY_FHIR_WRITE_BASE")
        return cls(house, base, settings.fhir_write_ids == "ours", settings.fhir_write_source or settings.source)

    def send(self, row: Claimed) -> Sent:
        """Bring one resource at the server up to date, with its Provenance. A patient of another source stays here."""
        if source_of(row.patient) != self.source:
            return Sent(asked=False)
        piece = piece_of(self.house, row)
        deadline = time.monotonic() + SEND.total_seconds()
        with bounded.session(deadline) as session:
            token = backend_services.token(self.house.settings, self.base, session, deadline)
            remote = Remote(self.base, session, deadline, self.house.clock.now(), token)
            try:
                return _Writing(self, remote, row, piece).run()
            except TryLater as error:
                if error.what.endswith("401"):
                    backend_services.forget(self.house.settings, self.base)
                raise


@dataclass(slots=True)
class _Writing:
    """One row being written."""

    writer: FhirWriter
    remote: Remote
    row: Claimed
    piece: Piece
    traces: list[Mapping[str, Any]] = field(init=False)
    warning: str = ""

    def __post_init__(self) -> None:
        self.traces = list(self.row.written)

    def run(self) -> Sent:
        """Find it, write it if it differs, and say by whom."""
        there = self._find()
        if there is not None:
            self._own_up(there)
        for _ in range(TRIES):
            body = merged(self.piece.body, there, self.traces) if there else self.piece.body
            if there is not None and same(body, _without(there)):
                return self._sent(there["id"], version_of(there), body)
            answer = self._write(body, there)
            if answer.status != 412:
                own = answer.id or body.get("id", "")
                self._note(self.traces, own)
                if there is None:
                    self._created()
                self._prove(own, answer.etag, created=there is None)
                told = answer.body.get("resourceType") == self.piece.kind  # some tell the outcome and not the resource
                return self._sent(own, answer.etag, answer.body if told else body)
            there = self._find()  # somebody was quicker
        raise TryLater("the server's version moved while we wrote", server=False)

    def _find(self) -> Json | None:
        """What is there at present; None if nothing is. Duplicates of it are cancelled."""
        own = self.row.remote_id or (self.piece.id if self.writer.own_ids else "")
        found = self.remote.read(f"{self.piece.kind}/{own}") if own and self.writer.own_ids else None
        if found is not None:
            return found
        several = self._same_identifier()
        if not several and self.row.remote_id and not self.writer.own_ids:
            return self.remote.read(f"{self.piece.kind}/{own}")  # an index may lag
        if not several:
            return None
        known = [one for one in several if one["id"] == own]
        open_ = [one for one in several if one.get("status") not in ENDED]
        kept = (known or open_ or list(several))[0]
        for one in several:
            if one is not kept and one.get("status") not in ENDED:
                self._cancel(one, kept["id"])
        return kept

    def _same_identifier(self) -> Sequence[Json]:
        """Every resource with our identifier, the oldest first."""
        given = self.piece.identifier
        found = self.remote.search(self.piece.kind, {"identifier": f"{given['system']}|{given['value']}"})
        ours = [
            one for one in found
            if _ID.fullmatch(str(one.get("id", ""))) and any(same(given, other) for other in one.get("identifier", ()))
        ]  # fmt: skip
        return sorted(ours, key=lambda one: (str(one.get("meta", {}).get("lastUpdated", "")), one["id"]))

    def _cancel(self, one: Json, kept: str) -> None:
        """End a duplicate, so that nobody works on both."""
        body = _without(one) | {"status": _CANCELLED[self.piece.kind]}
        if self.piece.kind == "Task":
            body["statusReason"] = {"text": f"A duplicate of Task/{kept}"}
        answer = self._put(body, version_of(one))
        if answer.status == 412:
            raise TryLater("somebody is writing a duplicate", server=False)
        self._prove(one["id"], answer.etag, created=False)
        _LOG.warning("duplicate-cancelled", key=self.row.key, kept=kept, cancelled=one["id"])

    def _write(self, body: Json, there: Json | None) -> Answer:
        """Create or update, noted before it is done: if the answer is lost, we still know what we wrote."""
        self.traces = [*self.traces[-4:], trace(self.piece.body, body)]
        self._note(self.traces)
        if there is not None:
            return self._put(body, version_of(there))
        if self.writer.own_ids:
            return self._put(body, "")
        given = self.piece.identifier
        new = {key: value for key, value in body.items() if key != "id"}
        condition = {"If-None-Exist": f"identifier={given['system']}|{given['value']}"}
        answer = self.remote.ask("POST", self.piece.kind, new, condition, takes=(200, 201, 412))
        if answer.status != 412 and not _ID.fullmatch(answer.id):
            raise TryLater("the server does not say what it made")  # a search will find it
        if answer.status == 200:  # it was there after all, as somebody has it
            return replace(answer, status=412)
        if answer.status == 201 and len(self._same_identifier()) > 1:  # another was quicker than the server's check
            return replace(answer, status=412)
        return answer

    def _note(self, traces: Sequence[Mapping[str, Any]], own: str = "") -> None:
        with self.writer.house.store.outbox(write=True) as outbox:
            if not outbox.remember(self.row, traces, own):
                raise TryLater("another process sends this row", server=False)

    def _put(self, body: Json, version: str) -> Answer:
        condition = {"If-Match": f'W/"{version}"'} if version else {}
        try:
            return self.remote.ask("PUT", f"{self.piece.kind}/{body['id']}", body, condition, takes=(200, 201, 412))
        except Refused as error:
            if version or not self.writer.own_ids:
                raise
            raise Refused(error.what, why="it may take no ids of ours", fix=_SERVER_IDS) from None

    def _own_up(self, there: Json) -> None:
        """A write whose answer was lost did arrive: say that it was ours."""
        lost = bool(self.traces) and "etag" not in self.traces[-1]
        if lost and version_of(there) != self.row.etag and is_trace_of(self.traces[-1], there):
            self._prove(there["id"], version_of(there), created=not self.row.etag)

    def _prove(self, own: str, version: str, *, created: bool) -> None:
        """The Provenance of a version; once, however often it is tried. That it is refused is no fault of the version:
        it stays as a warning with the row.
        """
        try:
            self._tell(own, version, created=created)
        except (Refused, TryLater) as error:
            over = isinstance(error, Refused) or (
                error.counts and self.row.attempts >= self.writer.house.settings.outbox_attempts
            )
            if not over:
                raise
            self.warning = f"its Provenance was not taken: {error.what}"
            _LOG.warning("provenance-refused", key=self.row.key, what=error.what)

    def _tell(self, own: str, version: str, *, created: bool) -> None:
        target = f"{self.piece.kind}/{own}/_history/{version}" if version else f"{self.piece.kind}/{own}"
        piece = self.piece
        body = provenance(
            target, piece.sources, piece.releases, piece.decisions, self.writer.house.clock.now(), created=created
        )
        takes = (200, 201, *_NO_PROVENANCE)
        if self.writer.own_ids:
            answer = self.remote.ask("PUT", f"Provenance/{body['id']}", body, takes=takes)
        else:
            new = {key: value for key, value in body.items() if key != "id"}
            condition = {"If-None-Exist": f"_tag={TAG}|{body['id']}"}
            answer = self.remote.ask("POST", "Provenance", new, condition, takes=(*takes, 412))
        if answer.status in _NO_PROVENANCE:
            _LOG.warning("no-provenance-taken", key=self.row.key, status=answer.status)

    def _created(self) -> None:
        """A care plan that went without this task, or under another id of it, is sent again."""
        if self.piece.kind == "Task" and self.piece.episode:
            with self.writer.house.store.outbox(write=True) as outbox:
                outbox.again(f"CarePlan/{self.piece.episode}", self.writer.house.clock.now())

    def _sent(self, own: str, version: str, there: Json) -> Sent:
        return Sent(own, version, ({**trace(self.piece.body, there), "etag": version},), self.warning)


def _without(there: Json) -> Json:
    """A resource as we would write it: without what the server says of its version."""
    meta = {key: value for key, value in there.get("meta", {}).items() if key not in SERVER}
    return {key: value for key, value in there.items() if key != "meta"} | ({"meta": meta} if meta else {})
