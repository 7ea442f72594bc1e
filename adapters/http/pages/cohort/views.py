"""The views of the cohort report: as a page up to a number of lines, and whole as CSV."""

from __future__ import annotations

from itertools import islice
from typing import Final

from flask import Response, render_template

from adapters.cohort_report import rendered
from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, zone
from adapters.http.rooms import house

MOST: Final = 200
"""What a page shows; the file has all of it."""


@blueprint.get("/cohort")
@needs(*MAY[Area.COHORT])
def cohort() -> str:
    """What is lacking about fractures and procedures from before the day of go-live."""
    found = list(islice(house().service.cohort(), MOST + 1))
    return render_template(
        "cohort.html", lines=found[:MOST], more=len(found) > MOST, go_live=house().settings.go_live, most=MOST
    )


@blueprint.get("/cohort.csv")
@needs(*MAY[Area.COHORT])
def cohort_csv() -> Response:
    """The whole report, line by line as it is read."""
    answer = Response(rendered(house().service.cohort(), "csv", zone()), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="cohort.csv"'
    return answer
