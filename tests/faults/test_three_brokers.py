"""Row 25: three brokers, one of which dies or is restarted under load."""

import time

import pytest
from confluent_kafka.admin import AdminClient

from support import environment
from support.services import Services
from support.waiting import wait_until

# Three JVMs and their clients share the cores: the scaled run writes less, so that a broker is back
# in ten seconds and not in twenty.
_SETTINGS = {"replication": 3, "topic_settings": {"min_insync_replicas": 2},
             "pause_s": 0.03 if environment.soaking() else 0.15}


@pytest.fixture(scope="module")
def cluster():
    with Services.private() as cluster:
        cluster.start("kafka", brokers=3)
        yield cluster


def partitions(stage, bootstrap):
    """The topic's partitions as the brokers know them."""
    return AdminClient({"bootstrap.servers": bootstrap}).list_topics(
        stage.topic, timeout=5).topics[stage.topic].partitions.values()


def wait_in_sync(stage, bootstrap):
    wait_until(lambda: all(len(p.isrs) == 3 for p in partitions(stage, bootstrap)),
               "every copy is in sync again", 60, pause_s=0.2)


@pytest.mark.fault_row(25)
def test_the_leader_is_killed_again_and_again_and_nothing_is_lost_or_out_of_order(
        on_stage, cluster):
    bootstrap = cluster.env()["KAFKA_BOOTSTRAP"]
    with on_stage(bootstrap=bootstrap, **_SETTINGS) as stage:
        for number in range(30 if environment.soaking() else 3):
            stage.watcher.wait_new(int(time.time() * 1000))
            leader = list(partitions(stage, bootstrap))[number % 6].leader
            cluster.kill(f"kafka-{leader}")
            stage.watcher.wait_new(int(time.time() * 1000))
            cluster.start(f"kafka-{leader}")
            wait_in_sync(stage, bootstrap)
            stage.mark()
        stage.rest(patience_s=120)
        assert stage.relay.stop() == 0


@pytest.mark.fault_row(25)
def test_a_rolling_restart_of_the_brokers_keeps_order_and_loses_nothing(on_stage, cluster):
    bootstrap = cluster.env()["KAFKA_BOOTSTRAP"]
    with on_stage(bootstrap=bootstrap, **_SETTINGS) as stage:
        for _ in range(10 if environment.soaking() else 1):
            for number in (1, 2, 3):
                cluster.stop(f"kafka-{number}")
                stage.watcher.wait_new(int(time.time() * 1000))
                cluster.start(f"kafka-{number}")
                wait_in_sync(stage, bootstrap)
                stage.mark()
        stage.rest(patience_s=120)
        assert stage.relay.stop() == 0
