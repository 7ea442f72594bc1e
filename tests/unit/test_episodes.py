"""Episodes: one event however many codes; corrections find the old episode again."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pathway.episodes import Episode, EpisodeKind, Sighting, cluster, match
from pathway.levels import WHOLE_SPINE, LevelRange

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def seen(
    place: str, day: float, source: str, *, encounter: str = "", kind: EpisodeKind = EpisodeKind.FRACTURE
) -> Sighting:
    spot = LevelRange.parse(place) if place else WHOLE_SPINE
    at = DAY + timedelta(days=day)
    return Sighting(kind, spot, at, at, source, encounter)


sightings = st.builds(
    seen, st.sampled_from(["", "L1", "L2", "T11-T12"]), st.integers(0, 400), st.uuids().map(str),
    encounter=st.sampled_from(["", "e1", "e2"]), kind=st.sampled_from([EpisodeKind.FRACTURE, EpisodeKind.PROCEDURE]),
)  # fmt: skip


@given(st.lists(sightings, max_size=8), st.integers(0, 99))
def test_the_order_of_records_never_matters(rows: list[Sighting], seed: int) -> None:
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)
    assert set(cluster("p", rows)) == set(cluster("p", shuffled))


@given(st.lists(sightings, max_size=8))
def test_every_record_belongs_to_exactly_one_episode(rows: list[Sighting]) -> None:
    sources = [source for episode in cluster("p", rows) for source in episode.sources]
    assert sorted(sources) == sorted({row.source for row in rows})


@given(st.lists(sightings, max_size=8))
def test_matching_what_was_seen_with_itself_changes_nothing(rows: list[Sighting]) -> None:
    episodes = match((), cluster("p", rows))
    assert match(episodes, cluster("p", rows)) == episodes


def test_two_codes_on_one_day_are_one_fracture_with_both_sources() -> None:
    (one,) = cluster("p", [seen("", 0, "Condition/b"), seen("", 0, "Condition/a")])
    assert one.sources == ("Condition/a", "Condition/b")


def test_the_same_level_within_twelve_weeks_is_one_fracture_and_a_day_later_a_new_one() -> None:
    assert len(cluster("p", [seen("L1", 0, "a"), seen("L1", 84, "b")])) == 1
    assert len(cluster("p", [seen("L1", 0, "a"), seen("L1", 85, "b")])) == 2


def test_a_chain_of_readmissions_keeps_the_first_onset() -> None:
    (one,) = cluster("p", [seen("L1", day, str(day)) for day in (0, 60, 120, 180)])
    assert one.onset_at == DAY


def test_unspecified_is_never_joined_to_a_named_level_of_another_encounter() -> None:
    assert len(cluster("p", [seen("L1", 0, "a", encounter="e1"), seen("", 0, "b", encounter="e2")])) == 2
    assert len(cluster("p", [seen("L1", 0, "a"), seen("", 0, "b")])) == 2


def test_unspecified_joins_the_one_named_fracture_of_its_encounter_but_not_one_of_two() -> None:
    named = [seen("L1", 0, "a", encounter="e"), seen("", 0, "b", encounter="e")]
    (one,) = cluster("p", named)
    assert one.levels == ("L1",)
    assert len(cluster("p", [*named, seen("L3", 0, "c", encounter="e")])) == 3


def test_a_pair_of_levels_is_one_fracture_of_an_unknown_level_in_that_pair() -> None:
    (one,) = cluster("p", [seen("T11-T12", 0, "a")])
    assert (one.levels, one.range) == (("unspecified",), "T11-T12")


def _stored(episode: Episode) -> Episode:
    return replace(episode, id="stored")


def test_a_corrected_onset_finds_its_episode_again() -> None:
    (old,) = cluster("p", [seen("L1", 100, "Condition/a")])
    (new,) = cluster("p", [seen("L1", 0, "Condition/a")])
    assert [e.id for e in match([_stored(old)], [new])] == ["stored"]


def test_a_level_learned_late_finds_its_episode_again() -> None:
    (old,) = cluster("p", [seen("", 0, "Condition/a")])
    (new,) = cluster("p", [seen("L2", 0, "Condition/a")])
    (found,) = match([_stored(old)], [new])
    assert (found.id, found.levels) == ("stored", ("L2",))


def test_a_level_learned_late_joins_the_episode_of_that_level_though_more_records_speak_of_the_unnamed_one() -> None:
    (known,) = cluster("p", [seen("T12", 0, "Condition/a")])
    (open_,) = cluster("p", [seen("T11-T12", 20, "Condition/b"), seen("", 20, "Condition/c")])
    stored = [replace(known, id="known"), replace(open_, id="open")]
    rows = [seen("T12", 0, "Condition/a"), seen("T12", 20, "Condition/b"), seen("T12", 20, "Condition/c")]
    for order in (stored, stored[::-1]):
        assert [e.id for e in match(order, cluster("p", rows))] == ["known"]
    assert {e.id for e in match(stored, cluster("p", [rows[0], seen("T11", 20, "Condition/b")]))} == {"known", "open"}


def test_a_new_fracture_of_the_same_vertebra_is_a_new_episode() -> None:
    (old,) = cluster("p", [seen("L1", 0, "a")])
    episodes = match([_stored(old)], cluster("p", [seen("L1", 0, "a"), seen("L1", 300, "b")]))
    assert len({e.id for e in episodes}) == 2
    assert "stored" in {e.id for e in episodes}


def test_levels_of_one_procedure_event_stand_together() -> None:
    rows = [seen(x, 0, x, kind=EpisodeKind.PROCEDURE) for x in ("L2", "", "L1")]
    (event,) = cluster("p", rows)
    assert event.levels == ("L1", "L2")
