"""The one import surface for FHIR models: `from adapters.fhir.resources import Task`, or `model("Task")` by name.

The wire is R4 and these are R4B models, because fhir.resources 8 has no R4; R4B accepts every R4 element of the types
named here. A model is imported when it is first asked for: the first costs a quarter of a second, the next about 10 ms.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pathway.errors import BadInputError

if TYPE_CHECKING:
    from fhir.resources.R4B.activitydefinition import ActivityDefinition as ActivityDefinition
    from fhir.resources.R4B.allergyintolerance import AllergyIntolerance as AllergyIntolerance
    from fhir.resources.R4B.appointment import Appointment as Appointment
    from fhir.resources.R4B.auditevent import AuditEvent as AuditEvent
    from fhir.resources.R4B.bundle import Bundle as Bundle
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement as CapabilityStatement
    from fhir.resources.R4B.careplan import CarePlan as CarePlan
    from fhir.resources.R4B.codesystem import CodeSystem as CodeSystem
    from fhir.resources.R4B.condition import Condition as Condition
    from fhir.resources.R4B.coverage import Coverage as Coverage
    from fhir.resources.R4B.detectedissue import DetectedIssue as DetectedIssue
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport as DiagnosticReport
    from fhir.resources.R4B.documentreference import DocumentReference as DocumentReference
    from fhir.resources.R4B.encounter import Encounter as Encounter
    from fhir.resources.R4B.goal import Goal as Goal
    from fhir.resources.R4B.imagingstudy import ImagingStudy as ImagingStudy
    from fhir.resources.R4B.library import Library as Library
    from fhir.resources.R4B.location import Location as Location
    from fhir.resources.R4B.measurereport import MeasureReport as MeasureReport
    from fhir.resources.R4B.medication import Medication as Medication
    from fhir.resources.R4B.medicationadministration import MedicationAdministration as MedicationAdministration
    from fhir.resources.R4B.medicationdispense import MedicationDispense as MedicationDispense
    from fhir.resources.R4B.medicationrequest import MedicationRequest as MedicationRequest
    from fhir.resources.R4B.medicationstatement import MedicationStatement as MedicationStatement
    from fhir.resources.R4B.observation import Observation as Observation
    from fhir.resources.R4B.operationoutcome import OperationOutcome as OperationOutcome
    from fhir.resources.R4B.organization import Organization as Organization
    from fhir.resources.R4B.parameters import Parameters as Parameters
    from fhir.resources.R4B.patient import Patient as Patient
    from fhir.resources.R4B.plandefinition import PlanDefinition as PlanDefinition
    from fhir.resources.R4B.procedure import Procedure as Procedure
    from fhir.resources.R4B.provenance import Provenance as Provenance
    from fhir.resources.R4B.questionnaire import Questionnaire as Questionnaire
    from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse as QuestionnaireResponse
    from fhir.resources.R4B.requestgroup import RequestGroup as RequestGroup
    from fhir.resources.R4B.servicerequest import ServiceRequest as ServiceRequest
    from fhir.resources.R4B.structuredefinition import StructureDefinition as StructureDefinition
    from fhir.resources.R4B.task import Task as Task
    from fhir.resources.R4B.valueset import ValueSet as ValueSet
    from fhir_core.fhirabstractmodel import FHIRAbstractModel

# fmt: off -- lists of names, several to a line
# What a rule can be fed from; these are validated in full when they come in.
READ: Final = frozenset(
    {
        "Patient",
        "Encounter",
        "Coverage",
        "AllergyIntolerance",
        "Condition",
        "ImagingStudy",
        "DiagnosticReport",
        "Observation",
        "Procedure",
        "Medication",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "MedicationStatement",
        "ServiceRequest",
        "Appointment",
        "Task",
        "QuestionnaireResponse",
        "CarePlan",
        "Location",
        "Organization",
    }
)
# What this service may author, which is some of the above and these.
WRITTEN: Final = READ | {
    "Goal",
    "DetectedIssue",
    "Provenance",
    "AuditEvent",
    "PlanDefinition",
    "ActivityDefinition",
    "Library",
    "ValueSet",
    "CodeSystem",
    "StructureDefinition",
    "Questionnaire",
    "RequestGroup",
    "CapabilityStatement",
    "OperationOutcome",
    "Bundle",
    "DocumentReference",
    "Parameters",
    "MeasureReport",
}
# fmt: on


@cache
def model(resource_type: str) -> type[FHIRAbstractModel]:
    """The model class of a resource type that we read or write; BadInputError for any other.

    The name is checked before it is imported: it comes from outside.
    """
    if resource_type not in WRITTEN:
        raise BadInputError("this service has no model of that resource type", code="not-supported")
    module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    return getattr(module, resource_type)


def __getattr__(name: str) -> Any:
    if name in WRITTEN:
        return model(name)
    raise AttributeError(f"adapters.fhir.resources has no model {name}")
