"""How attempts count, and when a ticket may be tried again."""

from datetime import timedelta

import pytest

from pco.ground.ticket import Attempt, Ticket
from pco.rules import retry
from support import T0, a_ticket

MINUTE = timedelta(minutes=1)


def tried(*outcomes: str) -> Ticket:
    """A ticket with an attempt for each outcome, the last one ended at T0."""
    return a_ticket().with_round(
        attempts=tuple(Attempt(n, T0, T0, outcome) for n, outcome in enumerate(outcomes, start=1))
    )


def test_a_new_round_need_not_wait() -> None:
    assert retry.not_before(a_ticket(), MINUTE, T0) is None


@pytest.mark.parametrize("outcome", retry.AGAIN)
def test_what_is_tried_again_waits_for_the_back_off(outcome: str) -> None:
    assert retry.not_before(tried(outcome), MINUTE, T0) == T0 + MINUTE


@pytest.mark.parametrize("outcome", [retry.STOPPED, retry.REBOOT, retry.INTERRUPTED, retry.FAILED, retry.COMPLETED])
def test_what_was_not_the_agents_fault_or_is_final_does_not_wait(outcome: str) -> None:
    assert retry.not_before(tried(retry.DIED, outcome), MINUTE, T0) is None


def test_a_running_attempt_does_not_wait() -> None:
    ticket = a_ticket().with_round(attempts=(Attempt(1, T0),))

    assert retry.not_before(ticket, MINUTE, T0) is None


def test_the_back_off_doubles_with_each_counted_attempt() -> None:
    assert retry.not_before(tried(retry.DIED, retry.STALLED, retry.DIED), MINUTE, T0) == T0 + 4 * MINUTE


def test_a_reboot_does_not_make_the_back_off_longer() -> None:
    assert retry.not_before(tried(retry.REBOOT, retry.REBOOT, retry.DIED), MINUTE, T0) == T0 + MINUTE


def test_nobody_waits_for_a_time_from_before_the_clock_was_set_back() -> None:
    assert retry.not_before(tried(retry.DIED), MINUTE, T0 - timedelta(days=300)) is None


def test_the_back_off_is_never_longer_than_an_hour() -> None:
    assert retry.backoff(1000, MINUTE) == timedelta(hours=1)


def test_a_longer_retry_after_is_kept_as_it_is() -> None:
    assert retry.backoff(3, timedelta(hours=5)) == timedelta(hours=5)


@pytest.mark.parametrize(
    ("outcomes", "left"),
    [
        ((retry.DIED,), True),
        ((retry.DIED, retry.PASSING), False),
        ((retry.REBOOT, retry.STOPPED, retry.INTERRUPTED, retry.DIED), True),
        ((retry.REBOOT,) * 50, True),
        ((retry.INTERRUPTED,) * retry.MOST_INTERRUPTED, True),
        ((retry.INTERRUPTED,) * (retry.MOST_INTERRUPTED + 1), False),
    ],
)
def test_attempts_are_left_while_fewer_than_allowed_were_counted(outcomes: tuple[str, ...], left: bool) -> None:
    assert retry.left(tried(*outcomes).round, 2) is left
