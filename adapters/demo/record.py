"""A small language for synthetic charts: `Record("x", …).fracture("L1", 10).pain(7, 1)` gives a FHIR R4 Bundle.

Days are counted back from a given instant; every resource gets a stable id from what it says, so that the same record
made twice on one day is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from adapters.fhir.findings import ATTESTATION, RESTART, is_statement
from adapters.fhir.reading import ANSWER, FINDING, LEAK, LEVEL, ORDER, PAYER, TECHNIQUE
from adapters.fhir.terminology import local_system
from adapters.fhir.treated_facts import DESTINATIONS, GRAVE

Json = dict[str, Any]

UCUM: Final = "http://unitsofmeasure.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
ICD: Final = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
CPT: Final = "http://www.ama-assn.org/go/cpt"
SOPT: Final = "https://nahdo.org/sopt"
ALLERGEN: Final = local_system("allergen")
SIGNED: Final[Json] = {"reference": "Practitioner/demo", "display": "A clinician"}
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"


def concept(system: str, code: str) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


class Record:
    """One synthetic patient. Every method adds a resource and returns the record."""

    def __init__(self, id: str, now: datetime, *, name: str = "Test", gender: str = "female", age: int = 74) -> None:
        self.id = id
        self.now = now
        self.resources: list[Json] = []
        born = date(now.year - age, 1, 1)
        family, _, given = name.partition(" ")
        human: Json = {"family": given or family, "given": [family]} if given else {"family": family}
        self._add(
            {"resourceType": "Patient", "id": id, "name": [human], "gender": gender, "birthDate": born.isoformat()}
        )

    def at(self, days: float) -> str:
        """The instant some days before now, in UTC, to the second."""
        return (self.now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def bundle(self, kind: str = "collection") -> Json:
        """The record as a Bundle."""
        entries: list[Json] = [
            {"fullUrl": f"urn:x:{r['resourceType']}/{r['id']}", "resource": r} for r in self.resources
        ]
        if kind in ("transaction", "batch"):
            for entry, resource in zip(entries, self.resources, strict=True):
                entry["request"] = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        return {"resourceType": "Bundle", "type": kind, "entry": entries}

    def fracture(
        self, level: str, days: float, code: str = "M80.08XA", system: str = ICD, *, status: str = "active",
        verification: str = "confirmed", encounter: str = "", stated: bool = True,
    ) -> Record:  # fmt: skip
        """A vertebral fracture; an empty level leaves the vertebra unnamed."""
        body: Json = {
            "resourceType": "Condition",
            "clinicalStatus": concept(f"{_TERMINOLOGY}/condition-clinical", status),
            "verificationStatus": concept(f"{_TERMINOLOGY}/condition-ver-status", verification),
            "code": concept(system, code),
            "recordedDate": self.at(days),
        }
        if stated:
            body["onsetDateTime"] = self.at(days)
        if level:
            body["bodySite"] = [concept(LEVEL, level)]
        if encounter:
            body["encounter"] = {"reference": f"Encounter/{encounter}"}
        return self._own(body, "fx")

    def condition(
        self, code: str, days: float, system: str = ICD, *, status: str = "active", verification: str = "confirmed"
    ) -> Record:
        """Any other diagnosis."""
        return self.fracture("", days, code, system, status=status, verification=verification)

    def encounter(self, kind: str, days: float, *, ended: float | None = None) -> Record:
        """An encounter of a class (`AMB`, `IMP`) that began some days ago and has ended, or not."""
        period = {"start": self.at(days)} | ({} if ended is None else {"end": self.at(ended)})
        body: Json = {
            "resourceType": "Encounter", "status": "finished" if ended is not None else "in-progress",
            "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": kind}, "period": period,
        }  # fmt: skip
        return self._own(body, "enc")

    def contact(self, days: float, kind: str = "AMB", *, status: str = "finished") -> Record:
        """A contact of follow-up after the last procedure: a visit (`AMB`) or a call (`VR`)."""
        body: Json = {
            "resourceType": "Encounter", "status": status,
            "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": kind},
            "reasonReference": [self._last_procedure()],
            "period": {"start": self.at(days)} | ({"end": self.at(days - 0.02)} if status == "finished" else {}),
        }  # fmt: skip
        return self._own(body, "contact")

    def appointment(self, days: float, status: str = "booked") -> Record:
        """An appointment of follow-up after the last procedure; ahead of now where `days` is negative."""
        who = {"actor": {"reference": f"Patient/{self.id}"}, "status": "accepted"}
        body: Json = {
            "resourceType": "Appointment", "status": status, "reasonReference": [self._last_procedure()],
            "start": self.at(days), "end": self.at(days - 0.02), "participant": [who],
        }  # fmt: skip
        count = sum(1 for r in self.resources if r["resourceType"] == "Appointment")
        return self._add({**body, "id": f"{self.id}-appointment-{count + 1}"})

    def pain(self, score: int, days: float, *, site: bool = True, moving: bool = True, status: str = "final") -> Record:
        """A pain score, on the spine unless said otherwise."""
        body = self._observation(concept(LOINC, "72514-3"), days, status)
        body["valueQuantity"] = {"value": score, "system": UCUM, "code": "{score}"}
        if site:
            body["bodySite"] = concept(SNOMED, "421060004")
        if moving:
            body["component"] = [_part("pain-circumstance", concept(ANSWER, "on-movement"))]
        return self._own(body, "pain")

    def finding(
        self, code: str, answer: str, days: float, *, level: str = "", technique: str = "", status: str = "final",
    ) -> Record:  # fmt: skip
        """A coded finding, at a vertebra if one is named."""
        body = self._observation(concept(FINDING, code), days, status)
        body["valueCodeableConcept"] = concept(ANSWER, answer)
        if level:
            body["bodySite"] = concept(LEVEL, level)
        if technique:
            body["component"] = [_part("imaging-technique", concept(TECHNIQUE, technique))]
        if is_statement(code):
            body["performer"] = [SIGNED]
        return self._own(body, code)

    def attest(self, answers: Mapping[str, str], days: float, *, level: str = "", signed: bool = True) -> Record:
        """One statement that answers several findings at once, at a vertebra if one is named."""
        body = self._observation(concept(FINDING, ATTESTATION), days, "final")
        body["component"] = [_part(code, concept(ANSWER, answer)) for code, answer in answers.items()]
        if level:
            body["bodySite"] = concept(LEVEL, level)
        if signed:
            body["performer"] = [SIGNED]
        return self._own(body, ATTESTATION)

    def lab(
        self, code: str, value: float | str, unit: str, days: float, *, flag: str = "", high: float | None = None,
        low: float | None = None, status: str = "final",
    ) -> Record:  # fmt: skip
        """A measurement by its LOINC code, in a UCUM unit; with the laboratory's flag (`N`, `H`) or its bounds."""
        body = self._observation(concept(LOINC, code), days, status)
        amount = value if isinstance(value, str) else {"value": value, "system": UCUM, "code": unit}
        body["valueString" if isinstance(value, str) else "valueQuantity"] = amount
        if flag:
            body["interpretation"] = [concept(f"{_TERMINOLOGY}/v3-ObservationInterpretation", flag)]
        ends = {
            end: {"value": at, "system": UCUM, "code": unit}
            for end, at in (("low", low), ("high", high))
            if at is not None
        }
        if ends:
            body["referenceRange"] = [ends]
        return self._own(body, "lab")

    def medicine(
        self, text: str, days: float, *, code: str = "", system: str = RXNORM, status: str = "active",
        kind: str = "MedicationRequest",
    ) -> Record:  # fmt: skip
        """A medicine by its text, its code or both: prescribed, or by another `kind` taken, given or handed out."""
        coded: Json = concept(system, code) if code else {}
        body: Json = {"resourceType": kind, "status": status}
        body["medicationCodeableConcept"] = coded | ({"text": text} if text else {})
        if kind == "MedicationRequest":
            body |= {"intent": "order", "authoredOn": self.at(days)}
        else:
            dates = {"MedicationStatement": "dateAsserted", "MedicationAdministration": "effectiveDateTime"}
            body[dates.get(kind, "whenHandedOver")] = self.at(days)
        return self._own(body, "medicine")

    def hold(self, days: float, *, restart: float | None = None, answer: str = "hold") -> Record:
        """A signed plan for the antithrombotic; `restart` is so many days from now."""
        self.finding("antithrombotic-plan", answer, days)
        if restart is not None:
            day = {"code": concept(FINDING, RESTART), "valueDateTime": self.at(-restart)[:10]}
            self.resources[-1]["component"] = [day]
        return self

    def consent(self, days: float, *, silent: Iterable[str] = ()) -> Record:
        """What the patient was told, item by item, but for what was kept silent about."""
        items = ("trial-evidence", "leak", "embolism", "infection", "bleeding", "new-fracture")
        told = {f"consent-{item}": "present" for item in items if item not in silent}
        return self.panel("consent", told, days)

    def panel(self, code: str, answers: Mapping[str, str], days: float, *, status: str = "final") -> Record:
        """A finding that gathers others, each a component: `consent`, `fracture-suspicion`."""
        body = self._observation(concept(FINDING, code), days, status)
        body["component"] = [_part(name, concept(ANSWER, answer)) for name, answer in answers.items()]
        return self._own(body, code)

    def reason(self, flag: str, days: float, *, level: str = "", text: str = "discussed with the patient") -> Record:
        """A documented reason to go on although a flag (`allergy`, `instability` …) is present."""
        body = self._observation(concept(FINDING, f"reason-despite-{flag}"), days, "final")
        body |= {"valueString": text, "performer": [SIGNED]}
        if level:
            body["bodySite"] = concept(LEVEL, level)
        return self._own(body, f"reason-{flag}")

    def disability(self, score: int, days: float, *, status: str = "final") -> Record:
        """A Roland-Morris total, 0 to 24."""
        body = self._observation(concept(FINDING, "disability-score"), days, status)
        body["valueInteger"] = score
        return self._own(body, "disability")

    def oedema(self, level: str, present: bool, days: float, technique: str = "stir") -> Record:
        """Marrow oedema at a vertebra, present or absent, by a technique."""
        return self.finding("marrow-oedema", "present" if present else "absent", days, level=level, technique=technique)

    def tender(self, level: str, present: bool, days: float) -> Record:
        """Tenderness at a vertebra, present or absent."""
        return self.finding("spinal-tenderness", "present" if present else "absent", days, level=level)

    def height_loss(
        self, level: str, percent: int, days: float, technique: str = "", *, status: str = "final"
    ) -> Record:
        """Height loss of a vertebra in per cent, by a technique if one is named."""
        body = self._observation(concept(FINDING, "vertebral-height-loss"), days, status)
        body["bodySite"] = concept(LEVEL, level)
        body["valueQuantity"] = {"value": percent, "system": UCUM, "code": "%"}
        if technique:
            body["component"] = [_part("imaging-technique", concept(TECHNIQUE, technique))]
        return self._own(body, "height")

    def well(self, days: float) -> Record:
        """A normal neurological examination and a negative infection screen."""
        return self.finding("neurological-examination", "normal", days).finding("infection-screen", "absent", days)

    def care(self, days: float, kind: str = "analgesia") -> Record:
        """Conservative care that began some days ago and goes on."""
        body = self._observation(concept(FINDING, "conservative-care"), days, "final")
        del body["effectiveDateTime"]
        body["effectivePeriod"] = {"start": self.at(days)}
        body["valueCodeableConcept"] = concept(ANSWER, kind)
        return self._own(body, "care")

    def cement(
        self, level: str, days: float, code: str = "22514", system: str = CPT, *, status: str = "completed",
        complication: Iterable[str] = (),
    ) -> Record:  # fmt: skip
        """A cement procedure; an empty level leaves the vertebra unnamed."""
        body: Json = {
            "resourceType": "Procedure", "status": status, "code": concept(system, code),
            "performedDateTime": self.at(days),
        }  # fmt: skip
        if level:
            body["bodySite"] = [concept(LEVEL, level)]
        codes = [concept(LEAK, destination) for destination in complication]
        return self._own(body | ({"complication": codes} if codes else {}), "cement")

    def leak_statement(self, level: str, days: float, leaks: Iterable[str] = (), silent: Iterable[str] = ()) -> Record:
        """The operator's statement for every destination except those kept silent about.

        Cement inside the dura, or in heart or great veins, is stated only where it is among the `leaks`.
        """
        body = self._observation(concept(FINDING, "cement-leak"), days, "final")
        body["bodySite"] = concept(LEVEL, level)
        body["partOf"] = [
            {"reference": f"Procedure/{r['id']}"} for r in self.resources if r["resourceType"] == "Procedure"
        ]
        body["component"] = [
            {
                "code": concept(LEAK, place),
                "valueCodeableConcept": concept(ANSWER, "present" if place in leaks else "absent"),
            }
            for place in (*DESTINATIONS, *GRAVE)
            if place not in silent and (place in DESTINATIONS or place in leaks)
        ]
        return self._own(body, "leak")

    def of_procedure(self, code: str, answer: str, days: float, *, level: str = "") -> Record:
        """A finding that is part of the last procedure, of all its vertebrae unless one is named."""
        self.finding(code, answer, days, level=level)
        return self._part_of_procedure()

    def volume(self, level: str, millilitres: int | float, days: float, *, status: str = "final") -> Record:
        """The volume of cement that the last procedure gave into a vertebra."""
        body = self._observation(concept(FINDING, "cement-volume"), days, status)
        body["valueQuantity"] = {"value": millilitres, "system": UCUM, "code": "mL"}
        if level:
            body["bodySite"] = concept(LEVEL, level)
        return self._own(body, "volume")._part_of_procedure()

    def legs_well(self, days: float) -> Record:
        """The questions of a call: legs, saddle, bladder and bowel are as they were."""
        for sign in ("leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble"):
            self.finding(sign, "absent", days)
        return self

    def residual_urine(self, millilitres: int, days: float, *, status: str = "final") -> Record:
        """The volume of urine left in the bladder."""
        body = self._observation(concept(FINDING, "residual-urine"), days, status)
        body["valueQuantity"] = {"value": millilitres, "system": UCUM, "code": "mL"}
        return self._own(body, "residual")

    def sins(self, level: str, total: int, days: float, *, status: str = "final") -> Record:
        """A total of the spinal instability neoplastic score; its parts are findings of their own."""
        body = self._observation(concept(FINDING, "sins-total"), days, status)
        body |= {"valueInteger": total, "bodySite": concept(LEVEL, level)}
        return self._own(body, "sins")

    def during(self, encounter: str) -> Record:
        """Puts the last record into an encounter."""
        self.resources[-1]["encounter"] = {"reference": f"Encounter/{encounter}"}
        return self

    def referral(self, status: str, days: float) -> Record:
        """An osteoporosis referral."""
        body: Json = {
            "resourceType": "ServiceRequest", "status": status, "intent": "order",
            "code": concept(ORDER, "osteoporosis-referral"), "authoredOn": self.at(days),
        }  # fmt: skip
        return self._own(body, "referral")

    def order(
        self, code: str, days: float, *, levels: Iterable[str] = (), status: str = "active", system: str = ORDER,
        intent: str = "order",
    ) -> Record:  # fmt: skip
        """Any order, such as `bone-density`, or `vertebral-augmentation` with the vertebrae of the plan."""
        body: Json = {
            "resourceType": "ServiceRequest", "status": status, "intent": intent, "code": concept(system, code),
            "authoredOn": self.at(days),
        }  # fmt: skip
        sites = [concept(LEVEL, level) for level in levels]
        return self._own(body | ({"bodySite": sites} if sites else {}), "order")

    def coverage(
        self, code: str, system: str = PAYER, *, order: int = 0, status: str = "active", begun: float = 400,
        ended: float | None = None,
    ) -> Record:  # fmt: skip
        """Who pays, by a local code (`original-medicare`) or one of SOPT (`121`); `order` 1 pays first."""
        period = {"start": self.at(begun)} | ({} if ended is None else {"end": self.at(ended)})
        body: Json = {
            "resourceType": "Coverage", "status": status, "type": concept(system, code), "period": period,
            "payor": [{"display": "A payer"}],
        }  # fmt: skip
        return self._own(body | ({"order": order} if order else {}), "coverage", "beneficiary")

    def place(self, state: str, country: str = "US", *, district: str = "") -> Record:
        """Where the last encounter is: a contained place with its state."""
        encounter = next(r for r in reversed(self.resources) if r["resourceType"] == "Encounter")
        address = {"state": state, "country": country, "district": district}
        house: Json = {"resourceType": "Location", "id": "place", "address": {k: v for k, v in address.items() if v}}
        encounter["contained"] = [house]
        encounter["location"] = [{"location": {"reference": "#place"}}]
        return self

    def allergy(
        self, code: str, days: float, system: str = ALLERGEN, *, status: str = "active", verification: str = "confirmed"
    ) -> Record:
        """An allergy: `bone-cement`, `cement-opacifier`, or a SNOMED CT code such as 716186003, no known allergy."""
        body: Json = {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": concept(f"{_TERMINOLOGY}/allergyintolerance-clinical", status),
            "verificationStatus": concept(f"{_TERMINOLOGY}/allergyintolerance-verification", verification),
            "code": concept(system, code), "recordedDate": self.at(days),
        }  # fmt: skip
        if verification == "entered-in-error":
            del body["clinicalStatus"]  # ait-2
        return self._own(body, "allergy", "patient")

    def study(
        self, modality: str, days: float, status: str = "available", *, spine: bool = True, level: str = ""
    ) -> Record:  # fmt: skip
        """An imaging study of one DICOM modality, of a vertebra or the spine, or of no named site."""
        kind = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality}
        body: Json = {"resourceType": "ImagingStudy", "status": status, "started": self.at(days), "modality": [kind]}
        if spine:
            site = {"system": LEVEL, "code": level} if level else {"system": SNOMED, "code": "421060004"}
            body["series"] = [{"uid": "2.25.1", "modality": kind, "bodySite": site}]
        return self._own(body, "study")

    def report(self, days: float, status: str = "final") -> Record:
        """What was read of the last study."""
        study = next(r for r in reversed(self.resources) if r["resourceType"] == "ImagingStudy")
        body: Json = {
            "resourceType": "DiagnosticReport", "status": status, "code": {"text": "Report"},
            "effectiveDateTime": study["started"], "issued": self.at(days),
            "imagingStudy": [{"reference": f"ImagingStudy/{study['id']}"}],
        }  # fmt: skip
        return self._own(body, "report")

    def _part_of_procedure(self) -> Record:
        self.resources[-1]["partOf"] = [self._last_procedure()]
        return self

    def _last_procedure(self) -> Json:
        last = next(r for r in reversed(self.resources) if r["resourceType"] == "Procedure")
        return {"reference": f"Procedure/{last['id']}"}

    def _observation(self, code: Json, days: float, status: str) -> Json:
        return {"resourceType": "Observation", "status": status, "code": code, "effectiveDateTime": self.at(days)}

    def _own(self, body: Json, name: str, owner: str = "subject") -> Record:
        """Add a resource of this patient under the next free id of its kind; `owner` is the element that says whose."""
        count = sum(1 for r in self.resources if r["id"].startswith(f"{self.id}-{name}-"))
        subject: Mapping[str, Json] = {owner: {"reference": f"Patient/{self.id}"}}
        return self._add({**body, "id": f"{self.id}-{name}-{count + 1}", **subject})

    def _add(self, body: Json) -> Record:
        self.resources.append(body)
        return self


def _part(code: str, value: Json) -> Json:
    return {"code": concept(FINDING, code), "valueCodeableConcept": value}
