"""Held and parked keys, and the replay of letters, through the relay (issue: lanes, replay)."""

import json
import time
from contextlib import contextmanager

import pytest

from config_text import route
from stage import Stage
from support.topic import configure_topic, create_topic, delete_topic, unique_name
from support.waiting import wait_until

LIMIT = 2_000
LARGE = b"x" * (LIMIT + 1000)
HELD = "hold = { first_ms = 20, most_ms = 200 }"


@contextmanager
def stage_of(folder, on_failure, mode="wal", hold=HELD):
    """A running relay whose topic takes records up to LIMIT, until mended."""
    topic = create_topic(unique_name("letters"), partitions=2, max_message_bytes=LIMIT)
    more = hold if on_failure == "hold" else ""
    with Stage(folder, [route(topic, on_failure=on_failure, more=more)], mode=mode) as stage:
        stage.topic = topic
        yield stage
    delete_topic(topic)


def mend(stage):
    configure_topic(stage.topic)


def states(stage, key=None):
    return [state for state, in stage.database.execute(
        "select state from outbox.dead_letter where pipeline = %s"
        " and (%s::text is null or aggregate_id = %s) order by letter",
        [stage.pipeline, key, key])]


def file(stage, failures_max=None, rate=None, **chosen):
    """The job's number."""
    return stage.database.execute(
        "select job, letters from outbox.replay_file(%s, 'mended', %s, %s)",
        [json.dumps({"pipeline": stage.pipeline, **chosen}), rate, failures_max])[0]


def await_job(stage, job, state="done"):
    wait_until(lambda: stage.database.value(
        "select state from outbox.replay_job where job = %s", [job]) == state,
        f"job {job} is {state}", 30)


def await_states(stage, wanted, key=None):
    wait_until(lambda: states(stage, key) == wanted, f"letters are {wanted}", 30)


def arrived(stage, key):
    """Event ids of a key in the order of their arrival, each once."""
    records = [one for one in stage.topics[stage.topic].records if one.key == key.encode()]
    return list(dict.fromkeys(one.event_id for one in sorted(records, key=lambda one: one.offset)))


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_a_parked_key_waits_others_go_on_and_the_replay_brings_all_in_order(tmp_path, mode):
    with stage_of(tmp_path, "park", mode) as stage:
        before = stage.shop.publish(key="a")
        bad = stage.shop.publish(key="a", payload=LARGE)
        behind = [stage.shop.publish(key="a", payload=b"%d" % n) for n in range(20)]
        others = [stage.shop.publish(key="b", payload=b"%d" % n) for n in range(20)]
        stage.topics[stage.topic].await_ids([before, *others])
        await_states(stage, ["parked"] * 21, "a")
        assert arrived(stage, "a") == [before]
        mend(stage)
        job, letters = file(stage)
        assert letters == 21
        more = [stage.shop.publish(key="a", payload=b"late %d" % n) for n in range(20)]
        stage.topics[stage.topic].await_ids([bad, *behind, *more])
        assert arrived(stage, "a") == [before, bad, *behind, *more]
        await_job(stage, job)
        assert set(states(stage)) == {"delivered"}
        assert stage.database.value("select count(*) from outbox.lane") == 0
        assert len(stage.topics[stage.topic].records) == 62, "each came once"
        after = stage.shop.publish(key="a")
        stage.arrival(stage.topic, after)


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_a_held_key_is_tried_again_by_itself(tmp_path, mode):
    with stage_of(tmp_path, "hold", mode) as stage:
        bad = stage.shop.publish(key="a", payload=LARGE)
        behind = [stage.shop.publish(key="a", payload=b"%d" % n) for n in range(5)]
        other = stage.shop.publish(key="b")
        stage.arrival(stage.topic, other)
        wait_until(lambda: stage.database.value(
            "select coalesce(max(attempts), 0) from outbox.lane") >= 2, "it was tried again", 30)
        assert states(stage, "a") == ["held"] * 6
        mend(stage)
        stage.topics[stage.topic].await_ids([bad, *behind])
        assert arrived(stage, "a") == [bad, *behind]
        wait_until(lambda: set(states(stage)) == {"delivered"}, "all are delivered")


def test_a_held_key_is_parked_in_the_end(tmp_path):
    with stage_of(tmp_path, "hold", hold="hold = { first_ms = 10, attempts_max = 3 }") as stage:
        stage.shop.publish(key="a", payload=LARGE)
        behind = stage.shop.publish(key="a")
        await_states(stage, ["parked", "parked"])
        mend(stage)
        time.sleep(1)
        assert states(stage) == ["parked", "parked"]
        job, _ = file(stage)
        stage.arrival(stage.topic, behind)
        await_job(stage, job)


def test_a_replayed_record_is_the_record_that_would_have_come(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        stage.shop.publish(key="a", payload=LARGE)
        first = stage.shop.publish(key="a", payload=b"\x00\xff", headers={"tenant": "x", "n": None})
        plain = stage.shop.publish(key="b", payload=b"\x00\xff",
                                   headers={"tenant": "x", "n": None})
        tombstone = stage.shop.publish(key="a", payload=None)
        usual = stage.arrival(stage.topic, plain)
        await_states(stage, ["parked"] * 3)
        mend(stage)
        file(stage)
        replayed = stage.arrival(stage.topic, first)
        assert (replayed.key, replayed.value) == (b"a", b"\x00\xff")
        assert replayed.header("outbox.replays") == "1" and usual.header("outbox.replays") is None
        assert [name for name, _ in replayed.headers if name != "outbox.replays"] == [
            name for name, _ in usual.headers]
        assert replayed.header("tenant") == "x" and dict(replayed.headers)["n"] is None
        assert replayed.header("position").count("/") == 2, replayed.header("position")
        assert replayed.timestamp_ms // 60_000 == usual.timestamp_ms // 60_000
        assert stage.arrival(stage.topic, tombstone).value is None


def test_a_parked_key_stays_parked_over_a_kill_and_is_replayed_by_the_next_relay(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        bad = stage.shop.publish(key="a", payload=LARGE)
        behind = [stage.shop.publish(key="a", payload=b"%d" % n) for n in range(5)]
        await_states(stage, ["parked"] * 6)
        stage.relay.kill()
        later = [stage.shop.publish(key="a", payload=b"later %d" % n) for n in range(5)]
        stage.relay.start()
        await_states(stage, ["parked"] * 11)
        assert arrived(stage, "a") == []
        mend(stage)
        job, letters = file(stage)
        assert letters == 11
        stage.topics[stage.topic].await_ids([bad, *behind, *later])
        assert arrived(stage, "a") == [bad, *behind, *later]
        await_job(stage, job)


def test_a_job_goes_on_after_a_kill_in_its_middle(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        ids = {}
        for key in range(20):
            ids[key] = [stage.shop.publish(key=str(key), payload=LARGE)]
            ids[key] += [stage.shop.publish(key=str(key), payload=b"%d" % n) for n in range(9)]
        await_states(stage, ["parked"] * 200)
        mend(stage)
        job, _ = file(stage, rate=100)
        for _ in range(3):
            time.sleep(0.5)
            stage.relay.kill()
            stage.relay.start()
        stage.topics[stage.topic].await_ids([one for key in ids for one in ids[key]])
        await_job(stage, job)
        for key in ids:
            assert arrived(stage, str(key)) == ids[key]
        delivered, refused = stage.database.execute(
            "select delivered, refused from outbox.replay_job")[0]
        assert (delivered, refused) == (200, 0)


def test_what_is_refused_again_stays_and_the_job_goes_on(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        worst = stage.shop.publish(key="a", payload=b"x" * 40_000)
        behind = stage.shop.publish(key="a")
        bad = stage.shop.publish(key="b", payload=LARGE)
        await_states(stage, ["parked"] * 3)
        configure_topic(stage.topic, max_message_bytes=20_000)
        job, _ = file(stage)
        stage.arrival(stage.topic, bad)
        await_job(stage, job)
        await_states(stage, ["parked", "parked"], "a")
        assert arrived(stage, "a") == []
        mend(stage)
        file(stage)
        stage.topics[stage.topic].await_ids([worst, behind])
        assert arrived(stage, "a") == [worst, behind]


def test_a_discarded_head_frees_its_key_without_a_restart(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        stage.shop.publish(key="a", payload=LARGE)
        await_states(stage, ["parked"])
        stage.database.execute("select outbox.letters_discard(%s, 'known')",
                               [json.dumps({"pipeline": stage.pipeline})])
        wait_until(lambda: stage.database.value("select count(*) from outbox.letter_gone") == 0,
                   "the relay has heard of it")
        stage.arrival(stage.topic, stage.shop.publish(key="a"))
        assert states(stage) == ["discarded"]


def test_a_dead_letter_is_in_the_table_and_in_its_topic_and_is_replayed(tmp_path):
    with stage_of(tmp_path, "dead-letter") as stage:
        bad = stage.shop.publish(key="a", payload=LARGE)
        next_one = stage.shop.publish(key="a")
        stage.arrival(stage.topic, next_one)
        copy = stage.arrival(f"{stage.topic}.dead-letter", bad)
        code, topic = stage.database.execute(
            "select first_code, topic from outbox.dead_letter where event_id = %s", [bad])[0]
        assert (code, topic) == (copy.header("outbox.error.code"), stage.topic)
        headers = dict(copy.headers)
        exception = b"org.apache.kafka.common.errors.RecordTooLargeException"
        assert headers["__connect.errors.exception.class.name"] == exception
        assert headers["kafka_dlt-exception-fqcn"] == exception
        assert headers["kafka_dlt-original-topic"] == stage.topic.encode()
        assert int.from_bytes(headers["kafka_dlt-original-offset"], "big", signed=True) == -1
        assert abs(int.from_bytes(headers["kafka_dlt-original-timestamp"], "big") / 1000
                   - time.time()) < 60
        mend(stage)
        job, letters = file(stage)
        assert letters == 1
        assert stage.arrival(stage.topic, bad).value == LARGE
        await_job(stage, job)


def test_what_the_replay_did_is_seen_in_metrics(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        stage.shop.publish(key="a", payload=LARGE)
        behind = stage.shop.publish(key="a")
        await_states(stage, ["parked"] * 2)

        def metric(name):
            return sum(value for key, value in stage.relay.metrics().items()
                       if key.startswith(name))

        wait_until(lambda: metric("outbox_blocked_keys") == 1
                   and metric("outbox_events_parked_total") == 2, "two are parked, of one key")
        mend(stage)
        file(stage)
        stage.arrival(stage.topic, behind)
        wait_until(lambda: metric("outbox_blocked_keys") == 0
                   and metric("outbox_events_replayed_total") == 2, "both are replayed")


DROP_LETTERS = """
do $$ declare f regprocedure; begin
  for f in select p.oid from pg_proc p where p.pronamespace = 'outbox'::regnamespace
           and p.proname ~ '^(letter|lane|replay|blocked)' loop
    execute 'drop function ' || f || ' cascade';
  end loop;
end $$;
drop table outbox.dead_letter, outbox.lane cascade"""


def test_a_schema_without_letters_stops_a_route_that_parks_and_names_the_remedy(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        assert stage.relay.stop() == 0
        stage.database.execute(DROP_LETTERS)
        stage.relay.start()
        assert stage.relay.wait(30) == 1
        assert "SCHEMA_TOO_OLD" in stage.relay.log_tail()
        assert "outbox schema apply" in stage.relay.log_tail()


def test_with_a_schema_without_letters_dead_letters_go_to_their_topic_as_before(tmp_path):
    with stage_of(tmp_path, "dead-letter") as stage:
        assert stage.relay.stop() == 0
        stage.database.execute(DROP_LETTERS)
        stage.relay.start()
        bad = stage.shop.publish(key="a", payload=LARGE)
        stage.arrival(stage.topic, stage.shop.publish(key="a"))
        stage.arrival(f"{stage.topic}.dead-letter", bad)
        wait_until(lambda: "SCHEMA_TOO_OLD" in stage.relay.log_tail(), "it says so")
        assert stage.relay.running()


def verified(stage):
    """The exit code and the summary of `outbox verify`, once all is proven to be settled."""
    last = stage.database.value("select max(seq) from outbox.event")
    wait_until(lambda: (stage.database.value("select delivered_seq from outbox.progress") or 0)
               >= last, f"seq {last} is settled", 60)
    done = stage.relay.command("verify", "-o", "json")
    return done.returncode, json.loads(done.stdout)["summary"]


@pytest.mark.parametrize("mode", ["wal", "poll"])
@pytest.mark.parametrize("on_failure", ["park", "dead-letter"])
def test_verify_counts_letters_and_after_the_replay_finds_each_event(tmp_path, on_failure, mode):
    with stage_of(tmp_path, on_failure, mode) as stage:
        stage.shop.publish(key="a")
        stage.shop.publish(key="a", payload=LARGE)
        last = [stage.shop.publish(key=key, payload=b"%d" % n) for n in range(5) for key in "ab"]
        stage.arrival(stage.topic, last[-1])
        parked = 6 if on_failure == "park" else 1
        wait_until(lambda: len(states(stage)) == parked, f"{parked} letters are there")
        code, summary = verified(stage)
        assert code == 0, summary
        assert (summary["delivered"], summary["dead_letters"]) == (12 - parked, parked)
        mend(stage)
        await_job(stage, file(stage)[0])
        code, summary = verified(stage)
        assert code == 0, summary
        assert (summary["delivered"], summary["dead_letters"]) == (12, 0)


def test_an_edited_letter_is_replayed_in_its_place_and_verify_knows_it(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        bad = stage.shop.publish(key="a", payload=LARGE)
        behind = stage.shop.publish(key="a")
        await_states(stage, ["parked"] * 2)
        new_id = str(stage.database.value(
            "select new_event_id from outbox.letter_edit(1, 'small', null, 'too large')"))
        file(stage)
        stage.topics[stage.topic].await_ids([new_id, behind])
        assert arrived(stage, "a") == [new_id, behind]
        edited = stage.arrival(stage.topic, new_id)
        assert edited.value == b"small" and edited.header("replaces") == bad
        wait_until(lambda: states(stage) == ["replaced", "delivered", "delivered"], "both are done")
        code, summary = verified(stage)
        assert code == 0 and summary["records_without_a_row"]["edited"] == 1, summary
