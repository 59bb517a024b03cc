"""Brake, budget, loop guard, automatic replay and second approver through the relay and the
command."""

import json
import os
import signal
import time
import urllib.error
from contextlib import contextmanager

from config_text import route
from letter_command import LetterCommand
from logins import login
from stage import Stage
from support.topic import configure_topic, create_topic, delete_topic, unique_name
from support.waiting import wait_until
from test_letters import LARGE, LIMIT, await_states, mend, states


@contextmanager
def stage_of(folder, on_failure, more="", pipeline_more="", mode="wal"):
    """A running relay whose topic takes records up to LIMIT, until mended."""
    topic = create_topic(unique_name("policies"), partitions=2, max_message_bytes=LIMIT)
    with Stage(folder, [route(topic, on_failure=on_failure, more=more)], mode=mode,
               pipeline_more=pipeline_more) as stage:
        stage.topic = topic
        stage.letters = LetterCommand(stage)
        yield stage
    delete_topic(topic)


def not_ready(stage):
    """The text of /readyz, or None when it is ready."""
    try:
        stage.relay.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.read().decode()
    return None


def metric(stage, name):
    return sum(value for key, value in stage.relay.metrics().items() if key.startswith(name))


# --- the brake

def test_too_many_refused_events_stop_the_pipeline_until_sighup(tmp_path):
    brake = "brake = { window_events = 100, refused_max = 20 }"
    with stage_of(tmp_path, "dead-letter", pipeline_more=brake) as stage:
        ids = [stage.shop.publish(key=f"k{n}", payload=LARGE) for n in range(60)]
        reason = wait_until(lambda: not_ready(stage), "it is not ready")
        assert "is stopped" in reason and "more than 20 of the last 100 events" in reason
        assert "MSG_SIZE_TOO_LARGE" in reason and "SIGHUP" in reason
        good = stage.shop.publish(key="good")
        time.sleep(1)
        assert states(stage) == ["dead"] * 20, "and not one more"
        assert stage.topics[stage.topic].arrivals(good) == [], "nothing is delivered either"
        assert metric(stage, "outbox_pipeline_braked") == 1
        line = stage.relay.command("status").stdout
        assert "stopped" in line and "the brake: more than 20" in line
        assert "the brake: more than 20" in stage.relay.log_tail()
        mend(stage)
        os.kill(stage.relay.process.pid, signal.SIGHUP)
        wait_until(lambda: not_ready(stage) is None, "it goes on")
        stage.arrival(stage.topic, good)
        stage.topics[stage.topic].await_ids(ids[20:])
        assert states(stage) == ["dead"] * 20, "the others were never dead letters"
        assert metric(stage, "outbox_pipeline_braked") == 0


def test_a_restart_takes_the_brake_off_and_nothing_was_confirmed_too_early(tmp_path):
    brake = "brake = { window_events = 100, refused_max = 5 }"
    with stage_of(tmp_path, "park", pipeline_more=brake, mode="poll") as stage:
        ids = [stage.shop.publish(key=f"k{n}", payload=LARGE) for n in range(20)]
        wait_until(lambda: not_ready(stage), "it is not ready")
        mend(stage)
        since = time.monotonic()
        assert stage.relay.stop() == 0
        assert time.monotonic() - since < 5, "it does not wait for what cannot move"
        stage.relay.start()
        stage.relay.wait_ready()
        stage.topics[stage.topic].await_ids(ids[5:])
        assert states(stage) == ["parked"] * 5


# --- the budget

def test_many_held_keys_are_tried_again_no_faster_than_the_budget(tmp_path):
    with stage_of(tmp_path, "hold", "hold = { first_ms = 10, most_ms = 10 }",
                  "held_retries_per_s = 10") as stage:
        for key in range(60):
            stage.shop.publish(key=str(key), payload=LARGE)
        await_states(stage, ["held"] * 60)

        def tries():
            return stage.database.value("select sum(attempts) from outbox.lane")

        first, since = tries(), time.monotonic()
        time.sleep(4)
        seen, took = tries() - first, time.monotonic() - since
        assert 10 <= seen <= 10 * (took + 2), f"{seen} tries in {took:.1f} s"
        mend(stage)
        wait_until(lambda: set(states(stage)) == {"delivered"}, "all are delivered", 30)


# --- the loop guard

def test_a_letter_that_comes_back_again_and_again_needs_force(tmp_path):
    with stage_of(tmp_path, "park", "replay = { replays_max = 1 }") as stage:
        stage.shop.publish(key="a", payload=LARGE)
        await_states(stage, ["parked"])
        assert stage.letters("replay", "--key", "a", "--reason", "try").code == 6
        refused = stage.letters("replay", "--key", "a", "--reason", "try")
        assert refused.code == 4 and "--force" in refused.err, refused
        dry = stage.letters.json("replay", "--key", "a", "--dry-run", "--force")
        assert (dry["letters"], dry["spent"]) == (1, 0)
        dry = stage.letters("replay", "--key", "a", "--dry-run")
        assert dry.code == 4 and "1 more match, but were replayed as often" in dry.out
        mend(stage)
        assert stage.letters("replay", "--key", "a", "--reason", "mended", "--force").code == 0
        assert states(stage) == ["delivered"]
        record = stage.topics[stage.topic]
        record.look(5)
        assert record.records[-1].header("outbox.replays") == "2", "the second try as a letter"


# --- automatic replay

AUTOMATIC = ("replay = { automatic_after_s = 2, automatic_first_per_s = 5,"
             " automatic_most_per_s = 50, automatic_failures_max = 1 }")


def test_a_route_that_is_healthy_again_is_replayed_by_itself_slowly_at_first(tmp_path):
    with stage_of(tmp_path, "dead-letter", AUTOMATIC) as stage:
        ids = [stage.shop.publish(key=f"k{n}", payload=LARGE) for n in range(15)]
        wait_until(lambda: len(states(stage)) == 15, "all are letters")
        time.sleep(3)
        assert len(stage.topics[stage.topic].records) == 0
        mend(stage)
        stage.topics[stage.topic].await_ids(ids, 60)
        wait_until(lambda: set(states(stage)) == {"delivered"}, "all are delivered")
        for key in range(15):
            assert stage.database.value(
                "select count(*) from outbox.letter_audit"
                " where action = 'delivered' and letter = %s", [key + 1]) == 1
        who, reason = stage.database.execute(
            "select asked_by, reason from outbox.replay_job order by job desc limit 1")[0]
        assert reason == f"automatic: route {stage.topic} has been healthy again"
        assert who == stage.database.value("select session_user"), "the relay's login"
        took = stage.database.value("select extract(epoch from ended_at - asked_at)"
                                    " from outbox.replay_job order by job desc limit 1")
        assert took > 1, "15 letters at 5 a second"


def test_while_the_sink_still_refuses_an_automatic_replay_stops_and_the_letters_are_left(tmp_path):
    more = AUTOMATIC.replace("automatic_failures_max = 1", "automatic_replays_max = 2")
    with stage_of(tmp_path, "park", more) as stage:
        stage.shop.publish(key="a", payload=LARGE)
        wait_until(lambda: stage.database.value(
            "select replays_asked from outbox.dead_letter") == 2, "it was tried twice", 30)
        time.sleep(3)
        assert states(stage) == ["parked"]
        assert stage.database.value("select count(*) from outbox.replay_job") == 2


# --- the second approver

def test_a_replay_of_a_route_with_a_second_approver_waits_for_another_login(tmp_path):
    with stage_of(tmp_path, "park", "replay = { second_approver = true }") as stage:
        bad = stage.shop.publish(key="a", payload=LARGE)
        await_states(stage, ["parked"])
        mend(stage)
        with login(stage.database, ["outbox_operator"]) as one, \
                login(stage.database, ["outbox_operator"]) as other:
            first, second = LetterCommand(stage, one), LetterCommand(stage, other)
            filed = first("replay", "--key", "a", "--reason", "limit raised")
            assert filed.code == 6 and "--approve 1" in filed.err, filed
            assert "job 1 of pipeline" in filed.out and "is proposed" in filed.out
            wait_until(lambda: "1 replay waits for a second person"
                       in stage.relay.command("status").stdout, "status says so")
            assert metric(stage, "outbox_replays_proposed") == 1
            refused = first("jobs", "--approve", "1", "--reason", "me too")
            assert refused.code == 4 and "may not approve it" in refused.err, refused
            for act in ("--resume", "--pause"):
                assert first("jobs", act, "1", "--reason", "x").code == 4
            assert states(stage) == ["parked"]
            assert second("jobs", "--approve", "1", "--reason", "looked at it").code == 0
            stage.arrival(stage.topic, bad)
            wait_until(lambda: states(stage) == ["delivered"], "it is delivered")
            job, = json.loads(second("jobs", "-o", "json").out)
            assert job["approved_by"] and job["approved_by"] != job["asked_by"]
            listed = second("jobs").out
            assert f"{job['asked_by']}, approved by {job['approved_by']}" in listed
            assert stage.database.execute(
                "select who, reason from outbox.audit where action = 'replay approve'") == [
                    (job["approved_by"], "looked at it")]
