"""Rows 26, 27 and 30: all brokers down, too few copies in sync, topics that come and go. None of
it may make a dead letter of an event that only has to wait."""

import time

import pytest

from service.port import free_port
from support import environment
from support.database import Database
from support.relay import Relay
from support.services import Services
from support.topic import (add_partitions, create_topic, delete_topic, read_topic, topic_names,
                           unique_name)
from support.waiting import wait_until


def letters(stage):
    return stage.database.value("select count(*) from outbox.dead_letter")


def waiting_for_broker(stage):
    """The pipeline says that it waits."""
    return any(value == 1 for name, value in stage.relay.metrics().items()
               if name.startswith("outbox_pipeline_state{") and 'state="waiting"' in name)


@pytest.mark.fault_row(26)
def test_all_brokers_down_makes_no_dead_letter_and_the_relay_catches_up_fast(on_stage):
    down_s = 600 if environment.soaking() else 20
    with Services.private() as cluster:
        cluster.start("kafka")
        bootstrap = cluster.env()["KAFKA_BOOTSTRAP"]
        with on_stage(bootstrap=bootstrap) as stage:
            stage.watcher.wait_new(int(time.time() * 1000))
            cluster.kill("kafka-1")
            time.sleep(down_s)
            wait_until(lambda: waiting_for_broker(stage), "it says that it waits")
            assert letters(stage) == 0
            assert stage.relay.resident_mb() < 48
            cluster.start("kafka-1")
            stage.watcher.wait_new(int(time.time() * 1000), 60)
            since = time.monotonic()
            stage.rest(patience_s=120)
            took_s = time.monotonic() - since
            assert took_s < down_s / 5 or not environment.soaking(), (
                f"{took_s:.0f} s: not five times as fast as it came")
            assert letters(stage) == 0
            assert stage.relay.stop() == 0


@pytest.mark.fault_row(27)
def test_too_few_copies_in_sync_is_waited_for_and_loses_and_disorders_nothing(on_stage):
    """Two of three brokers are away: the one left refuses with NOT_ENOUGH_REPLICAS, or has appended
    what it then could not copy (NOT_ENOUGH_REPLICAS_AFTER_APPEND)."""
    away_s = 60 if environment.soaking() else 6
    with Services.private() as cluster:
        cluster.start("kafka", brokers=3)
        bootstrap = cluster.env()["KAFKA_BOOTSTRAP"]
        with on_stage(bootstrap=bootstrap, replication=3, pause_s=0.15,
                      topic_settings={"min_insync_replicas": 2}) as stage:
            for _ in range(5 if environment.soaking() else 1):
                stage.watcher.wait_new(int(time.time() * 1000))
                for number in (2, 3):
                    cluster.pause(f"kafka-{number}")
                time.sleep(away_s)
                assert letters(stage) == 0
                for number in (2, 3):
                    cluster.resume(f"kafka-{number}")
                stage.watcher.wait_new(int(time.time() * 1000), 60)
                stage.mark()
            stage.rest(patience_s=120)
            assert letters(stage) == 0
            assert stage.relay.stop() == 0


@pytest.mark.fault_row(30)
def test_partitions_that_are_added_are_used_within_a_minute_and_cost_no_event(tmp_path, services):
    """The relay reads of them within half a minute; its producer must not go on refusing them until
    it asks by itself, five minutes later."""
    topic = create_topic(unique_name("grows"), partitions=1)
    with Database() as database, Relay(tmp_path, database.url, topic) as relay:
        def published():
            """All ids, after some more events."""
            database.execute("select outbox.publish('order', 'key-' || n, 'changed', '{}')"
                             " from generate_series(1, 50) n")
            return {str(one) for one, in database.execute("select id from outbox.event")}

        def arrived():
            records = read_topic(topic)
            return {r.event_id for r in records}, {r.partition for r in records}

        wait_until(lambda: published() <= arrived()[0], "the first arrive", pause_s=0.5)
        add_partitions(topic, 9)
        wait_until(lambda: published() and len(arrived()[1]) > 5, "new partitions are used", 60,
                   pause_s=1)
        ids = published()
        wait_until(lambda: arrived()[0] == ids, "all arrive", 30, pause_s=0.5)
        assert database.value("select count(*) from outbox.dead_letter") == 0 and relay.running()
    delete_topic(topic)


@pytest.mark.fault_row(30)
def test_a_deleted_topic_stops_its_route_only_and_nobody_makes_it_again(tmp_path, services):
    gone, stays = create_topic(unique_name("gone")), create_topic(unique_name("stays"))
    port, slot = free_port(), unique_name("slot").replace(".", "_")
    with Database() as database, Relay(
            tmp_path, database.url, slot=slot, admin_port=port,
            config=_TWO_ROUTES.format(port=port, slot=slot, gone=gone, stays=stays)):
        def publish(kind):
            return str(database.value(
                "select outbox.publish(%s, 'k', 'changed', '{\"n\": 1}')", [kind]))

        def there(topic, event):
            return topic in topic_names() and event in {r.event_id for r in read_topic(topic)}

        first = publish("gone")
        wait_until(lambda: there(gone, first), "the first arrived")
        delete_topic(gone)

        def parked():
            publish("gone")
            return database.value("select count(*) from outbox.dead_letter"
                                  " where state = 'parked' and topic = %s", [gone])

        wait_until(parked, "its route parks", 120, pause_s=0.5)
        other = publish("stays")
        wait_until(lambda: there(stays, other), "the other route goes on")
        assert gone not in topic_names(), "nobody made it again"
        assert database.execute("select distinct first_code from outbox.dead_letter"
                                " where first_code is not null") == [("UNKNOWN_TOPIC",)]
        create_topic(gone)
        database.execute("select outbox.replay_file('{\"pipeline\": \"orders\"}', 'made again')")
        wait_until(lambda: database.value("select count(*) from outbox.lane") == 0,
                   "what was parked is delivered", 60)
        last = publish("gone")
        wait_until(lambda: there(gone, last), "and the route goes on")
        ids = [str(one) for one, in database.execute(
            "select id from outbox.event where aggregate_type = 'gone' order by seq")]
        seen = list(dict.fromkeys(record.event_id for record in read_topic(gone)))
        assert seen == ids[len(ids) - len(seen):], "in order"
        assert database.value("select count(*) from outbox.dead_letter where state <> 'delivered'"
                              ) == 0
    delete_topic(gone)
    delete_topic(stays)


_TWO_ROUTES = """\
[admin]
listen = "127.0.0.1:{port}"
[source.shop]
type = "postgres"
url = "${{DATABASE_URL}}"
slot = "{slot}"
publication = "{slot}"
[sink.kafka]
type = "kafka"
bootstrap_servers = "${{KAFKA_BOOTSTRAP}}"
[[pipeline]]
name = "orders"
source = "shop"
sink = "kafka"
[[pipeline.route]]
match = {{ aggregate_type = "gone" }}
topic = "{gone}"
on_failure = "park"
[[pipeline.route]]
topic = "{stays}"
"""
