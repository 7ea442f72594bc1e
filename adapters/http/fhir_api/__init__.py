"""The FHIR API: records in, tasks and care plans out."""

from adapters.http.fhir_api.views import blueprint as blueprint
