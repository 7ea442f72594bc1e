"""The celery application: four tasks without arguments, on whichever broker a site has.

A message says that there may be work and nothing more. Nothing hangs on it: one that is lost costs the seconds until
the next tick, one that comes twice finds nothing to do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar, Final

from celery import Celery, signals
from celery.worker.consumer import Consumer
from kombu.transport import sqlalchemy as sql_transport
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

from adapters.bootstrap import House, open_house
from adapters.settings import Settings
from adapters.worker import ending, tasks
from adapters.worker.broker import AMQP, FILE, REDIS, broker, make_file
from adapters.worker.room import Room

PREFIX: Final = "pathway."
WAIT_SECONDS: Final = 2
"""How long a connection to the broker is waited for by who rings."""
STALE_SECONDS: Final = 60
"""A bell that nobody heard for so long is thrown away: later ones say the same."""
_TRIES: Final = 5

# Every worker asks the file five times a second; the default is once.
sql_transport.Transport.polling_interval = 0.2


class Bells(Consumer):
    """A consumer without delayed delivery, which celery adds to quorum queues: no message of ours waits."""

    class Blueprint(Consumer.Blueprint):
        """The same steps but that one."""

        default_steps: ClassVar[list[str]] = [
            step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step
        ]


def make_app(settings: Settings) -> Celery:
    """An application on the broker that the settings name. Raises BadInputError for one that cannot be used."""
    address = broker(settings)
    make_file(address)
    app = Celery("pathway", set_as_current=False)
    app.conf.update(_COMMON, broker_url=address, broker_transport_options=_transport(address))
    if address.startswith(AMQP):
        # Ten bells of a kind are as good as a thousand.
        app.conf.task_default_queue_type = "quorum"
    room = Room(settings.worker_processes)
    for name in tasks.ROUNDS:
        _register(app, settings, name, room)
    return app


def make_queue(app: Celery) -> None:
    """Make the queue in a broker that is a file, before the worker asks for it.

    Where another process makes it at the same instant, kombu's second insert fails, and a worker that meets that ends
    as if nothing could mend it.
    """
    if not str(app.conf.broker_url).startswith(FILE):
        return
    for _ in range(_TRIES):
        with suppress(IntegrityError, OperationalError), app.connection_for_write() as connection:
            app.amqp.queues[app.conf.task_default_queue](connection.default_channel).declare()
            return


_COMMON: Final[dict[str, Any]] = {
    "broker_connection_timeout": WAIT_SECONDS,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_default_queue": "pathway",
    "task_create_missing_queues": True,
    "task_ignore_result": True,
    "task_acks_late": True,  # a bell whose worker was killed between two tasks rings for another one,
    "task_reject_on_worker_lost": False,  # but one that kills its worker does not ring for ever
    "task_publish_retry": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_consumer": "adapters.worker.app:Bells",
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_proc_alive_timeout": 60,  # seconds; a busy machine starts processes slowly
    "enable_utc": True,
}


def _transport(address: str) -> dict[str, Any]:
    # How often who rings tries to connect; a worker tries for ever, by its own count.
    options: dict[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
    if address.startswith(AMQP):
        return options
    if address.startswith(REDIS):
        waits = {"socket_timeout": 10, "socket_connect_timeout": WAIT_SECONDS}
        return {**options, **waits, "visibility_timeout": STALE_SECONDS}
    # A pool would hand its open connections to forked processes, where SQLite forbids their use.
    return {**options, "poolclass": NullPool, "connect_args": {"timeout": WAIT_SECONDS}}


def processes(settings: Settings) -> int:
    """How many processes a worker has: those for what may take long, and one more to sweep and to send."""
    return settings.worker_processes + 1


def _register(app: Celery, settings: Settings, name: str, room: Room) -> None:
    def round_of_work() -> None:
        with room.place(name) as free:
            if free:
                tasks.run(house_of_worker(settings), name, ending.is_ending)

    app.task(round_of_work, name=PREFIX + name, expires=STALE_SECONDS, shared=False)


_HOUSES: Final[list[House]] = []


def house_of_worker(settings: Settings) -> House:
    """The house of this worker, opened once: its processes are forked with the rules in place, and each connects to the
    database for itself (`adapters.db.engine`).
    """
    if not _HOUSES:
        _HOUSES.append(open_house(settings))
    return _HOUSES[0]


@signals.worker_shutting_down.connect
def _tell_processes(**_: Any) -> None:
    """Its processes are not signalled when it is told to stop."""
    ending.begin()


@signals.setup_logging.connect
def _keep_our_log(**_: Any) -> None:
    """Celery leaves the log alone where somebody answers this signal."""
