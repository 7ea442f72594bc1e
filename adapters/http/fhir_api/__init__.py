"""The FHIR API: records in, tasks, care plans and letters out."""

from adapters.http.fhir_api.views import blueprint as blueprint
