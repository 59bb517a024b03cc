"""`outbox dead-letters`: replay, edit, discard, jobs (issue: operators of letters)."""

import signal
import time

import pytest

from letter_command import LetterCommand, fill
from logins import login
from test_letters import LARGE, arrived, await_job, await_states, mend, stage_of, states
from support.topic import configure_topic
from support.waiting import wait_until


@pytest.fixture
def stage(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        stage.letters = LetterCommand(stage)
        yield stage


def job_of(stage, job=1):
    return stage.database.execute(
        "select state, delivered, refused from outbox.replay_job where job = %s", [job])[0]


def test_a_dry_run_counts_what_the_replay_then_does(stage):
    ids = fill(stage, keys=2, behind=4)
    counted = stage.letters.json("replay", "--dry-run", "--key", "k0")
    assert (counted["letters"], counted["behind"], counted["taken"]) == (5, 0, 0)
    assert stage.database.value("select count(*) from outbox.replay_job") == 0
    mend(stage)
    job = stage.letters.json("replay", "--key", "k0", "--reason", "topic mended")
    assert (job["selected"], job["delivered"], job["refused"], job["state"]) == (5, 5, 0, "done")
    stage.topics[stage.topic].await_ids(ids["k0"])
    assert arrived(stage, "k0") == ids["k0"] and states(stage, "k1") == ["parked"] * 5
    listed, = stage.letters.json("jobs")
    assert (listed["reason"], listed["delivered"]) == ("topic mended", 5)
    assert listed["filter"] == {"pipeline": stage.pipeline, "key": "k0"}
    shown, = stage.letters.json("show", ids["k0"][0])
    assert [act["action"] for act in shown["history"]] == ["delivered"]


def test_a_rate_holds_and_the_order_of_each_key_stays(stage):
    ids = fill(stage, keys=3, behind=9)
    mend(stage)
    begun = time.monotonic()
    done = stage.letters("replay", "--rate", "10", "--reason", "gently")
    assert done.code == 0, done
    assert time.monotonic() - begun > 1.5, "30 letters at 10 a second"
    stage.topics[stage.topic].await_ids([one for key in ids for one in ids[key]])
    for key, expected in ids.items():
        assert arrived(stage, key) == expected


def test_ctrl_c_pauses_the_job_and_its_number_goes_on_with_it(stage):
    ids = fill(stage, keys=10, behind=9)
    mend(stage)
    command = stage.letters.start("replay", "--rate", "20", "--reason", "gently")
    wait_until(lambda: stage.database.value(
        "select coalesce(max(delivered), 0) from outbox.replay_job") > 0, "the job has begun", 30)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)
    assert command.returncode == 6, err
    assert "is paused" in out and "replay --config" in err and "--job 1" in err
    state, delivered, _ = job_of(stage)
    assert state == "paused" and 0 < delivered < 100
    time.sleep(2)
    assert job_of(stage)[1] <= delivered + 20, "what was under way at most"
    taken = stage.letters("discard", "--all", "--reason", "x")
    assert taken.code == 4 and "a replay has taken them" in taken.err
    done = stage.letters("replay", "--job", "1")
    assert done.code == 0 and job_of(stage) == ("done", 100, 0), done
    for key, expected in ids.items():
        stage.topics[stage.topic].await_ids(expected)
        assert arrived(stage, key) == expected


def test_a_killed_command_leaves_the_job_to_the_relay(stage):
    ids = fill(stage, keys=5, behind=9)
    mend(stage)
    command = stage.letters.start("replay", "--rate", "25", "--reason", "gently")
    wait_until(lambda: stage.database.value("select count(*) from outbox.replay_job") == 1,
               "the job is filed", 30)
    command.kill()
    command.communicate()
    await_job(stage, 1)
    assert job_of(stage) == ("done", 50, 0)
    stage.topics[stage.topic].await_ids([one for key in ids for one in ids[key]])
    assert stage.letters("replay", "--job", "1").code == 0, "a job that is done is told so"


def test_a_broken_connection_loses_neither_the_job_nor_its_follower(stage):
    ids = fill(stage, keys=5, behind=9)
    mend(stage)
    command = stage.letters.start("replay", "--rate", "5", "--reason", "gently")
    for _ in range(2):
        wait_until(lambda: stage.database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name like '%%dead-letters' and datname = current_database()"),
            "the command's connection was ended", 30)
        time.sleep(0.3)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0 and "50 delivered" in out, err
    assert stage.database.value("select count(*) from outbox.replay_job") == 1
    stage.topics[stage.topic].await_ids([one for key in ids for one in ids[key]])


def test_letters_of_a_route_that_does_not_wait_are_edited_and_replayed(tmp_path):
    with stage_of(tmp_path, "dead-letter") as stage:
        letters = LetterCommand(stage)
        bad, worse = (stage.shop.publish(key="a", payload=LARGE) for _ in range(2))
        await_states(stage, ["dead", "dead"])
        small = tmp_path / "small"
        small.write_bytes(b"s")
        edit = letters("replay", "--id", bad, "--edit", small, "--reason", "too large")
        assert edit.code == 0, edit
        mend(stage)
        assert letters.json("replay", "--dry-run")["letters"] == 1
        assert letters.json("replay", "--reason", "mended")["delivered"] == 1
        stage.arrival(stage.topic, worse)
        assert states(stage) == ["replaced", "delivered", "delivered"]


def test_max_failures_stops_the_job_with_exit_6(stage):
    for key in range(5):
        stage.shop.publish(key=f"k{key}", payload=LARGE)
    await_states(stage, ["parked"] * 5)
    done = stage.letters("replay", "--max-failures", "2", "--reason", "hope")
    assert done.code == 6 and "is stopped" in done.out and "refused again: 2 letters" in done.err
    assert job_of(stage) == ("stopped", 0, 2) and states(stage) == ["parked"] * 5


@pytest.mark.fault_row(44)
def test_poison_blocks_its_key_only_and_a_replay_while_the_target_still_refuses_stops(stage):
    ids = fill(stage, keys=3, behind=2)
    for attempt in (1, 2):
        assert stage.letters("replay", "--max-failures", "1", "--reason", "too early").code == 6
        assert job_of(stage, attempt) == ("stopped", 0, 1)
        assert states(stage) == ["parked"] * 9
        stage.arrival(stage.topic, stage.shop.publish(key="healthy"))
    assert stage.database.value("select max(replays) from outbox.dead_letter") >= 1
    mend(stage)
    assert stage.letters.json("replay", "--reason", "mended")["delivered"] == 9
    stage.topics[stage.topic].await_ids([one for key in ids for one in ids[key]])
    for key in ids:
        assert arrived(stage, key) == ids[key]


def test_what_is_refused_again_is_exit_6_and_what_stands_behind_it_is_counted(stage):
    stage.shop.publish(key="a", payload=b"x" * 40_000)
    stage.shop.publish(key="a")
    stage.shop.publish(key="b", payload=LARGE)
    await_states(stage, ["parked"] * 3)
    configure_topic(stage.topic, max_message_bytes=20_000)
    done = stage.letters("replay", "--reason", "half mended")
    assert done.code == 6 and "not tried: 1" in done.err, done
    assert job_of(stage) == ("done", 1, 1)


def test_a_detached_job_is_printed_and_can_be_paused_resumed_and_ended(stage):
    fill(stage, keys=10, behind=9)
    mend(stage)
    job = stage.letters.json("replay", "--rate", "5", "--detach", "--reason", "slowly")
    number = str(job["job"])
    for act, state in (("--pause", "paused"), ("--resume", "open"), ("--end", "stopped")):
        after = stage.letters.json("jobs", act, number, "--reason", "because")
        assert (after["job"], after["state"]) == (job["job"], state)
    again = stage.letters("jobs", "--resume", number, "--reason", "because")
    assert again.code == 4 and "is over" in again.err
    assert stage.letters("replay", "--job", number).code == 6


def test_an_edited_letter_is_delivered_in_place_of_the_original(stage, tmp_path):
    bad = stage.shop.publish(key="a", payload=LARGE)
    behind = stage.shop.publish(key="a")
    await_states(stage, ["parked"] * 2)
    payload, headers = tmp_path / "payload", tmp_path / "headers"
    payload.write_bytes(b'{"small": true}')
    headers.write_text('{"tenant": "x"}')
    done = stage.letters("replay", "--id", bad, "--edit", payload, "--headers", headers,
                         "--reason", "too large")
    assert done.code == 0 and "is replaced by letter" in done.err, done
    stage.arrival(stage.topic, behind)
    new_id, follower = arrived(stage, "a")
    record = stage.arrival(stage.topic, new_id)
    assert follower == behind and record.value == b'{"small": true}'
    assert (record.header("replaces"), record.header("tenant")) == (bad, "x")
    original, = stage.letters.json("show", bad)
    assert original["state"] == "replaced" and original["history"][0]["reason"] == "too large"
    edited, = stage.letters.json("show", new_id)
    assert original["replaced_by"] == edited["letter"] and edited["state"] == "delivered"


def test_an_edit_is_for_one_letter_that_can_be_replayed(stage, tmp_path):
    ids = fill(stage, keys=2, behind=1)
    file = tmp_path / "payload"
    file.write_bytes(b"{}")
    several = stage.letters("replay", "--key", "k0", "--edit", file, "--reason", "x")
    assert several.code == 2 and "for one letter" in several.err
    behind = stage.letters("replay", "--id", ids["k0"][1], "--edit", file, "--reason", "x")
    assert behind.code == 4 and "It was not changed" in behind.err
    no_file = stage.letters("replay", "--id", ids["k0"][0], "--edit", "/nowhere", "--reason", "x")
    assert no_file.code == 2 and "cannot read /nowhere" in no_file.err
    file.write_bytes(b"[1]")
    headers = stage.letters("replay", "--id", ids["k0"][0], "--headers", file, "--reason", "x")
    assert headers.code == 2, headers
    assert states(stage) == ["parked"] * 4


def test_discard_gives_up_what_its_dry_run_counted(stage):
    fill(stage, keys=2, behind=2)
    counted = stage.letters.json("discard", "--key", "k0", "--dry-run")
    assert counted["letters"] == 3 and states(stage) == ["parked"] * 6
    done = stage.letters.json("discard", "--key", "k0", "--reason", "test data")
    assert done["letters"] == 3 and states(stage, "k0") == ["discarded"] * 3
    wait_until(lambda: stage.database.value("select count(*) from outbox.letter_gone") == 0,
               "the relay has heard of it")
    stage.arrival(stage.topic, stage.shop.publish(key="k0"))
    assert stage.letters.json("discard", "--all", "--reason", "x")["letters"] == 3


def test_a_job_that_nobody_works_on_is_told(stage):
    fill(stage, keys=1, behind=0)
    assert stage.relay.stop() == 0
    command = stage.letters.start("replay", "--reason", "x")
    try:
        lines = iter(command.stderr.readline, "")
        assert any("does not seem to run" in line for line in lines)
        mend(stage)
        stage.relay.start()
        command.communicate(timeout=60)
        assert command.returncode == 0
    finally:
        command.kill()


def test_readers_list_without_payloads_and_only_operators_change(stage):
    fill(stage, keys=1, behind=1)
    with login(stage.database, ["outbox_reader"]) as url:
        reader = LetterCommand(stage, url)
        assert len(reader.json("list")) == 2 and len(reader.json("list", "--all")) == 2
        for refused in (["list", "--all", "--payload"], ["export"], ["show", "1"],
                        ["replay", "--dry-run"], ["discard", "--all", "--reason", "x"]):
            done = reader(*refused)
            assert done.code == 4 and "outbox_operator" in done.err, (refused, done)
    with login(stage.database, ["outbox_operator"]) as url:
        operator = LetterCommand(stage, url)
        assert operator("show", "1", "--payload").code == 0
        assert operator.json("discard", "--all", "--reason", "x")["letters"] == 2


def test_an_older_schema_is_named_with_its_remedy(stage):
    stage.database.execute("drop view outbox.dead_letter_cause")
    stage.database.execute("drop function outbox.replay_file")
    for verb in (["list"], ["replay", "--dry-run"]):
        done = stage.letters(*verb)
        assert done.code == 1 and "outbox schema apply" in done.err, done
