"""Bad input: each a clear message that names place and fix, and nothing half kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.demo.record import Record, concept
from adapters.fhir.reading import LEVEL
from adapters.fhir.to_facts import ChartReader
from pathway.canonical import canonical
from pathway.decide import decide
from pathway.errors import BadInputError
from tests.world import NOW, book, candidate, machines, outcomes, person, read, reader, terms


def refused(data: bytes) -> BadInputError:
    with pytest.raises(BadInputError) as fault:
        reader().submission(data, "x.json")
    assert fault.value.where.startswith("x.json")
    assert fault.value.fix
    return fault.value


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "not FHIR"),
        (b'"Bundle"', "not FHIR"),
        (b'{"a": 1}', "not FHIR"),
        (b'{"resourceType": "Patiend", "id": "x"}', "resource type"),
        (b'{"resourceType": "Bundle"}', "no type"),
        (b'{"resourceType": "Bundle", "type": "collection"}', "no resource"),
        (b'{"resourceType": "Bundle", "type": "collection", "entry": {}}', "not a list"),
        (b'{"resourceType": "Bundle", "type": "collection", "entry": [1]}', "not an object"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "DELETE"}}]}', "DELETE"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": [{"request": [1]}]}', "no resource"),
        (b'{"resourceType": "Observation", "id": "o"}', "is required"),
    ],
)
def test_what_is_refused_whole_says_what_is_wrong(data: bytes, what: str) -> None:
    assert what in str(refused(data))


def test_two_patients_in_a_bundle_are_refused() -> None:
    bundle = person("a").fracture("L1", 3).bundle()
    bundle["entry"] += person("b").fracture("L1", 3).bundle()["entry"]
    assert "two patients" in str(refused(json.dumps(bundle).encode()))


def _with(record: Record, resource: dict[str, Any], kind: str = "collection") -> dict[str, Any]:
    bundle = record.bundle(kind)
    bundle["entry"].append({"resource": resource, "request": {"method": "POST", "url": "Observation"}})
    return bundle


def _decided(bundle: dict[str, Any]) -> Mapping[str, Any]:
    (delivery,) = read(bundle).deliveries
    chart = [resource for resource, _ in delivery.resources]
    case = ChartReader(book().vocabulary, terms()).build(delivery.patient, chart, NOW, aside=delivery.set_aside)
    return decide(case, machines()).body


def _pain(**other: Any) -> dict[str, Any]:
    made = copy.deepcopy(person("p1").pain(5, 1).resources[-1])
    return {**made, "id": "bad", **other}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a happening after its receipt": (_pain(effectiveDateTime="2026-11-23T12:00:00Z"), "received"),
    "a version dated after its receipt": (_pain(meta={"lastUpdated": "2026-11-23T12:00:00Z"}), "version date"),
    "an implausible value": (_pain(valueQuantity={"value": 15, "code": "{score}"}), "between 0 and 10"),
    "a wrong unit": (_pain(valueQuantity={"value": 5, "code": "mm"}), "unit"),
    "a level that does not exist": (_pain(bodySite=concept(LEVEL, "L6")), "no such vertebra"),
    "an unknown resource type": ({"resourceType": "Obsevation", "id": "bad"}, "resource type"),
    "a code outside a required binding": (_pain(status="done"), "status"),
    "no id": ({k: v for k, v in _pain().items() if k != "id"}, "no id"),
    "text for a number": (_pain(valueQuantity={"value": "5", "code": "{score}"}), "value"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_resource_among_good_ones_is_set_aside_and_the_decision_says_so(name: str) -> None:
    resource, why = BAD[name]
    body = _decided(_with(candidate(), resource))
    assert outcomes(body) == {"L1": "candidate"}
    (aside,) = (item for item in body["setAside"] if item["code"] == "invalid")
    assert why in aside["why"]
    assert "entry[" in aside["where"]


@pytest.mark.parametrize("name", BAD)
def test_a_transaction_with_one_bad_resource_fails_whole(name: str) -> None:
    resource, why = BAD[name]
    bundle = _with(candidate(), resource, "transaction")
    assert why in str(refused(json.dumps(bundle).encode()))


@pytest.mark.parametrize("name", BAD)
def test_no_message_repeats_a_value(name: str) -> None:
    resource, _ = BAD[name]
    marked = json.loads(json.dumps({**resource, "note": [{"text": "CANARY-7"}]}))
    assert b"CANARY" not in canonical(_decided(_with(candidate(), marked)))


@pytest.mark.parametrize("kind", ["collection", "searchset", "batch", "transaction", "document", "message", "history"])
def test_a_bundle_of_any_type_is_read(kind: str) -> None:
    bundle = {**candidate().bundle("transaction"), "type": kind}
    if kind in ("document", "message"):
        first = {"document": "Composition", "message": "MessageHeader"}[kind]
        bundle["entry"].insert(0, {"resource": {"resourceType": first, "id": "h"}})
    (delivery,) = read(bundle).deliveries
    assert delivery.patient == "test|p1"


def test_references_by_full_url_lead_to_the_patient() -> None:
    bundle = candidate().bundle("transaction")
    url = "urn:uuid:43b6ae50-2cca-4934-ad38-282f8934b770"
    text = (
        json.dumps(bundle)
        .replace('"fullUrl": "urn:x:Patient/p1"', f'"fullUrl": "{url}"')
        .replace('"Patient/p1"}', f'"{url}"}}')
    )
    (delivery,) = read(json.loads(text)).deliveries
    assert delivery.patient == "test|p1"
    assert len(delivery.resources) == len(bundle["entry"])


def test_ndjson_holds_many_patients_and_a_bad_line_is_set_aside() -> None:
    lines = [json.dumps(r) for p in ("a", "b") for r in person(p).fracture("L1", 3).resources]
    parcel = reader().ndjson(("\n".join([*lines, "{oops"]) + "\n").encode(), "all.ndjson")
    assert [d.patient for d in parcel.deliveries] == ["test|a", "test|b"]
    assert [e.accepted for e in parcel.entries] == [True, True, True, True, False]


def test_decimals_keep_their_digits() -> None:
    resource = _pain()
    text = json.dumps(person().bundle()).encode()
    bundle = json.loads(text)
    bundle["entry"].append({"resource": resource})
    raw = json.dumps(bundle).replace('"value": 5,', '"value": 5.50,').encode()
    (delivery,) = reader(NOW).submission(raw, "x").deliveries
    assert any(b"5.50" in body for _, body in delivery.resources)
