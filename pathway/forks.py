"""What a forked child must begin anew: locks and handles that another thread of the parent may have held midway."""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol


class Renewed(Protocol):
    """Something that a forked child may not use as it finds it."""

    def forget(self) -> None:
        """Begin with new locks and without what the parent had under way, touching neither."""
        ...


def renew_in_child(thing: Renewed) -> None:
    """Have `forget` called in every child forked from now on, for as long as the thing lives."""
    _renewed.add(thing)


_renewed: Final = weakref.WeakSet[Renewed]()


def _renew_all() -> None:
    for thing in list(_renewed):
        thing.forget()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
