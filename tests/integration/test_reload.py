"""SIGHUP: checked first, then applied; a bad config changes nothing (6b, bad reload)."""

import os
import signal

import pytest

import config_text
from config_text import route
from postbox import Postboxes
from service.port import free_port
from shop import Shop
from support.database import Database, with_database
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until


@pytest.fixture(scope="module")
def database():
    """One for all tests here: each has a slot and a pipeline of its own in it."""
    with Database() as database:
        yield database


@pytest.fixture
def topics():
    names = [create_topic(unique_name(stem)) for stem in ("before", "after")]
    yield names
    for name in names:
        delete_topic(name)


@pytest.fixture
def boxes():
    with Postboxes() as boxes:
        yield boxes


class Reloading:
    """A relay whose config a test rewrites."""

    def __init__(self, folder, database, topic):
        self.port = free_port()
        self.slot = unique_name("slot").replace(".", "_")
        self.relay = Relay(folder, database.url, slot=self.slot, admin_port=self.port,
                           config=self.text([route(topic)]))
        self.shop = Shop(database)

    def text(self, routes, **more):
        return config_text.whole(self.port, self.slot, routes, name=self.slot, **more)

    def reload(self, text):
        """Writes the config, sends SIGHUP; the log since then."""
        before = self.relay.log_file.stat().st_size
        self.relay.config_file.write_text(text)
        os.kill(self.relay.process.pid, signal.SIGHUP)
        return lambda: self.relay.log_file.read_text()[before:]

    def __enter__(self):
        self.relay.__enter__()
        return self

    def __exit__(self, *failure):
        self.shop.close()
        self.relay.__exit__(*failure)


@pytest.fixture
def reloading(tmp_path, database, topics):
    with Reloading(tmp_path, database, topics[0]) as reloading:
        yield reloading


def test_a_good_config_applies_its_new_route_without_losing_or_repeating(reloading, topics, boxes):
    before = [reloading.shop.publish() for _ in range(20)]
    boxes[topics[0]].await_ids(before)
    log = reloading.reload(reloading.text([route(topics[1], aggregate_type="order")]))

    def arrived():
        ids.append(reloading.shop.publish())
        boxes[topics[1]].look()
        return boxes[topics[1]].records
    ids = []
    wait_until(arrived, "events take the new route", pause_s=0.1)
    after = [reloading.shop.publish() for _ in range(20)]
    boxes[topics[1]].await_ids(after)
    boxes[topics[0]].look(1)
    everything = [r.event_id for r in boxes[topics[0]].records + boxes[topics[1]].records]
    assert sorted(everything) == sorted([*before, *ids, *after])
    assert "reload" in log()
    assert reloading.relay.process.poll() is None


@pytest.mark.parametrize("spoil, says", [
    (lambda text: text.replace("topic =", "topik ="), "topik"),
    (lambda text: text.replace("${DATABASE_URL}", "${NO_SUCH_VARIABLE}"), "NO_SUCH_VARIABLE"),
    (lambda text: text + "\n[[", "relay.toml:"),
    (lambda text: "", "pipeline")], ids=["unknown key", "unset variable", "syntax", "empty"])
def test_a_bad_config_is_shown_and_the_old_one_stays_in_force(reloading, topics, boxes, spoil,
                                                               says):
    good = reloading.relay.config_file.read_text()
    log = reloading.reload(spoil(reloading.text([route(topics[1])])))
    wait_until(lambda: says in log() and "stays in force" in log(), "the log says what is wrong")
    assert "relay.toml" in log()
    boxes[topics[0]].await_ids([reloading.shop.publish() for _ in range(5)])
    assert not boxes[topics[1]].records
    reloading.relay.config_file.write_text(good)


def test_an_unchanged_config_disturbs_nothing(reloading, topics, boxes):
    epoch = reloading.relay.status()["epoch"]
    log = reloading.reload(reloading.relay.config_file.read_text())
    wait_until(lambda: "reload" in log(), "the reload is logged")
    boxes[topics[0]].await_ids([reloading.shop.publish()])
    assert reloading.relay.status()["epoch"] == epoch


def test_a_pipeline_that_is_added_starts_and_one_that_is_taken_out_stops(
        reloading, database, topics, boxes):
    second = reloading.slot + "_b"
    both = (reloading.text([route(topics[0])]) + config_text.source("copy", second)
            + config_text.pipeline(second, "copy", [route(topics[1])]))
    reloading.reload(both)
    wait_until(lambda: [(p["name"], p["state"]) for p in reloading.relay.statuses()]
               == [(reloading.slot, "ok"), (second, "ok")], "both run")
    event_id = reloading.shop.publish()
    boxes[topics[0]].await_ids([event_id])
    boxes[topics[1]].await_ids([event_id])
    reloading.reload(reloading.text([route(topics[0])]))
    wait_until(lambda: [p["name"] for p in reloading.relay.statuses()] == [reloading.slot],
               "one runs")
    wait_until(lambda: database.value("select active_pid is null from pg_replication_slots"
                                      " where slot_name = %s", [second]), "its slot is free")


def test_a_secret_in_a_file_is_read_again(tmp_path, database, topics, boxes):
    """A rotated password: the file changes, the config does not."""
    secret = tmp_path / "url"
    secret.write_text(with_database(database.url, "no_such_database"))
    port = free_port()
    slot = unique_name("slot").replace(".", "_")
    text = (config_text.admin(port) + config_text.source("shop", slot, url=f"${{file:{secret}}}")
            + config_text.sink() + config_text.pipeline(slot, "shop", [route(topics[0])])
            # One pipeline that works keeps the relay running.
            + config_text.source("keeper", slot + "_b")
            + config_text.pipeline(slot + "_b", "keeper", [route(topics[1])]))
    relay = Relay(tmp_path / "relay", database.url, slot=slot, config=text, admin_port=port)
    relay.start()
    wait_until(lambda: relay.status()["state"] == "stopped", "the wrong one stopped")
    secret.write_text(database.url + "\n")
    os.kill(relay.process.pid, signal.SIGHUP)
    relay.wait_ready()
    shop = Shop(database)
    boxes[topics[0]].await_ids([shop.publish()])
    shop.close()
    relay.stop()


def test_sighup_under_load_loses_and_swaps_nothing(reloading, topics, boxes):
    """Invariants 1 and 3 over restarts of the pipeline."""
    ids = []
    for turn in range(6):
        ids += [reloading.shop.publish(key="one") for _ in range(50)]
        reloading.reload(reloading.text([route(topics[0])], pipeline_more=(
            f"window_events = {64 << turn}")))
    boxes[topics[0]].await_ids(ids)
    arrived = []
    for record in boxes[topics[0]].records:
        if record.event_id not in arrived:
            arrived.append(record.event_id)
    assert arrived == ids
    reloading.relay.wait_ready()


def test_sigint_is_sigterm(reloading, topics, boxes):
    boxes[topics[0]].await_ids([reloading.shop.publish()])
    reloading.relay.process.send_signal(signal.SIGINT)
    assert reloading.relay.wait() == 0


@pytest.mark.fault_row(4)
def test_sigterm_under_load_drains_confirms_and_exits_0(reloading, topics, boxes):
    with reloading.shop.transaction() as cursor:
        cursor.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type)"
                       " select 'order', 'k' || n % 10, 'E' from generate_series(1, 50000) n")
    wait_until(lambda: reloading.relay.status()["totals"]["delivered"] > 0, "it is under way")
    assert reloading.relay.stop() == 0
    with reloading.relay:
        last = reloading.shop.publish()
        boxes[topics[0]].await_ids([last], 60)
    ids = [r.event_id for r in boxes[topics[0]].records]
    assert len(set(ids)) == 50_001
    assert len(ids) == 50_001, "a clean stop repeats nothing"
    reloading.relay.start()
    reloading.relay.wait_ready()
