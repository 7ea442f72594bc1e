"""The invented population: the same each time, varied, and every record a chart that can be read whole."""

from __future__ import annotations

import json
from collections import Counter

from adapters.demo.population import inhabitant, population
from tests.world import NOW, decision_on, outcomes, read, wishes


def test_the_same_patients_every_time_whatever_their_number() -> None:
    few, many = list(population(5, NOW)), list(population(50, NOW))
    assert [r.bundle() for r in few] == [r.bundle() for r in many[:5]]
    assert inhabitant(3, NOW).bundle() == few[3].bundle()
    assert inhabitant(3, NOW, seed=1).bundle() != few[3].bundle()


def test_no_two_say_the_same_and_nothing_in_them_is_refused() -> None:
    made = list(population(200, NOW))
    assert len({json.dumps(r.bundle()["entry"][1:]) for r in made}) == len(made)
    assert all(entry.accepted for record in made for entry in read(record).entries)


def test_most_have_no_fracture_and_every_kind_of_verdict_is_among_the_rest() -> None:
    bodies = [decision_on(record) for record in population(400, NOW)]
    silent = sum(not body["levels"] for body in bodies)
    assert 0.4 < silent / len(bodies) < 0.7
    found = Counter(outcome for body in bodies for outcome in outcomes(body).values())
    assert {"insufficient-data", "not-a-candidate", "candidate", "defer", "needs-specialist-review"} <= found.keys()
    asked = {code for body in bodies for code in wishes(body)}
    assert {"neurology-emergency", "leak-check", "refer-osteoporosis", "name-fracture-level"} <= asked
