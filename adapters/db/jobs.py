"""Jobs and their parts as rows: claimed by lease, fenced by its token, attempts counted before the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import case, delete, func, insert, or_, select, update

from adapters.db import tables
from adapters.db.deliveries import Deliveries
from adapters.db.marks import Marks
from pathway.errors import NotFoundError

Piece = tuple[int, Mapping[str, Any]]
"""A part to be made: its size, in whatever the kind counts, and what it has to do."""

_JOB = tables.job.c
_TOLD: Final = (_JOB.id, _JOB.kind, _JOB.state, _JOB.made_at, _JOB.ended_at, _JOB.body)
_PART = tables.job_part.c
_AT_ONCE: Final = 500
_LONGEST: Final = timedelta(hours=1)
"""No part is held or waits for longer; one that seems to was claimed under a clock that ran ahead."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that has an end. `state` is open, done or stopped."""

    id: str
    kind: str
    state: str
    made_at: datetime
    ended_at: datetime | None
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a job in somebody's hands: `attempts` counts this one, `token` says whose hands."""

    job: str
    number: int
    size: int
    body: Mapping[str, Any]
    attempts: int = 1
    token: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: parts by state, and sizes in whatever its kind counts. `faults` are of parked parts."""

    job: Job
    parts: int
    done: int
    parked: int
    size: int
    size_done: int
    faults: tuple[tuple[int, str], ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nobody will go on with it of themselves."""
        return self.job.state != "open"


class Jobs(Deliveries):
    """The jobs, seen from one transaction, with the bytes that they work on and the marks that move with them."""

    @property
    def marks(self) -> Marks:
        """The marks, in the same transaction."""
        return Marks(self._connection)

    def add(self, job: Job, parts: Iterable[Piece], *, news: bool = False) -> None:
        """A job with its parts; one without parts is done at once. News go before whatever waits."""
        self._connection.execute(
            insert(tables.job).values(
                id=job.id,
                kind=job.kind,
                state=job.state,
                made_at=job.made_at,
                body=dict(job.body),
                priority=0 if news else 1,
                turn_at=job.made_at,
            )
        )
        self._add_parts(job.id, 0, parts)
        self._close(job.id, job.made_at)

    def job(self, id: str) -> Job:
        """A job by id; NotFoundError if there is none."""
        row = self._connection.execute(select(*_TOLD).where(_JOB.id == id)).one_or_none()
        if row is None:
            raise NotFoundError("there is no such job", where=id, fix="`pathway job list` names them")
        return Job(**row._mapping)

    def jobs(self, kinds: Sequence[str], states: Sequence[str] = (), limit: int = 50) -> tuple[Job, ...]:
        """The latest jobs of some kinds, newest first; with `states`, those in one of them."""
        query = select(*_TOLD).where(_JOB.kind.in_(kinds)).order_by(_JOB.made_at.desc(), _JOB.id).limit(limit)
        rows = self._connection.execute(query.where(_JOB.state.in_(states)) if states else query)
        return tuple(Job(**row._mapping) for row in rows)

    def parked(self, kind: str, limit: int = 50) -> tuple[str, ...]:
        """The ids of the jobs of a kind that have parked parts, the oldest first."""
        ids = select(_PART.job).where(_PART.state == "parked")
        query = select(_JOB.id).where(_JOB.id.in_(ids), _JOB.kind == kind).order_by(_JOB.made_at, _JOB.id)
        return tuple(self._connection.scalars(query.limit(limit)))

    def claim(self, now: datetime, lease: timedelta, token: str, job: str = "") -> tuple[Job, Part] | None:
        """The next part that nobody works on, for the time of a lease: news first, then by turn.

        On PostgreSQL a row that another is claiming is passed over; on SQLite a writing transaction is alone.
        """
        free = or_(_PART.lease_until.is_(None), _PART.lease_until <= now, _PART.lease_until > now + _LONGEST)
        query = (
            select(_PART.job, _PART.number, _PART.size, _PART.body, _PART.attempts)
            .join_from(tables.job, tables.job_part)
            .where(_JOB.state == "open", _PART.state == "pending", free)
            .order_by(_JOB.priority, _JOB.turn_at, _JOB.id, _PART.number)
            .limit(1)
            .with_for_update(skip_locked=True, of=tables.job_part)
        )
        row = self._connection.execute(query.where(_JOB.id == job) if job else query).one_or_none()
        if row is None:
            return None
        part = Part(row.job, row.number, row.size, row.body, row.attempts + 1, token)
        where = (_PART.job == row.job, _PART.number == row.number)
        values = {"attempts": part.attempts, "lease_until": now + lease, "lease_token": token}
        self._connection.execute(update(tables.job_part).where(*where).values(**values))
        return self.job(row.job), part

    def renew(self, part: Part, until: datetime) -> bool:
        """Keep a part for longer; False if it is no longer ours."""
        return self._change(part, lease_until=until)

    def finish(
        self, part: Part, result: Mapping[str, Any], more: Iterable[Piece], now: datetime, size: int | None = None
    ) -> bool:
        """A part is done, and what it found to be done is added; False, and nothing, if it is no longer ours."""
        self._alone(part.job)
        done = {"state": "done", "lease_until": None, "lease_token": "", "result": dict(result), "last_error": ""}
        if not self._change(part, **done, size=part.size if size is None else size):
            return False
        highest = select(func.max(_PART.number)).where(_PART.job == part.job)
        self._add_parts(part.job, (self._connection.scalar(highest) or 0) + 1, more)
        self._close(part.job, now)
        return True

    def give_back(self, part: Part, not_before: datetime, error: str = "", *, counts: bool = True) -> bool:
        """A part is to be taken up again from an instant on; unless it `counts`, as if it had never been tried."""
        attempts = part.attempts if counts else part.attempts - 1
        return self._change(part, lease_until=not_before, lease_token="", attempts=attempts, last_error=error)

    def let_others(self, job: str, now: datetime) -> None:
        """A part of a job took its time and is not done: the others of its priority come first now."""
        self._connection.execute(update(tables.job).where(_JOB.id == job).values(turn_at=now))

    def is_over(self, job: str) -> bool:
        """Whether all parts of a job are done, and none is parked: nothing of it is asked for again."""
        left = select(_PART.number).where(_PART.job == job, _PART.state != "done").limit(1)
        return self.job(job).state == "done" and self._connection.scalar(left) is None

    def park(self, part: Part, error: str, now: datetime) -> bool:
        """A part is not tried again until a person says so."""
        self._alone(part.job)
        parked = self._change(part, state="parked", lease_until=None, lease_token="", last_error=error)
        if parked:
            self._close(part.job, now)
        return parked

    def requeue(self, job: str, now: datetime) -> int:
        """Try a job's parked parts again, and go on with a stopped one; says how many parts were parked."""
        self._alone(job)
        parked = update(tables.job_part).where(_PART.job == job, _PART.state == "parked")
        count = self._connection.execute(parked.values(state="pending", attempts=0, lease_until=None)).rowcount
        if count or self.job(job).state == "stopped":
            self._connection.execute(update(tables.job).where(_JOB.id == job).values(state="open", ended_at=None))
            self._close(job, now)
        return count

    def stop(self, job: str, now: datetime) -> bool:
        """Take up no further part of a job; False if it had ended. What is in somebody's hands comes to its end."""
        still = update(tables.job).where(_JOB.id == job, _JOB.state == "open")
        return self._connection.execute(still.values(state="stopped", ended_at=now)).rowcount == 1

    def waiting(self, kind: str) -> int:
        """How many parts of a kind wait to be done."""
        query = select(func.count()).select_from(tables.job).join(tables.job_part)
        return (
            self._connection.scalar(query.where(_JOB.kind == kind, _JOB.state == "open", _PART.state == "pending")) or 0
        )

    def forget(self, before: datetime) -> tuple[str, ...]:
        """Remove jobs that ended before an instant, with what came of them; their ids. Those with parked parts stay."""
        parked = select(_PART.job).where(_PART.state == "parked")
        old = select(_JOB.id).where(_JOB.state != "open", _JOB.ended_at < before, _JOB.id.not_in(parked))
        ids = list(self._connection.scalars(old.limit(_AT_ONCE)))
        self._connection.execute(delete(tables.job_part).where(_PART.job.in_(ids)))
        self._connection.execute(delete(tables.job).where(_JOB.id.in_(ids)))
        return tuple(ids)

    def progress(self, id: str) -> Progress:
        """How far a job is; NotFoundError if there is none."""
        job, done = self.job(id), case((_PART.state == "done", 1), else_=0)
        row = self._connection.execute(
            select(
                func.count().label("parts"), func.coalesce(func.sum(done), 0).label("done"),
                func.coalesce(func.sum(case((_PART.state == "parked", 1), else_=0)), 0).label("parked"),
                func.coalesce(func.sum(_PART.size), 0).label("size"),
                func.coalesce(func.sum(done * _PART.size), 0).label("size_done"),
            ).where(_PART.job == id)
        ).one()  # fmt: skip
        faults = select(_PART.number, _PART.last_error).where(_PART.job == id, _PART.state == "parked")
        told = self._connection.execute(faults.order_by(_PART.number).limit(20)).all()
        return Progress(job, **row._mapping, faults=tuple((number, error) for number, error in told))

    def results(self, job: str, after: int = -1, limit: int = 20) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        """The results of parts that are done, by number, from after one number on."""
        query = select(_PART.number, _PART.result).where(_PART.job == job, _PART.state == "done", _PART.number > after)
        rows = self._connection.execute(query.order_by(_PART.number).limit(limit))
        return tuple((row.number, row.result) for row in rows)

    def _change(self, part: Part, **values: Any) -> bool:
        """Change a part that is still in these hands."""
        ours = (_PART.job == part.job, _PART.number == part.number, _PART.lease_token == part.token)
        statement = update(tables.job_part).where(*ours, _PART.state == "pending").values(**values)
        return self._connection.execute(statement).rowcount == 1

    def _add_parts(self, job: str, first: int, parts: Iterable[Piece]) -> None:
        rows = _rows(job, first, parts)
        while some := list(islice(rows, _AT_ONCE)):
            self._connection.execute(insert(tables.job_part), some)

    def _alone(self, job: str) -> None:
        """Of two that end the last two parts at once, the second sees what the first did."""
        self._connection.execute(select(_JOB.id).where(_JOB.id == job).with_for_update())

    def _close(self, job: str, now: datetime) -> None:
        left = select(_PART.number).where(_PART.job == job, _PART.state == "pending").limit(1)
        if self._connection.scalar(left) is None:
            ended = update(tables.job).where(_JOB.id == job, _JOB.state == "open")
            self._connection.execute(ended.values(state="done", ended_at=now))


def _rows(job: str, first: int, parts: Iterable[Piece]) -> Iterator[dict[str, Any]]:
    for number, (size, body) in enumerate(parts, first):
        yield {
            "job": job, "number": number, "state": "pending", "attempts": 0, "lease_token": "", "size": size,
            "body": dict(body), "result": {}, "last_error": "",
        }  # fmt: skip
