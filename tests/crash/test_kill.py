"""kill -9 of the relay under load, by the tens: nothing lost, no ghost, order kept, and repeats
only of what was not saved (invariants 1 to 4 and 6; row 1 of the fault matrix).

Each test has a database, a topic and a load of its own and judges all of it at its end. The numbers
are shares of 40 rounds; OUTBOX_CRASH_ROUNDS stretches them.
"""

import signal
import time

import pytest

from rounds import (RESUME_MS, draw_for, failpoints, kill, nap, resume, resume_armed, rounds_of,
                    start_armed, wait_killed)

from support import environment
from support.stage import Stage
from support.topic import configure_topic

pytestmark = [pytest.mark.fault_row(1), pytest.mark.timeout(0 if environment.soaking() else 300)]

# Kind -> its share of 40 rounds.
_AT_FAILPOINTS = {
    "after_sink_acknowledged": 7,
    "between_checkpoint_and_confirm": 6,
}
_ELSEWHERE = {"inside_large_transaction", "inside_producer_rebuild"}
_HITS = {
    "after_sink_acknowledged": [1, 2, 5, 20, 100, 400],
    "between_checkpoint_and_confirm": [1, 2, 3, 5, 10, 20],
}


@pytest.fixture
def stage(tmp_path, services, request):
    """Under load, the slot made, no relay running. The first start makes the slot; rows older than
    the slot would not be delivered."""
    with Stage(tmp_path, seed=request.node.name, pause_s=0.05,
               binary=environment.outbox_crash_bin()) as stage:
        stage.relay.start()
        stage.relay.wait_ready()
        assert stage.relay.stop() == 0
        stage.go()
        yield stage


def judge(stage, tally):
    """After a last start, everything must be there."""
    if not stage.relay.running():
        resume(stage, tally)
    findings = stage.rest()
    tally.note(findings)
    assert stage.relay.stop() == 0
    stage.mark()
    return findings


def assert_resumed_fast(tally):
    """One round in ten may meet a pause of the machine."""
    assert tally.resumed_ms, "no round saw a new event after its restart"
    times = sorted(tally.resumed_ms)
    assert times[len(times) * 9 // 10 - 1] < RESUME_MS, f"resumed after {times} ms"


def test_every_failpoint_has_its_rounds():
    assert set(failpoints()) == _AT_FAILPOINTS.keys() | _ELSEWHERE


def test_killed_at_a_random_time(stage, tally):
    draw = draw_for("random")
    for _ in range(rounds_of(8)):
        resume(stage, tally)
        nap(draw, 0.0, 2.5)
        kill(stage, tally)
    judge(stage, tally)
    assert_resumed_fast(tally)


@pytest.mark.parametrize("name", _AT_FAILPOINTS)
def test_killed_at(name, stage, tally):
    draw = draw_for(name)
    for number in range(rounds_of(_AT_FAILPOINTS[name])):
        hits = _HITS[name]
        resume_armed(stage, tally, name, hits[number] if number < len(hits) else draw.choice(hits))
        wait_killed(stage, tally)
    judge(stage, tally)
    assert_resumed_fast(tally)


def test_killed_inside_large_transaction(stage, tally):
    """Resumes inside it: the repeats are those since the last save, not the whole transaction."""
    draw = draw_for("large")
    for number in range(rounds_of(4)):
        rows = 1_000_000 if environment.soaking() and number % 20 == 0 else 100_000
        stage.writers.pause()
        if number:
            stage.watcher.wait_all(stage.ledger)
            stage.relay.kill()
        hit = draw.randint(rows // 2, rows * 9 // 10)
        start_armed(stage, "inside_large_transaction", hit)
        stage.watcher.wait_all(stage.ledger)
        begun = stage.mark()
        stage.writers.write_large(f"large-{number}", rows)
        wait_killed(stage, tally)
        mark = stage.mark()
        stage.writers.go_on()
        before = stage.arrivals.duplicates
        resume(stage, tally)
        assert begun.settled < mark.settled and mark.end_lsn <= mark.settled[0], "not inside it"
        assert mark.settled[1] <= hit
        stage.watcher.wait_all(stage.ledger)
        assert stage.arrivals.duplicates - before <= rows - mark.settled[1]
    judge(stage, tally)


def test_killed_inside_producer_rebuild(stage, tally):
    """The broker starts to refuse batches that were fine before, though no record in them is too
    large; that turns the producer fatal."""
    draw = draw_for("rebuild")
    for _ in range(rounds_of(4)):
        resume_armed(stage, tally, "inside_producer_rebuild", draw.choice([1, 1, 2]))
        configure_topic(stage.topic, max_message_bytes=1000, **stage.topic_settings)
        wait_killed(stage, tally)
        configure_topic(stage.topic, **stage.topic_settings)
    judge(stage, tally)


def test_killed_with_postgres(stage, services, tally):
    """Postgres dies too: before the relay, after it, or by itself while the relay stays."""
    draw = draw_for("postgres")
    for number in range(rounds_of(4)):
        resume(stage, tally)
        nap(draw, 0.2, 1.0)
        services.send("postgres", [signal.SIGKILL, signal.SIGQUIT][number % 2])
        if number % 4 < 2:
            nap(draw, 0.0, 0.2)
            kill(stage, tally)
            services.start("postgres")
        else:
            services.start("postgres")
            stage.watcher.wait_new(int(time.time() * 1000))
            kill(stage, tally)
    judge(stage, tally)
    assert stage.writers.transactions > 0


def test_killed_with_the_broker(stage, services, tally):
    draw = draw_for("broker")
    for number in range(rounds_of(2)):
        resume(stage, tally)
        nap(draw, 0.2, 1.0)
        services.kill("kafka-1")
        if number % 2 == 0:
            nap(draw, 0.0, 0.2)
            kill(stage, tally)
            services.start("kafka-1")
        else:
            services.start("kafka-1")
            stage.watcher.wait_new(int(time.time() * 1000))
            kill(stage, tally)
    judge(stage, tally)


def test_killed_while_postgres_is_paused(stage, services, tally):
    """The slot's old walsender stands still too, and holds the slot until it goes on."""
    kill_while_paused("postgres", stage, services, tally, draw_for("postgres paused"))


def test_killed_while_the_broker_is_paused(stage, services, tally):
    """What the dead relay had sent lies in the broker's socket and is taken later, in between what
    its successor sends."""
    kill_while_paused("kafka-1", stage, services, tally, draw_for("paused"))


def kill_while_paused(service, stage, services, tally, draw):
    """The relay's successor starts while the service still stands still."""
    for _ in range(rounds_of(2)):
        resume(stage, tally)
        nap(draw, 0.2, 1.0)
        services.pause(service)
        nap(draw, 0.1, 0.5)
        kill(stage, tally)
        stage.relay.start()
        nap(draw, 0.5, 1.5)
        services.resume(service)
        stage.watcher.wait_new(int(time.time() * 1000))
        kill(stage, tally)
    judge(stage, tally)
