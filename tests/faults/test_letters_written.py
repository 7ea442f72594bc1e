"""A signed letter at a FHIR server: once, whatever happens on the way; what is kept here alone is not referred to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.db.outbox import Outbox
from adapters.fhir.from_letter import LETTER
from adapters.fhir.phone_call import CALL, Call, bundle
from adapters.ingest.calls import procedures_of, take
from adapters.out.posting import SEND
from pathway.chart import patient_id
from pathway.letters import Letter
from pathway.people import Person, Role
from tests.faults.proxy import lost
from tests.faults.writing import Desk, Office, office
from tests.world import ingest, person

pytestmark = pytest.mark.service
CLARA = Person("clara", Role.CLINICIAN, "Clara C.")


@pytest.fixture(params=["sekmet-ours", "medplum-server"], scope="module")
def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Both servers, and both ways to give ids; the other pairs are the writer's own tests."""
    with office(request.param, tmp_path_factory.mktemp("letters")) as one:
        yield one


def signed(desk: Desk, replaces: str = "") -> Letter:
    """A letter that a clinician made and signed off."""
    letters = desk.house.service.correspondence
    with desk.house.store.read() as ledger:
        decision = ledger.decisions(desk.patient)[0].id
    id = str(uuid.uuid4())
    letters.make(id, desk.patient, decision, b"<p>preliminary</p>", CLARA, replaces)
    return letters.sign(id, b"<p>signed</p>", CLARA)


def there(desk: Desk, letter: Letter) -> list[dict[str, Any]]:
    return desk.server.search("DocumentReference", identifier=f"{LETTER}|{letter.id}")


def writes(desk: Desk) -> int:
    return desk.proxy.writes("DocumentReference")


def test_a_letter_is_there_once_and_its_successor_supersedes_it(desk: Desk) -> None:
    first = signed(desk)
    desk.settle()
    second = signed(desk, replaces=first.id)
    desk.settle()
    (old,), (new,) = there(desk, first), there(desk, second)
    assert (old["status"], new["status"], new["docStatus"]) == ("superseded", "current", "final")
    assert new["relatesTo"][0]["target"]["identifier"] == {"system": LETTER, "value": first.id}
    assert (new["id"] == second.id) is desk.own_ids
    assert len(desk.proofs(f"DocumentReference/{new['id']}")) == 1
    assert writes(desk) == 3
    desk.check()


def test_a_letter_whose_answer_was_lost_is_not_written_again(desk: Desk) -> None:
    desk.settle()
    desk.proxy.next(lost(), path="/DocumentReference", method="PUT" if desk.own_ids else "POST")
    letter = signed(desk)
    desk.settle()
    assert len(there(desk, letter)) == 1
    assert writes(desk) == 1


def test_a_writer_that_dies_between_the_server_and_its_own_note_writes_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settle()
    letter = signed(desk)
    remember, heard = Outbox.remember, []

    def die(self: Outbox, *about: Any) -> bool:
        heard.append(about)
        if len(heard) == 2:  # noted before the write, and now after it
            raise KeyboardInterrupt
        return remember(self, *about)

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "remember", die)
        with pytest.raises(KeyboardInterrupt):
            desk.drain()
    desk.clock.forward(seconds=3 * SEND.total_seconds())
    desk.settle()
    assert len(there(desk, letter)) == 1
    assert writes(desk) == 1


def test_a_letter_that_nobody_signed_stays_here(desk: Desk) -> None:
    with desk.house.store.read() as ledger:
        decision = ledger.decisions(desk.patient)[0].id
    made = desk.house.service.correspondence.make(str(uuid.uuid4()), desk.patient, decision, b"<p>x</p>", CLARA)
    signed(desk, replaces=made.id)
    desk.settle()
    assert there(desk, made) == []


def test_a_task_that_rests_on_a_call_kept_here_names_it_without_a_reference(desk: Desk) -> None:
    """The server has no such Observation: a reference to it would be refused, and the emergency with it."""
    id = patient_id(desk.patient)
    ingest(desk.house, person(id).fracture("L1", 40).cement("L1", 2).well(1.5))
    (contact,) = (one for one in desk.tasks if one.rule == "after-cement.early-contact")
    with desk.house.store.read() as ledger:
        procedures = procedures_of(ledger, contact)
    call = Call(
        str(uuid.uuid4()), contact.id, id, procedures, desk.clock.now(), CLARA, {"chest-check": "symptoms"}, "test"
    )
    take(desk.house, bundle(call), contact, CLARA)
    desk.settle()
    (alarm,) = (one for one in desk.tasks if one.code == "chest-emergency")
    (written,) = desk.there(alarm)
    named = [part["valueReference"] for part in written["input"] if "valueReference" in part]
    ours = [one for one in named if one.get("identifier", {}).get("system") == CALL]
    assert ours
    assert not any("pathway-call-" in one.get("reference", "") for one in named)
