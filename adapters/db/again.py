"""One piece of work that may have to be run more than once, and is stored once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Generic

from adapters.db.errors import StoreRefusedError, StoreUnavailableError, StoreUnsureError
from pathway.ports import Answer, Ledger

# A deadlock is gone at once, a server is back after a second or two; whoever waits longer is better told.
PAUSES: Final = (0.02, 0.2, 1.0)


class Again(Generic[Answer]):
    """Runs the work, and remembers answers of which nobody knows whether they are stored."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Ledger]],
        work: Callable[[Ledger], Answer],
        done: Callable[[Ledger], bool],
    ) -> None:
        self._write, self._work, self._done = write, work, done
        self._unsure: list[Answer] = []

    def __call__(self) -> Answer:
        """The answer of the run that is stored."""
        try:
            return self._run()
        except StoreRefusedError:
            # The lost commit came through after we had asked: its rows refuse the second run.
            if self._unsure and self._is_done():
                return self._unsure[-1]
            raise
        except StoreUnsureError:
            raise
        except StoreUnavailableError as error:
            if self._unsure:  # this run did nothing; whether an earlier one did is still open
                raise StoreUnsureError() from error
            raise

    def _run(self) -> Answer:
        answers: list[Answer] = []
        try:
            with self._write() as ledger:
                if self._unsure and self._done(ledger):
                    return self._unsure[-1]
                answers.append(self._work(ledger))
        except StoreUnsureError:
            self._unsure = answers or self._unsure
            raise
        return answers[0]

    def _is_done(self) -> bool:
        with self._write() as ledger:
            return self._done(ledger)
