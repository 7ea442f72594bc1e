"""The views of rule sets."""

from __future__ import annotations

from collections.abc import Mapping

from flask import render_template, request

from adapters.http.auth import MAY, Area, needs
from adapters.http.pages.evidence import under
from adapters.http.pages.frame import blueprint
from adapters.http.pages.rulesets.model import head, heads, versions, whole
from adapters.http.rooms import house
from pathway import releases
from pathway.errors import NotFoundError
from pathway.rulebook import RuleSet


@blueprint.get("/rulesets")
@needs(*MAY[Area.RULE_SETS])
def rule_sets() -> str:
    """Every rule set: what decides today, what does not and why."""
    armed = house().rules.look(house().clock.now())
    told = heads(house().settings.rules, _deciding())
    return render_template(
        "rulesets.html", heads=told, day=armed.day, not_run=armed.not_run, trouble=armed.selection.trouble
    )


@blueprint.get("/rulesets/<id>")
@needs(*MAY[Area.RULE_SETS])
def rule_set(id: str) -> str:
    """One rule set with its versions."""
    found = versions(house().settings.rules, id, _deciding())
    if not found:
        raise NotFoundError("there is no such rule set", fix="The list of rule sets names them all")
    newest = _found(id, found[0].number, "")
    return render_template("ruleset.html", head=head(newest, _deciding()), versions=found)


@blueprint.get("/rulesets/<id>/<version>")
@needs(*MAY[Area.RULE_SETS])
def rule_set_version(id: str, version: str) -> str:
    """One version, rule by rule; by its hash where a decision names one, as it was stored with that decision."""
    found = _found(id, version, request.args.get("sha256", ""))
    return render_template("version.html", it=whole(found, _deciding()))


def _deciding() -> Mapping[str, RuleSet]:
    return house().book.sets


def _found(id: str, version: str, sha256: str) -> RuleSet:
    if sha256:
        with house().store.read() as ledger:
            chosen = under(ledger, house().book, sha256)
        if (chosen.id, chosen.version) != (id, version):
            raise NotFoundError("no release of this name is stored under this hash", fix="Follow a decision's link")
        return chosen
    now = _deciding().get(id)
    return now if now is not None and now.version == version else releases.read(house().settings.rules, id, version)
