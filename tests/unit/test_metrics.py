"""metrics.txt, as Prometheus's own parser reads it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pco.ground.polled import Head
from pco.ground.ticket import State
from pco.pages import feeds, metrics
from pco.pages.clock import Clock
from pco.pages.snapshot import Card, Snapshot
from pco.rules.health import Health
from support import T0, WEB

HOUR = timedelta(hours=1)


def snapshot(*cards: Card, **more: Any) -> Snapshot:
    """A well pco with these cards."""
    counts = {state: sum(c.state is state for c in cards) for state in State}
    return Snapshot(
        **{"clock": Clock(T0), "version": "1", "health": Health("ok"), "counts": counts, "cards": cards, **more}
    )


def read(shown: Snapshot) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels; a sample that comes twice is an error, as for Prometheus."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(metrics.text_of(shown).decode()):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            key = (sample.name, *sample.labels.values())
            assert key not in found
            found[key] = sample.value
    return found


def test_metrics_count_what_monitoring_knows_of_old():
    cards = [Card("WEB-1", State.PENDING), Card("WEB-2", State.PENDING), Card("WEB-3", State.ACTIVE)]

    found = read(snapshot(*cards))

    assert found[("plane_pending_tickets",)] == 2
    assert found[("plane_active_sessions",)] == 1
    assert found[("plane_completed_tickets",)] == 0


def test_metrics_count_each_state_as_health_json_does():
    shown = snapshot(Card("WEB-1", State.PENDING), Card("WEB-2", State.CORRUPT))

    counted = {key[1]: value for key, value in read(shown).items() if key[0] == "pco_tickets"}

    assert counted == json.loads(feeds.health(shown))["counts"]


def test_metrics_say_whether_pco_is_well_and_watched():
    assert read(snapshot())[("pco_health",)] == 1
    assert read(snapshot(health=Health("degraded", ("why",))))[("pco_health",)] == 0
    assert read(snapshot(watching=True))[("pco_watcher_up",)] == 1
    assert read(snapshot(watching=False))[("pco_watcher_up",)] == 0
    assert ("pco_watcher_up",) not in read(snapshot(watching=None))


def test_metrics_tell_times_by_which_an_alarm_can_be_set():
    waiting = (Card("WEB-1", State.PENDING, since=T0 - HOUR), Card("WEB-2", State.PENDING, since=T0 - 2 * HOUR))
    heads = (Head(WEB, key="WEB", polled_at=T0 - timedelta(milliseconds=1500)), Head("never"))

    found = read(snapshot(*waiting, heads=heads))

    assert found[("pco_written_timestamp_seconds",)] == T0.timestamp()
    assert found[("pco_oldest_ticket_timestamp_seconds", "pending")] == (T0 - 2 * HOUR).timestamp()
    assert found[("pco_last_poll_timestamp_seconds", "WEB")] == T0.timestamp() - 1.5
    assert ("pco_last_poll_timestamp_seconds", "never") not in found


@pytest.mark.parametrize(
    "words", ['a"b', "a\\", "a\nb", '"} 1\npco_health 1 #', "\x1b[31m", "x" * 500, "\ud800", "שלום"]
)
def test_a_label_stays_a_label_whatever_stands_in_it(words):
    shown = snapshot(heads=(Head(WEB, key=words, polled_at=T0),), version=words)

    found = read(shown)

    assert len([key for key in found if key[0] == "pco_last_poll_timestamp_seconds"]) == 1
    assert found.keys() - {key for key in found if len(key) > 1} == read(snapshot()).keys() - {
        key for key in read(snapshot()) if len(key) > 1
    }


def test_two_projects_of_one_name_are_one_sample():
    heads = (Head("a", key="WEB", polled_at=T0), Head("b", key="WEB", polled_at=T0))

    assert ("pco_last_poll_timestamp_seconds", "WEB") in read(snapshot(heads=heads))


def test_metrics_tell_what_today_has_cost_and_who_waits_for_a_person():
    blocked = Card("WEB-1", State.ACTIVE, blocked="a question", blocked_since=T0 - HOUR)

    found = read(snapshot(blocked, Card("WEB-2", State.ACTIVE), spent=3.25, daily=100.0))

    assert (found[("pco_spent_usd",)], found[("pco_daily_budget_usd",)]) == (3.25, 100.0)
    assert found[("pco_blocked_sessions",)] == 1
    assert found[("pco_oldest_blocked_timestamp_seconds",)] == (T0 - HOUR).timestamp()


def test_where_there_is_no_limit_and_nobody_waits_metrics_are_silent_about_it():
    found = read(snapshot())

    assert found[("pco_spent_usd",)] == found[("pco_blocked_sessions",)] == 0
    assert not {("pco_daily_budget_usd",), ("pco_oldest_blocked_timestamp_seconds",)} & found.keys()
