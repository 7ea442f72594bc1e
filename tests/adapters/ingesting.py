"""Records cut into deliveries, and a process that ingests: `python -m tests.adapters.ingesting URL PATIENTS SEED`."""

from __future__ import annotations

import json
import random
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.bootstrap import House
from pathway.ports import Submission
from pathway.service import Ingested
from tests.world import NOW, FixedClock, candidate, make_house

Part = Mapping[str, Any]


def parts(patient: str = "p1", size: int = 2) -> list[Part]:
    """A candidate's record cut into Bundles of a few resources, each with the Patient."""
    whole = replace_id(candidate().bundle(), patient)
    about, *others = whole["entry"]
    if about["resource"]["resourceType"] != "Patient":
        raise ValueError("the first entry is expected to be the Patient")
    chunks = [others[n : n + size] for n in range(0, len(others), size)]
    return [{**whole, "entry": [about, *chunk]} for chunk in chunks]


def replace_id(bundle: Part, patient: str) -> dict[str, Any]:
    """The same Bundle about another patient."""
    return json.loads(json.dumps(bundle).replace("p1", patient))


def deliver(house: House, part: Part, name: str) -> Ingested:
    """A part through the door, signed with a name."""
    data, now = json.dumps(part).encode(), house.clock.now()
    parcel = house.reader(now).submission(data, "test")
    (delivery,) = parcel.deliveries
    submission = Submission(str(uuid.uuid4()), "local", "test", now, parcel.sha256)
    return house.service.ingest(delivery, submission, data, name)


def state(house: House, patients: Iterable[str]) -> dict[str, Any]:
    """All that is stored of some patients, but for what differs by chance: the ids of decisions."""
    found: dict[str, Any] = {}
    with house.store.read() as ledger:
        for patient in sorted(patients):
            found[patient] = (
                {r.reference: r.sha256 for r in ledger.chart(patient)},
                ledger.chart_version(patient),
                ledger.episodes(patient),
                [replace(task, decision="") for task in ledger.tasks(patient)],
                [json.loads(d.body)["levels"] for d in ledger.decisions(patient)],
            )
    return found


def main(url: str, patients: str, seed: str) -> None:
    """Deliver all parts of some patients in an order of its own, each two times; say how many went in."""
    house = make_house(Path("."), FixedClock(NOW), database_url=url)
    work = [(part, f"{p}-{n}") for p in patients.split(",") for n, part in enumerate(parts(p))] * 2
    random.Random(seed).shuffle(work)
    for part, name in work:
        deliver(house, part, name)
    house.close()
    sys.stdout.write(f"{len(work)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
