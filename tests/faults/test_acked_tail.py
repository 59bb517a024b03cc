"""Row 31: Kafka loses a tail that it had acknowledged. `verify` names it and brings it back."""

import json
import os
from collections import Counter

import pytest

from support.database import Database
from support.relay import Relay
from support.services import Services
from support.topic import create_topic, read_topic, unique_name
from support.waiting import wait_until

_EVENTS = 600
_PARTITIONS = 3


@pytest.fixture
def cluster():
    with Services.private() as cluster:
        cluster.start(only="kafka")
        yield cluster


def publish(database, count):
    """`count` events on a dozen keys, each in a transaction of its own; their ids."""
    connection = database.connect()
    with connection.cursor() as cursor:
        ids = []
        for number in range(count):
            cursor.execute("select outbox.publish('order', %s, 'changed', %s::jsonb)::text",
                           [f"k{number % 12}", json.dumps({"n": number})])
            ids += cursor.fetchone()
    connection.close()
    return ids


def wait_settled(database):
    last = database.value("select max(seq) from outbox.event")
    wait_until(lambda: (database.value("select delivered_seq from outbox.progress") or 0) >= last,
               f"seq {last} is settled", 90)


def log_sizes(cluster, topic):
    sizes = {log: log.stat().st_size
             for log in sorted((cluster.folder / "kafka-1").glob(f"{topic}-*/*.log"))}
    assert len(sizes) == _PARTITIONS, sizes
    return sizes


def cut_logs(cluster, topic, safe):
    """What a machine leaves that lost power before the log was written: files that end early.
    `safe`: sizes that reached the disk."""
    for number, (log, size) in enumerate(log_sizes(cluster, topic).items(), start=1):
        os.truncate(log, safe[log] + (size - safe[log]) * number // (_PARTITIONS + 1))


@pytest.mark.fault_row(31)
def test_verify_names_the_acked_tail_that_kafka_lost_and_repair_brings_it_back(tmp_path, cluster):
    """The relay runs on, and its producer meets a log that is shorter than it knows."""
    bootstrap = cluster.env()["KAFKA_BOOTSTRAP"]
    topic = create_topic(unique_name(), _PARTITIONS, bootstrap=bootstrap)
    with Database() as database, Relay(tmp_path, database.url, topic,
                                       bootstrap=bootstrap) as relay:
        ids = publish(database, _PARTITIONS * 12)
        wait_settled(database)
        safe = log_sizes(cluster, topic)
        ids += publish(database, _EVENTS)
        wait_settled(database)
        assert {one.event_id for one in read_topic(topic, bootstrap)} == set(ids)
        cluster.kill("kafka-1")
        cut_logs(cluster, topic, safe)
        cluster.start(only="kafka")
        kept = {one.event_id for one in read_topic(topic, bootstrap)}
        assert _PARTITIONS * 12 <= len(kept) < len(ids)
        later = publish(database, 30)
        wait_settled(database)

        done = relay.command("verify", "-o", "json")
        report = json.loads(done.stdout)
        assert done.returncode == 1
        assert {one["id"] for one in report["findings"]} == set(ids) - kept
        assert {one["finding"] for one in report["findings"]} == {"lost"}

        done = relay.command("verify", "--repair", "--reason", "the broker lost power", "-o",
                             "json")
        assert done.returncode == 0, done.stderr + done.stdout[-600:]
        repair = json.loads(done.stdout)["repair"]
        assert repair["filed"] == repair["job"]["delivered"] == len(ids) - len(kept)
        arrived = Counter(one.event_id for one in read_topic(topic, bootstrap))
        assert arrived == dict.fromkeys([*ids, *later], 1)
        done = relay.command("verify")
        assert done.returncode == 0 and done.stdout.endswith("ok: nothing is lost\n"), done.stdout
