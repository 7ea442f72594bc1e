"""The shape of a fractured vertebra as the films show it: each the latest of the present fracture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from adapters.fhir.answers import THERE, answered
from adapters.fhir.findings import Finding
from adapters.fhir.level_signs import CT
from pathway.facts import Fact, Value

Own = Callable[[str], Sequence[Finding]]

_ACUTE: Final[Mapping[str, Value]] = {"present": "fresh", "absent": "not-fresh"}
_SHAPES: Final[Mapping[str, Value]] = {shape: shape for shape in ("wedge", "biconcave", "crush", "burst")}


def morphology(own: Own) -> Iterator[Fact]:
    """Shape, cleft, cortex, endplate, and whether CT shows the fracture fresh; `own` are the findings of a code."""
    yield answered("ct-acuity", _ACUTE, [f for f in own("ct-acuity") if f.technique in CT])
    yield answered("morphology", _SHAPES, own("fracture-morphology"))
    yield answered("cleft", THERE, own("intravertebral-cleft"))
    yield answered("cortical-defect", THERE, own("cortical-defect"))
    yield answered("endplate-break", THERE, own("endplate-break"))
