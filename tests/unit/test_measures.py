"""Measures counted from verdicts: where an episode stands, that sums add up, that order changes nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway import measure_forms
from pathway.episodes import Episode, EpisodeKind
from pathway.errors import RuleBookError
from pathway.facts import Sheet
from pathway.measure_forms import Counts, Measure
from pathway.measures import Line, Standing, Subject, Tally, Window, tally
from pathway.strata import Judged
from pathway.vocabulary import Scope
from tests.world import book

MEASURES = book().sets["measures"]
RULES = {rule.id: rule for rule in MEASURES.criteria}
AS_OF = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW = Window(AS_OF, UTC)
IN, OUT, DONE = "measures.bone-care-owed", "measures.died-by-90", "measures.bone-closed-by-90"
ONE = Measure("one", "One", "M-00", Counts.PROCEDURE, (IN,), (OUT,), DONE, False, 90, "nothing")
VERDICTS = ("met", "not-met", "unknown")
BELONGS: dict[str, Any] = {IN: "met", OUT: "not-met", DONE: "met"}


def event(days: int, id_: str = "e1", kind: EpisodeKind = EpisodeKind.PROCEDURE) -> Episode:
    at = AS_OF - timedelta(days=days)
    return Episode(id_, kind, ("L1",), at, at, ("Procedure/1",))


def judged(**verdicts: str) -> Judged:
    return Judged(Sheet(Scope.TREATED_LEVEL, "e1@L1", {}, "L1", "e1"), {}, verdicts)


def standing(days: int, *sheets: dict[str, str], measure: Measure = ONE) -> Standing | None:
    rows = [(event(days), [judged(**(BELONGS | one)) for one in sheets])]
    found = list(Subject("p", RULES, rows).lines([measure], WINDOW))
    return found[0].standing if found else None


@pytest.mark.parametrize(
    ("days", "verdicts", "stands"),
    [
        (91, {}, Standing.DONE),
        (5, {}, Standing.DONE),
        (91, {DONE: "not-met"}, Standing.NOT_DONE),
        (91, {DONE: "unknown"}, Standing.UNKNOWN),
        (90, {DONE: "unknown"}, Standing.RUNNING),
        (90, {DONE: "not-met"}, Standing.RUNNING),
        (91, {OUT: "met"}, Standing.EXCLUDED),
        (91, {OUT: "met", DONE: "not-met"}, Standing.EXCLUDED),
        (91, {OUT: "unknown"}, Standing.UNKNOWN),
        (91, {OUT: "unknown", DONE: "not-met"}, Standing.UNKNOWN),
        (91, {IN: "unknown"}, Standing.IN_DOUBT),
        (91, {IN: "not-met"}, None),
    ],
)
def test_where_an_episode_stands(days: int, verdicts: dict[str, str], stands: Standing | None) -> None:
    assert standing(days, verdicts) is stands


def test_of_several_vertebrae_one_is_enough_unless_all_have_to_be() -> None:
    every = Measure("all", "All", "M-00", Counts.PROCEDURE, (IN,), (), DONE, True, None, "nothing")
    first, second = {DONE: "met"}, {DONE: "not-met"}
    assert standing(91, first, second) is standing(91, second, first) is Standing.DONE
    assert standing(91, first, second, measure=every) is standing(91, second, first, measure=every) is Standing.NOT_DONE
    assert standing(91, first, {DONE: "unknown"}, measure=every) is Standing.UNKNOWN
    assert standing(91, second, {DONE: "unknown"}) is Standing.UNKNOWN


def test_where_all_have_to_be_one_of_which_nobody_knows_leaves_it_open() -> None:
    every = Measure("all", "All", "M-00", Counts.PROCEDURE, (IN,), (), DONE, True, None, "nothing")
    doubted: dict[str, str] = {IN: "unknown"}
    assert standing(91, {}, doubted, measure=every) is standing(91, doubted, {}, measure=every) is Standing.UNKNOWN
    assert standing(91, {DONE: "not-met"}, doubted, measure=every) is Standing.NOT_DONE
    assert standing(91, {}, {IN: "not-met"}, measure=every) is standing(91, {}, doubted) is Standing.DONE


def test_a_patient_counts_once_by_the_first_fracture_that_belongs_to_the_measure() -> None:
    woman, apart, done = "measures.omw-woman-of-age", "measures.omw-set-apart", "measures.omw-in-time"
    measure = Measure("omw", "OMW", "M-01", Counts.PATIENT, (woman,), (apart,), done, False, 180, "hips")
    rows = [
        (event(days, id_, EpisodeKind.FRACTURE), [judged(**{woman: belongs, apart: "not-met", done: came})])
        for days, id_, belongs, came in (
            (300, "c", "met", "met"), (900, "a", "unknown", "met"), (600, "b", "met", "unknown")
        )
    ]  # fmt: skip
    (line,) = Subject("p", RULES, rows).lines([measure], WINDOW)
    assert (line.episode, line.standing) == ("b", Standing.UNKNOWN)
    since = Window(AS_OF, UTC, since=(AS_OF - timedelta(days=300)).date())
    assert [one.episode for one in Subject("p", RULES, rows).lines([measure], since)] == ["c"]
    until = Window(AS_OF, UTC, until=(AS_OF - timedelta(days=901)).date())
    assert list(Subject("p", RULES, rows).lines([measure], until)) == []


lines = st.lists(
    st.builds(
        Line, st.just("one"), st.sampled_from("abc"), st.just("e"), st.just(("L1",)), st.just(date(2026, 1, 1)),
        st.sampled_from(Standing), st.just("because"),
    )
)  # fmt: skip


@given(lines, st.randoms(use_true_random=False))
def test_the_sums_add_up_and_the_order_of_patients_changes_nothing(found: list[Line], rng: Any) -> None:
    (counted,) = tally([ONE], found)
    parts = (Standing.DONE, Standing.NOT_DONE, Standing.UNKNOWN, Standing.RUNNING, Standing.EXCLUDED)
    assert counted.denominator == sum(counted[one] for one in parts) == len(found) - counted[Standing.IN_DOUBT]
    assert counted.rated == counted[Standing.DONE] + counted[Standing.NOT_DONE] + counted[Standing.UNKNOWN]
    if counted.rates is not None:
        low, high = counted.rates
        assert 0 <= low <= high <= 1
        assert low == counted[Standing.DONE] / counted.rated, "the unknown is in the rate, and not among the done"
    shuffled = rng.sample(found, len(found))
    assert tally([ONE], shuffled) == (counted,)


@given(st.lists(st.fixed_dictionaries({id_: st.sampled_from(VERDICTS) for id_ in (IN, OUT, DONE)}), min_size=1))
def test_what_is_unknown_is_never_done(sheets: list[dict[str, str]]) -> None:
    if all(one[DONE] != "met" for one in sheets):
        assert standing(91, *sheets) is not Standing.DONE


def test_under_twenty_a_rate_says_little_and_of_nobody_there_is_none() -> None:
    assert Tally(ONE).rates is None
    found = Tally(ONE)
    found.counts.update({Standing.DONE: 10, Standing.NOT_DONE: 9, Standing.RUNNING: 50, Standing.EXCLUDED: 50})
    assert found.few
    found.counts[Standing.UNKNOWN] += 1
    assert not found.few


def test_a_line_and_a_window_are_read_back_as_they_were_written() -> None:
    line = Line("one", "p", "e", ("L1", "L2"), date(2026, 1, 1), Standing.RUNNING, "because")
    assert Line.from_json(line.to_json()) == line
    for window in (WINDOW, Window(AS_OF, UTC, date(2025, 7, 1), date(2026, 6, 30))):
        assert Window.from_json(window.to_json(), UTC) == window


# --- the header


GOOD: dict[str, Any] = {
    "id": "one", "title": "One", "catalogue": "M-01", "counts": "procedure", "numerator": DONE, "unseen": "x",
}  # fmt: skip
RUNS = {"value": Decimal(30), "unit": "d", "status": "project-default", "set-on": "2026-11-23"}


def check(*measures: Any, kind: str = "measure", others: tuple[str, ...] = (), left_out: Any = ()) -> None:
    header = {"id": "x", "kind": kind, "measures": list(measures), "not-computed": list(left_out)}
    criteria = {DONE: Scope.TREATED_LEVEL, "measures.fracture": Scope.LEVEL}
    idle = {"id": "idle", **{k: v for k, v in GOOD.items() if k != "id"}, "numerator": "measures.fracture"}
    measure_forms.check(header | {"measures": [*header["measures"], idle]}, criteria, others)


def test_a_whole_measure_is_taken() -> None:
    check(GOOD | {"runs-for": RUNS, "levels": "all", "exclusions": ["measures.fracture"]})
    check(GOOD, left_out=[{"catalogue": "M-05", "title": "T", "why": "not read"}])


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (GOOD | {"numerater": DONE}, "unknown key 'numerater'"),
        ({k: v for k, v in GOOD.items() if k != "unseen"}, "key 'unseen' is missing"),
        (GOOD | {"counts": "people"}, "counts 'people' is not known"),
        (GOOD | {"levels": "some"}, "levels 'some' is not known"),
        (GOOD | {"harm": "yes"}, "harm 'yes' is not known"),
        (GOOD | {"numerator": "measures.nothing"}, "no criterion 'measures.nothing'"),
        (GOOD | {"counts": "fracture"}, f"what counts fractures cannot see '{DONE}'"),
        (GOOD | {"denominator": DONE}, "denominator is no list of rules"),
        (GOOD | {"runs-for": 30}, "runs-for is no parameter"),
        (GOOD | {"runs-for": RUNS | {"unit": "h"}}, "runs-for is not counted in days"),
        (GOOD | {"runs-for": RUNS | {"value": Decimal("1.5")}}, "runs-for is not counted in days"),
        (GOOD | {"runs-for": RUNS | {"status": "known"}}, "has a status that may not ship"),
        (GOOD | {"id": "idle"}, "the measure 'idle' stands twice"),
        (GOOD | {"title": 5}, "key 'title' is missing or no text"),
    ],
)
def test_a_measure_that_is_not_whole_is_refused_with_what_to_mend(measure: dict[str, Any], says: str) -> None:
    with pytest.raises(RuleBookError, match=says) as caught:
        check(measure)
    assert caught.value.fix
    assert "x/ruleset.yaml" in str(caught.value.where)


def test_measures_stand_in_a_set_of_measures_alone_which_asks_for_nothing_and_leaves_no_rule_idle() -> None:
    with pytest.raises(RuleBookError, match="'measures' belongs to a rule set of measures"):
        check(GOOD, kind="safety")
    with pytest.raises(RuleBookError, match="decides and asks for nothing"):
        check(GOOD, others=("measures.task",))
    with pytest.raises(RuleBookError, match=f"no measure counts by '{DONE}'"):
        check()
    with pytest.raises(RuleBookError, match="measures is no list"):
        measure_forms.check({"id": "x", "kind": "measure", "measures": "all"}, {}, ())
    with pytest.raises(RuleBookError, match="key 'why' is missing"):
        check(GOOD, left_out=[{"catalogue": "M-05", "title": "T"}])


def test_of_complications_and_of_nothing_else_fewer_is_better() -> None:
    found = measure_forms.measures_of(MEASURES.document["ruleset"])
    assert [one.id for one in found if one.harm] == [one.id for one in found if one.catalogue == "M-06"]


def test_every_row_of_the_catalogue_is_measured_or_says_why_not() -> None:
    header = MEASURES.document["ruleset"]
    rows = {one.catalogue for one in (*measure_forms.measures_of(header), *measure_forms.not_computed(header))}
    assert rows == {f"M-0{number}" for number in range(1, 9)}
    assert [one.catalogue for one in measure_forms.not_computed(header)] == ["M-05"]


def test_no_rule_that_acts_reads_what_only_measures_count_by() -> None:
    from pathway import strict_yaml
    from tests.world import ROOT

    own = strict_yaml.read_file(ROOT / "rules/vocabulary/measures.yaml", ROOT / "rules")["data"].keys()
    assert own
    for rule_set in book().sets.values():
        if rule_set.kind != "measure":
            assert [rule.id for rule in rule_set.rules() if own & set(rule.reads())] == []
