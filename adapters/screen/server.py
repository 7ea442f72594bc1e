"""Patients of a FHIR server: who there is, and for each the types that the service reads.

The same strictness as for a hook's data: a listed base, no redirects, caps, and a failure is never "nothing there".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from adapters.fhir import strict_json
from adapters.fhir.client import FhirServer, NotRetrievedError, normalised
from adapters.fhir.known_chart import READ
from adapters.fhir.site_codes import NO_SITE_CODES, SiteCodes
from adapters.http.cds_hooks.catalogue import PATIENT_TOKEN, services
from adapters.screen.charts import Chart, bundled
from adapters.settings import Settings
from adapters.worker import ending
from pathway.errors import BadInputError, PathwayError

LIST_SECONDS: Final = 600.0
CHART_SECONDS: Final = 60.0
_SILENT: Final = 8.0
"""How long a server may say nothing: so soon a worker that is told to stop lets go of a chart."""
_AT_ONCE: Final = 4  # searches side by side for one patient: a screening must not crowd out the clinic
_NEEDED: Final = ("patient", "conditions", "observations")  # without these a verdict would rest on nothing


def base_of(url: str, settings: Settings) -> str:
    """The base in its one form; BadInputError unless it is exactly one of the listed servers."""
    base = normalised(url, "screen")
    if base not in {normalised(one, "PATHWAY_FHIR_SERVERS") for one in settings.fhir_servers}:
        fix = f"""Set PATHWAY_FHIR_SERVERS='["{base}"]' if this server may be read"""
        raise BadInputError("not one of the FHIR servers that may be read", where=base, fix=fix)
    return base


class _Chart(FhirServer):
    """A server for one patient's chart, which is not fetched to its end once this process is told to stop."""

    def _left(self) -> float:
        if ending.is_ending():
            raise NotRetrievedError("the service is told to stop")
        return min(super()._left(), _SILENT)


def patients(base: str, token: str = "") -> tuple[str, ...]:
    """The ids of all patients, sorted. PathwayError if not all could be had: a part of them is not a population."""
    server = FhirServer(base, time.monotonic() + LIST_SECONDS, token, max_pages=100_000)
    came = server.fetch("Patient?_elements=id", "patients")
    if came.gap:
        raise NotRetrievedError(came.gap, where=base, fix="Mend the server, or screen an export: pathway screen DIR")
    found = (body.get("id") for _, body in came.resources if isinstance(body, Mapping))
    return tuple(sorted({id for id in found if isinstance(id, str)}))


def read(base: str, ids: Sequence[str], token: str = "", site: SiteCodes = NO_SITE_CODES) -> Iterator[Chart]:
    """The charts of patients by id. PathwayError if not one of several could be had: then it is the server."""
    failed = 0
    for id in ids:
        chart = _chart(_Chart(base, time.monotonic() + CHART_SECONDS, token), id, site)
        failed += bool(chart.fault)
        if failed > 1 and failed == len(ids):
            raise PathwayError("no patient could be read", where=base, why=chart.fault, fix="Look at the server")
        yield chart


def _chart(server: FhirServer, id: str, site: SiteCodes) -> Chart:
    wanted = {key: query.replace("{id}", id) for key, query in queries(site).items()}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        came = dict(zip(wanted, pool.map(server.fetch, wanted.values(), wanted), strict=True))
    lacking = [key for key in _NEEDED if came[key].gap]
    if lacking:
        return Chart(f"Patient/{id}", fault=f"{lacking[0]} could not be had: {came[lacking[0]].gap}")
    gaps = tuple((key, found.gap) for key, found in came.items() if found.gap)
    bodies = (body for found in came.values() for _, body in found.resources)
    return Chart(f"Patient/{id}", bundled(strict_json.dumps(body) for body in bodies), gaps=gaps)


@cache
def queries(site: SiteCodes) -> dict[str, str]:
    """By key the read or search for one patient: what a hook asks for, and the other types that are read."""
    (hook,) = services(site).values()
    # Some servers find nothing, without a word, where a reference stands without its type.
    plain, typed = f"patient={PATIENT_TOKEN}", "patient=Patient/{id}"
    asked = {k: text.replace(plain, typed).replace(PATIENT_TOKEN, "{id}") for k, text in hook.prefetch.items()}
    others = READ - {query.partition("?")[0].partition("/")[0] for query in asked.values()}
    return asked | {kind: f"{kind}?patient=Patient/{{id}}" for kind in sorted(others)}
