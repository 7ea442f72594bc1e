"""Pages for people: the start page and its stylesheet."""

from adapters.http.pages.views import blueprint as blueprint
