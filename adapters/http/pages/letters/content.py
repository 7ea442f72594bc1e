"""What a referral letter says: taken from one decision by name, datum for datum; what is not named here is not told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.fhir.invariants import objects
from adapters.fhir.reading import reference_of
from adapters.http.pages.evidence import all_under, in_words, place, sheets_of
from adapters.http.pages.frame import day
from adapters.http.pages.patient.names import name_in
from pathway.canonical import parse
from pathway.decisions import DecisionRecord
from pathway.episodes import Episode, EpisodeKind
from pathway.levels import UNSPECIFIED
from pathway.ports import Ledger
from pathway.rulebook import RuleBook
from pathway.vocabulary import Datum, Vocabulary

Json = Mapping[str, Any]
RECIPIENTS: Final[Mapping[str, str]] = {
    "fracture-liaison-service": "Fracture liaison service", "bone-clinic": "Bone clinic",
}  # fmt: skip
TOLD: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "Fracture": (("fracture-cause", "treated-cause"), ("height-loss",), ("next-to-cement",)),
    "Cement": (("technique-used",), ("cement-volume",), ("guidance",), ("approach",), ("recollapse",)),
    "Pain and course": (
        ("pain-after-cement", "pain-score"), ("pain-course",), ("function-after-cement", "disability-score"),
        ("fractures-in-three-months",), ("fracture-episodes",),
    ),
    "Bone density and risk": (
        ("bone-density-result", "fracture-density"), ("t-score",), ("hounsfield-units",), ("frax-major",),
        ("frax-hip",), ("fall-risk-high",), ("body-mass-index",),
    ),
    "Laboratory": (
        ("bone-laboratory", "fracture-laboratory"), ("egfr",), ("creatinine-clearance",), ("blood-calcium",),
        ("vitamin-d-low",),
    ),
    "Treatment so far": (
        ("osteoporosis-treatment", "fracture-treatment"), ("days-treated-at-fracture",), ("denosumab-course",),
        ("denosumab-gap-days",), ("steroid-days",), ("hormone-therapy",), ("dental-review",),
    ),
}  # fmt: skip
"""The data of a letter by its headings; of several that say one thing the first that is known is told."""
_CARE: Final = "bone-health"
_DRUGS: Final = "bone-treatment"
_JUDGED: Final = frozenset({
    f"{_DRUGS}.{name}"
    for name in ("oral-bisphosphonate", "zoledronic-acid", "denosumab", "teriparatide-abaloparatide", "romosozumab")
})  # fmt: skip
"""The notes that are about a drug; others are about what goes with one."""
_NOT_THEIRS: Final = frozenset({"place-osteoporosis-referral", f"{_CARE}.messages-given"})
"""What is ours to do: the task that the letter is a step of, and what is told at the bedside."""
_MEDICINES: Final = ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense")


@dataclass(frozen=True, slots=True)
class Part:
    """One heading of a letter with its lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A letter: about whom, what is on record, what speaks against which drug, what is asked for, what it rests on.

    `weighed` says that rules looked at the drugs at all.
    """

    recipient: str
    sender: str
    about: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    weighed: bool
    against: tuple[str, ...]
    held_back: tuple[str, ...]
    asked: tuple[str, ...]
    releases: tuple[str, ...]
    draft: bool
    decision: str
    as_of: str


def content_of(
    ledger: Ledger, book: RuleBook, patient: str, record: DecisionRecord, recipient: str, sender: str = ""
) -> Content:
    """The letter that a decision about a patient gives; `sender` is the house by name and address."""
    body: Json = parse(record.body)
    drafts = [one for one in body["releases"] if one["status"] == "draft"]
    cared = [one for one in body["releases"] if one["id"] in (_CARE, _DRUGS)]
    return Content(
        recipient=RECIPIENTS[recipient], sender=sender,
        about=tuple(_about(ledger, patient)),
        parts=tuple(_parts(ledger, book.vocabulary, patient, body)),
        weighed=any(one["id"] == _DRUGS for one in body["releases"]),
        against=tuple(dict.fromkeys(one["message"] for one in _notes(body) if one["verdict"] == "not-met")),
        held_back=_titles(ledger, book, body, "unknown"),
        asked=tuple(_asked(body)),
        releases=tuple(f"{one['id']} {one['version']} ({one['sha256'][:12]})" for one in cared or body["releases"]),
        draft=bool(drafts), decision=record.id, as_of=str(body["asOf"]),
    )  # fmt: skip


def _about(ledger: Ledger, patient: str) -> Iterator[tuple[str, str]]:
    """Name, birth date, sex and identifiers as they are stored; the id here where there is no other."""
    stored = (resource.body for key in ledger.keys_of(patient) for _, resource in ledger.resources("Patient", [key]))
    person: Json = next(stored, {})
    yield "Name", name_in(person) or "not recorded"
    yield "Born", str(person.get("birthDate") or "not recorded")
    if died := person.get("deceasedDateTime") or person.get("deceasedBoolean"):
        yield "Died", "yes, on which day is not recorded" if died is True else str(died)[:10]
    if person.get("gender"):
        yield "Sex", str(person["gender"])
    for one in objects(person, "identifier"):
        if one.get("value") and one.get("use") != "old":
            kind = one.get("type")
            text = kind.get("text") if isinstance(kind, Mapping) else None
            yield str(text or one.get("system") or "Identifier"), str(one["value"])
    yield "Id in this service", patient.partition("|")[2]


def _parts(ledger: Ledger, vocabulary: Vocabulary, patient: str, body: Json) -> Iterator[Part]:
    episodes = sorted(ledger.episodes(patient), key=lambda one: (one.onset_at, one.id))
    names = _drug_names(ledger, patient)
    for title, data in TOLD.items():
        lines = list(_lines(vocabulary, body, data, names))
        if title == "Cement":
            lines = [*_events(episodes, EpisodeKind.PROCEDURE), *lines]
        if title == "Fracture":
            lines = [*_events(episodes, EpisodeKind.FRACTURE), *lines]
        yield Part(title, tuple(lines) or ("Nothing on record.",))


def _events(episodes: Iterable[Episode], kind: EpisodeKind) -> Iterator[str]:
    """Which vertebrae broke since when, or were cemented on which day."""
    for one in episodes:
        if one.kind is kind:
            levels = ", ".join("vertebra not named" if level == UNSPECIFIED else level for level in one.levels)
            when = "cemented on" if kind is EpisodeKind.PROCEDURE else "broken since" if one.onset_stated else "by"
            yield f"{levels}: {when} {day(one.onset_at)}"


def _lines(
    vocabulary: Vocabulary, body: Json, data: Iterable[Sequence[str]], names: Mapping[str, str]
) -> Iterator[str]:
    """What is known of the named data, each with its day and place; drugs by the name that the record gives them."""
    for alternatives in data:
        for name in alternatives:
            told = _told(vocabulary[name], body, names) if name in vocabulary.data else []
            if told:
                yield f"{vocabulary[name].title}: {'; '.join(told)}"
                break


def _told(datum: Datum, body: Json, names: Mapping[str, str]) -> list[str]:
    """One datum as each sheet knows it: `L1: kyphoplasty, 2026-11-02`."""
    found: dict[str, None] = {}
    for sheet in sheets_of(body):
        raw = sheet["facts"].get(datum.id)
        if raw is None or "unknown" in raw:
            continue
        detail = raw.get("detail", {})
        value = in_words(datum, raw.get("value")).replace("{1.73_m2}", "1.73 m²")
        if {"before", "after"} <= detail.keys():
            value += f" (from {detail['before']} to {detail['after']})"
        drugs = ", ".join(dict.fromkeys(names[one] for one in raw.get("sources", ()) if one in names))
        where = f"{place(sheet)}: " if place(sheet) else ""
        dated = f", {day(raw['at'])}" if raw.get("at") else ""
        found[f"{where}{value}{f' ({drugs})' if drugs else ''}{dated}"] = None
    return list(found)


def _drug_names(ledger: Ledger, patient: str) -> dict[str, str]:
    """How the record names each medicine, by reference; a Medication of its own is looked up."""
    keys = ledger.keys_of(patient)
    products = {one.reference: one.body.get("code") for _, one in ledger.resources("Medication", keys)}
    found: dict[str, str] = {}
    for kind in _MEDICINES:
        for _, resource in (row for key in reversed(keys) for row in ledger.resources(kind, [key])):
            body = resource.body
            within = {f"#{one.get('id')}": one.get("code") for one in objects(body, "contained")}
            named = reference_of(body.get("medicationReference"))
            if text := _text(body.get("medicationCodeableConcept") or (products | within).get(named)):
                found[resource.reference] = text
    return found


def _text(concept: Any) -> str:
    """A concept as people read it: its text, else the display of a coding."""
    if not isinstance(concept, Mapping):
        return ""
    texts = (concept.get("text"), *(one.get("display") for one in objects(concept, "coding")))
    return next((text for text in texts if isinstance(text, str) and text), "")


def _notes(body: Json) -> list[Json]:
    """What was weighed of drugs for the bone."""
    rows = (row for row in body.get("considerations", ()) if row.get("ruleSet") == _DRUGS)
    return [
        one for row in rows for one in row["criteria"] if ".risk-" not in one["id"] and ".very-high" not in one["id"]
    ]


def _titles(ledger: Ledger, book: RuleBook, body: Json, verdict: str) -> tuple[str, ...]:
    """The names of what was weighed and came out so."""
    rule_sets = all_under(ledger, book, body)
    rules = rule_sets[_DRUGS].rules() if _DRUGS in rule_sets else ()
    titles: dict[str, str] = {str(rule.id): rule.title for rule in rules}
    judged = [str(one["id"]) for one in _notes(body) if one["verdict"] == verdict and one["id"] in _JUDGED]
    return tuple(dict.fromkeys(titles.get(id, id) for id in judged))


def _asked(body: Json) -> Iterator[str]:
    """What care of the bone lacks: of each open task the steps that are not done, or else what it is for."""
    seen: dict[str, None] = {}
    for wish in body["obligations"]:
        if wish["state"] != "open" or wish["code"] in _NOT_THEIRS or not str(wish["rule"]).startswith(f"{_CARE}."):
            continue
        items = [item for item in wish.get("items", ()) if item["verdict"] != "met" and item.get("ask")]
        asks = [item["ask"] for item in items if item["id"] not in _NOT_THEIRS]
        for text in asks if items else wish["why"][:1]:
            seen[text] = None
    yield from seen
