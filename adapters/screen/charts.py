"""What is screened, one patient at a time: a Bundle's bytes, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chart:
    """One patient's resources as a Bundle; `where` names the place and never a value, `fault` says why data is empty.

    `aside` are the places of single resources that could not be read, `gaps` the kinds of data that a server did not
    give (what rests on their silence is unknown), each with the reason.
    """

    where: str
    data: bytes = b""
    fault: str = ""
    aside: tuple[tuple[str, str], ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()


def bundled(resources: Iterable[bytes]) -> bytes:
    """Resources, each as JSON, as one Bundle."""
    entries = b",".join(b'{"resource":%b}' % resource for resource in resources)
    return b'{"resourceType":"Bundle","type":"collection","entry":[%b]}' % entries
