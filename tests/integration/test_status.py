"""`outbox status`: one line a pipeline, for people and for machines."""

import json
import signal
import subprocess

import pytest

import config_text
from config_text import route
from service.port import free_port
from stage import Stage
from support import environment
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    topic = create_topic(unique_name("status"))
    with Stage(tmp_path_factory.mktemp("status"), [route(topic, aggregate_type="order")]) as stage:
        stage.topic = topic
        yield stage
    delete_topic(topic)


def the_pipeline(stage, output="json"):
    done = stage.relay.command("status", "-o", output)
    assert (done.returncode, done.stderr) == (0, "")
    if output == "json":
        found, = json.loads(done.stdout)["pipelines"]
    else:
        found = json.loads(done.stdout)
    return found


def test_text_is_one_line_a_pipeline_on_stdout(stage):
    done = stage.relay.command("status")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if stage.pipeline in line]
    assert len(lines) == 1 and "ok" in lines[0]


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_json_has_state_lag_in_three_units_rate_drain_and_counts(stage, output):
    stage.arrival(stage.topic, stage.shop.publish())
    wait_until(lambda: the_pipeline(stage, output)["totals"]["delivered"] >= 1,
               "the event is counted")
    found = the_pipeline(stage, output)
    assert found["name"] == stage.pipeline and found["state"] == "ok"
    assert set(found["lag"]) >= {"seconds", "events", "wal_bytes"}
    assert set(found["trend"]) >= {"events_per_second", "drain_seconds", "growing"}
    assert set(found["totals"]) >= {"delivered", "dead_lettered", "skipped"}
    assert found["reason"] == "" and found["epoch"] == 1


def test_the_command_shows_what_the_page_shows(stage):
    page = json.loads(stage.relay.get("/status"))["pipelines"][0]
    found = the_pipeline(stage)
    assert set(page) == set(found)


def test_dead_letters_show_with_their_newest_cause(stage):
    stage.arrival(stage.dead_letters, stage.shop.publish("stranger", "1"))
    wait_until(lambda: the_pipeline(stage)["totals"]["dead_lettered"] >= 1,
               "the dead letter is counted")
    assert the_pipeline(stage)["newest_refusal"]["code"] == "NO_ROUTE"
    assert "DEAD LETTERS" in stage.relay.command("status").stdout


def test_a_pipeline_that_waits_shows_the_reason_and_the_exit_code_is_0(stage, tmp_path):
    """The command worked; whether all is well, /readyz says."""
    port = free_port()
    relay = Relay(tmp_path, "postgresql://relay@127.0.0.1:1/none", admin_port=port,
                  config=config_text.whole(port, "some_slot"))
    relay.start()
    try:
        done = wait_until(lambda: (d := relay.command("status")).returncode == 0
                          and "waiting" in d.stdout and d, "status says waiting")
        assert "127.0.0.1" in done.stdout
    finally:
        relay.stop()


def test_watch_shows_it_again_and_ends_by_ctrl_c(stage):
    watching = subprocess.Popen(
        [environment.outbox_bin(), "status", "--config", stage.relay.config_file, "--watch"],
        env=stage.relay.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = [next(line for line in watching.stdout if stage.pipeline in line) for _ in range(3)]
    watching.send_signal(signal.SIGINT)
    rest, err = watching.communicate(timeout=10)
    assert len(seen) == 3 and err == ""
    assert watching.returncode in (0, 130, -signal.SIGINT)
