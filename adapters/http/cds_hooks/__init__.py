"""CDS Hooks 2.0.1: what the rules say about a patient whose chart someone has opened."""

from adapters.http.cds_hooks.views import blueprint as blueprint
