"""The views of measures: the last report, the patients behind a number, all of it as CSV, and to count anew."""

from __future__ import annotations

from flask import Response, redirect, render_template, request, url_for
from werkzeug import Response as Answer

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.frame import blueprint, zone
from adapters.http.pages.measures.model import MOST, behind, report, under_way
from adapters.http.rooms import house
from adapters.measure import job as measuring
from adapters.measure.report import WORDS, csv_rows
from pathway.measures import Window


@blueprint.get("/measures")
@needs(*MAY[Area.MEASURES])
def measures() -> str:
    """The numbers of the last report, a row for each measure, and how far a newer one is."""
    return render_template("measures.html", report=report(house()), far=under_way(house()))


@blueprint.post("/measures")
@needs(*MAY[Area.MEASURES])
def measure_now() -> Answer:
    """Begin to count anew as of now, unless that is under way; the service's workers do it."""
    far = under_way(house())
    if far is None or far.ended:
        measuring.begin(house(), Window(house().clock.now().replace(microsecond=0), zone()))
    return redirect(url_for("pages.measures"), 303)  # type: ignore[return-value]


@blueprint.get("/measures.csv")
@needs(*MAY[Area.MEASURES])
def measures_csv() -> Response:
    """Everybody behind every number of the last report, line by line as it is read; nobody where there is none."""
    found = report(house())
    lines = measuring.lines(house(), found.job) if found else iter(())
    answer = Response(csv_rows(lines), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="measures.csv"'
    return answer


@blueprint.get("/measures/<id>")
@needs(*MAY[Area.MEASURES])
def measure(id: str) -> str:
    """The patients behind one measure, or behind one of its numbers."""
    page = behind(house(), id, request.args.get("standing", ""))
    return render_template(
        "measure.html", page=page, most=MOST, words={code.value: word for code, word in WORDS.items()}
    )
