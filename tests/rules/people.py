"""Invented people: cases built from facts alone, near the bounds of the rules, candidates until something differs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from pathway.case import Case
from pathway.casefiles import AS_OF
from pathway.completions import representatives
from pathway.conditions import Leaf, leaves
from pathway.episodes import Episode, EpisodeKind, person_episode_id
from pathway.facts import Fact, Interval, Reason, Sheet, Value, unknown
from pathway.levels import LEVELS, UNSPECIFIED, sort_key
from pathway.vocabulary import Datum, Kind, Scope
from tests.conftest import SOAK
from tests.rules.book import ALL, BOOK

VOCABULARY = BOOK.vocabulary
PATIENT = "test|1"
KEYS = [rule.id for rule in ALL if rule.per]

GOOD: Mapping[str, Value] = {
    "age": 74, "pregnancy": False, "self-report": True, "pain-score": Decimal(7), "infection": False,
    "neurology": "normal", "hospitalised": False, "bed-bound": False, "tender-beside-fresh": False,
    "level-order": Interval(20, 20), "level-named": True, "cement-on-record": False, "fracture-evidence": "diagnosed",
    "fracture-cause": "osteoporotic", "days-since-onset": 30, "days-since-evidence": 2, "height-loss": Decimal(25),
    "acuity-imaging": "oedema-or-uptake", "tenderness": "at-level", "conservative-care-days": 28,
    "pain-change": Decimal(0), "days-since-cement": 1, "cemented-against-proof": "proven", "leak-canal": False,
    "leak-foramen": False, "leak-epidural-veins": False, "leak-paravertebral-veins": False, "leak-disc": False,
    "leak-soft-tissue": False, "leak-lungs": False,
    "leak-intradural": False, "leak-heart-or-cava": False, "embolism-place": "peripheral", "embolism-plan": "observe",
    "heart-team": True, "cement-migrating": False, "radicular-pain": False, "surgeon-after-cement": "consulted",
    "pain-above-baseline": Decimal(-5), "chest-ct-after-cement": True, "acute-cor-pulmonale": False,
    "embolism-codes": "both", "embolism-risk-factors": Interval(1, 1), "saturation-measured": True,
    "neurology-after-cement": "normal",
    "chest-after-cement": "normal", "ct-after-cement": True, "treated-cause": "osteoporotic",
    "osteoporosis-referral": "kept", "pain-after-cement": Decimal(2), "last-contact-day": 21, "chest-check-day": 1,
    "observed-for": 6,
    "bone-density-result": True, "bone-laboratory": 7,
    "osteoporosis-treatment": "dispensed", "deceased": False, "cement-before-onset": False,
    "payer": "original-medicare", "place-of-service": "je", "disability-score": 12, "levels-planned": Interval(1, 1),
    "cement-allergy": False, "coagulopathy": False, "bone-density-referral": True, "osteoporosis-education": True,
    "treatment-programme": True, "pain-attribution": "this-fracture", "care-optimal": True,
    "progressive-height-loss": True, "kyphosis": True, "spinal-instability": False, "neural-impingement": False,
    "retropulsion": False, "reason-despite-level-count": False, "reason-despite-allergy": False,
    "reason-despite-coagulopathy": False, "reason-despite-neurology": False, "reason-despite-instability": False,
    "reason-despite-impingement": False, "reason-despite-retropulsion": False,
    "mri-unsafe": False, "pain-controlled": False, "physiotherapy-tolerated": False, "analgesia-side-effects": True,
    "suspicion-findings": Interval(8, 9), "state-of-care": "ca", "care-setting": "hospital-outpatient",
    "prior-authorization": "affirmed", "procedure-planned": True, "cement-ordered-here": True,
    "unusable-results": False, "planned-technique": "kyphoplasty",
    "cardiopulmonary-disease": False, "reason-despite-cardiopulmonary-disease": False, "inr": Decimal("1.1"),
    "platelets": 210, "bleeding-risk": False, "antithrombotic": "none", "antithrombotic-plan": "hold",
    "antithrombotic-restart": True, "thrombotic-risk": "not-high", "antibiotic-prophylaxis": True,
    "antibiotic-allergy": False, "contrast-allergy": False, "body-temperature": Decimal("36.8"),
    "inflammation-markers": "normal", "inflammation-explained": False, "prone-and-sedation": "tolerated",
    "surgical-rescue": True, "team-discussion": True, "bone-care-referral": "placed",
    "consent-trial-evidence": True, "consent-leak": True, "consent-embolism": True, "consent-infection": True,
    "consent-bleeding": True, "consent-new-fracture": True, "ct-acuity": "fresh", "morphology": "wedge",
    "cleft": False, "cortical-defect": False, "endplate-break": False, "atypical-pattern": False,
    "posterior-wall": "intact", "spinal-stenosis": False, "surgeon-opinion": True, "order-code-fits": True,
    "reason-despite-collapse": False, "reason-despite-epidural-extension": False, "tumour-kind": "metastasis",
    "performance-status-poor": False, "hyperviscosity": False, "occult-tumour-signs": False,
    "sins": Interval(8, 8), "tumour-lesion": "lytic", "epidural-extension": False, "tumour-claim-codes": "both",
    "technique-used": "kyphoplasty", "procedure-code-fits": True, "guidance": "fluoroscopy",
    "fragility-fracture": True, "skeletal-malignancy": False, "egfr": 62, "creatinine-clearance": 55,
    "blood-calcium": "normal", "vitamin-d-low": False, "t-score": Decimal("-2.4"),
    "recent-heart-attack-or-stroke": False, "paget-disease": False, "skeletal-radiotherapy": False,
    "atypical-femur-fracture": False, "jaw-necrosis": False,
    "oesophageal-disease": False, "cannot-sit-upright": False, "dental-review": True, "fall-risk-high": False,
    "frax-major": Decimal(18), "frax-hip": Decimal(3), "body-mass-index": Decimal(25), "hounsfield-units": 90,
    "days-since-last-fracture": Interval(30, 30), "fractured-vertebrae": Interval(1, 1),
    "second-height-loss": Interval(0, 0), "days-treated-at-fracture": Interval(0, 0),
    "much-height-restored": False,
    "approach": "transpedicular", "sedation": "moderate", "stopped-for-leak": False, "cement-volume": Decimal(4),
    "leg-weakness": False, "saddle-numbness": False, "bladder-or-bowel-trouble": False, "residual-urine": 40,
    "neurology-asked": "answered", "cement-in-canal": False, "night-pain": False,
    "highest-temperature": Decimal("36.8"), "antithrombotic-restart-days": -2, "antithrombotic-restarted": False,
    "chest-symptom-after-cement": False, "saturation-after-cement": 97, "saturation-day": 1,
    "pulse-after-cement": 76, "pulse-day": 1, "wound-after-cement": "clean",
    "osteoporosis-recorded": True, "hormone-therapy": False, "steroid-days": 10, "denosumab-gap-days": 30,
    "denosumab-course": "running", "nutrition-advice": True, "falls-assessment": True, "three-messages": True,
    "oncology-bone-plan": True, "treatment-review": True, "electrophoresis": True, "parathyroid-hormone": True,
    "fracture-referral": "kept", "fracture-treatment": "dispensed", "fracture-density": True,
    "fracture-laboratory": 7, "bone-care-by-cement": False, "fracture-on-treatment": 0,
    "pain-course": "responded", "pain-fall": Decimal(5), "pain-day": 1, "function-after-cement": 8, "function-day": 1,
    "new-back-pain": False, "imaged-for-pain": True, "markers-for-pain": True, "activity-advice": True,
    "cemented-again": False,
    "recollapse": "none", "next-to-cement": "elsewhere", "studied-since-height-loss": True, "sandwiched": "neither",
    "fractures-in-three-months": Interval(1, 1), "fracture-episodes": Interval(1, 1), "cluster-review": True,
    "administrative-sex": "female", "omw-age": 74, "omw-day": 60, "omw-density-before-days": 900,
    "omw-therapy-before-days": 400, "omw-hospice": False, "referral-after-fracture": 40, "density-after-fracture": 60,
    "documents-before-cement": "complete", "treatment-start-day": 30, "treatment-reason-day": 30, "visit-kept-day": 21,
    "score-at-one-month": True, "score-at-three-months": True, "score-at-twelve-months": True,
    "symptoms-after-cement": False, "deficit-after-cement": "none", "infection-day": 200, "new-fracture-day": 300,
    "death-day": 900,
}  # fmt: skip
"""Facts that make a candidate whose coverage is met, and after cement leave nothing open."""


def known(datum: str, value: Value, age: timedelta = timedelta(hours=6)) -> Fact:
    return Fact(datum, value, at=AS_OF - age, sources=(f"Observation/{datum}",))


def values(datum: Datum) -> tuple[Value, ...]:
    """Values that the rules tell apart, their bounds among them; of an interval also a wide one."""
    asked = [leaf for leaf in _asked() if leaf.datum == datum]
    found = representatives(datum, asked)
    if datum.kind is not Kind.INTERVAL:
        return found
    top = int(datum.hi if datum.hi is not None else 25)
    return (*found, *(Interval(min(lo, top), min(hi, top)) for lo, hi in ((8, 24), (1, 25))))


def ages(datum: Datum) -> list[timedelta]:
    limits = {leaf.within for leaf in _asked() if leaf.datum == datum and leaf.within is not None}
    late = (timedelta(0), timedelta(microseconds=1), timedelta(days=400))
    return [timedelta(0), *(timedelta(seconds=limit) + more for limit in sorted(limits) for more in late)]


def pool(datum: Datum) -> list[Fact]:
    """Facts of one datum that differ for some rule: each value at each age, undated, unknown for each reason."""
    facts = [unknown(datum.id, reason) for reason in Reason if reason is not Reason.UNCONFIRMED]
    for value in values(datum):
        facts += [known(datum.id, value, age) for age in ages(datum)]
        facts += [unknown(datum.id, Reason.UNCONFIRMED, candidate=value, at=AS_OF)]
        facts += [Fact(datum.id, value)]
    return facts


def _asked() -> list[Leaf]:
    return [leaf for rule in ALL for part in rule.conditions() for leaf in leaves(part)]


POOLS = {id_: pool(datum) for id_, datum in VOCABULARY.data.items()}
GOOD_FACTS = {id_: known(id_, value) for id_, value in GOOD.items()}


@dataclass(frozen=True)
class Person:
    """Who a case is about: the differing facts of the person, of each level and of each cemented level."""

    person: Mapping[str, Fact]
    levels: Mapping[str, Mapping[str, Fact]]
    treated: Mapping[str, Mapping[str, Fact]]
    standing: bool = False

    def case(self, order: int = 1) -> Case:
        """The case; `order` -1 gives the facts of every sheet in reverse."""
        names = sorted({*self.levels, *self.treated}, key=sort_key)
        episodes = tuple(_episode(name, EpisodeKind.FRACTURE) for name in names)
        procedures = tuple(_episode(name, EpisodeKind.PROCEDURE) for name in self.treated)
        ids = [episode.id for episode in (*episodes, *procedures)] + [person_episode_id(PATIENT)]
        return Case(
            patient=PATIENT,
            as_of=AS_OF,
            person=_sheet(Scope.PATIENT, self.person, "patient", order),
            levels=tuple(_sheet(Scope.LEVEL, self.levels.get(n, {}), n, order, f"fracture-{n}") for n in names),
            treated=tuple(
                _sheet(Scope.TREATED_LEVEL, facts, n, order, f"procedure-{n}") for n, facts in self.treated.items()
            ),
            episodes=(*episodes, *procedures),
            set_aside=(),
            input_sha256="0" * 64,
            standing=tuple(sorted(f"{id_}/{rule}" for id_ in ids for rule in KEYS)) if self.standing else (),
        )

    def but(self, scope: Scope, instance: str, fact: Fact) -> "Person":
        """The same person with one fact of one sheet replaced."""
        if scope is Scope.PATIENT:
            return replace(self, person={**self.person, fact.datum: fact})
        sheets = self.levels if scope is Scope.LEVEL else self.treated
        changed = {**sheets, instance: {**sheets.get(instance, {}), fact.datum: fact}}
        return replace(self, levels=changed) if scope is Scope.LEVEL else replace(self, treated=changed)

    def fact(self, scope: Scope, instance: str, datum: str) -> Fact:
        """One fact as it stands on the sheet."""
        sheets = {Scope.LEVEL: self.levels, Scope.TREATED_LEVEL: self.treated}
        return (self.person if scope is Scope.PATIENT else sheets[scope].get(instance, {})).get(
            datum, GOOD_FACTS[datum]
        )


def _episode(level: str, kind: EpisodeKind) -> Episode:
    since = AS_OF - timedelta(days=30 if kind is EpisodeKind.FRACTURE else 1)
    return Episode(f"{kind}-{level}", kind, (level,), since, AS_OF, (f"Condition/{level}",))


def _sheet(scope: Scope, differing: Mapping[str, Fact], instance: str, order: int, episode: str = "") -> Sheet:
    facts = {d.id: differing.get(d.id, GOOD_FACTS[d.id]) for d in VOCABULARY.of_scope(scope)}
    level = "" if scope is Scope.PATIENT else instance
    name = f"event@{instance}" if scope is Scope.TREATED_LEVEL else instance
    return Sheet.fill(VOCABULARY, scope, list(facts.values())[::order], instance=name, level=level, episode=episode)


def differing(scope: Scope, most: int) -> st.SearchStrategy[dict[str, Fact]]:
    """Some facts of a sheet that differ from the good ones."""
    facts = st.sampled_from([datum.id for datum in VOCABULARY.of_scope(scope)]).flatmap(
        lambda id_: st.sampled_from(POOLS[id_])
    )
    return st.lists(facts, max_size=most).map(lambda found: {fact.datum: fact for fact in found})


def people(most: int = 4) -> st.SearchStrategy[Person]:
    """Random people with one to three levels, some of them cemented, and up to `most` odd facts on each sheet."""
    names = st.sampled_from([*LEVELS, UNSPECIFIED])
    return st.builds(
        Person,
        person=differing(Scope.PATIENT, most),
        levels=st.dictionaries(names, differing(Scope.LEVEL, most), min_size=1, max_size=2),
        treated=st.dictionaries(names, differing(Scope.TREATED_LEVEL, most), max_size=1),
        standing=st.booleans(),
    )


def unknowns(person: Person) -> Iterable[tuple[Scope, str, Datum]]:
    """Every datum of every sheet that is not known."""
    case = person.case()
    for sheet in (case.person, *case.levels, *case.treated):
        instance = sheet.level if sheet.scope is not Scope.PATIENT else "patient"
        for id_, fact in sheet.facts.items():
            if not fact.known:
                yield sheet.scope, instance, VOCABULARY[id_]


def rounds(full: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a test of random people as slow: that many examples under `make soak`, else a fiftieth."""
    few = settings(max_examples=full if SOAK else full // 50)
    return lambda test: pytest.mark.slow(few(test))
