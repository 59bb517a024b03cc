"""Lag, metrics, health: what the relay says of itself is true (issue, Build 6; cdc traps)."""

import re
import time

import pytest

from config_text import route
from http_raw import request
from stage import Stage
from support.environment import CHECKOUT
from support.services import Services
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until
from threads import stopped, threads

DOCS = CHECKOUT / "relay" / "docs" / "metrics.md"
LAGS = ("outbox_lag_seconds", "outbox_lag_events", "outbox_lag_wal_bytes")


@pytest.fixture(scope="module")
def topics():
    names = [create_topic(unique_name("lag")) for _ in range(2)]
    yield names
    for name in names:
        delete_topic(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topics):
    orders, small = topics
    with Stage(tmp_path_factory.mktemp("lag"), [route(orders, aggregate_type="order"),
                                                route(small, aggregate_type="small")]) as stage:
        yield stage


@pytest.fixture
def kafka_paused(stage, topics):
    """Kafka stands still until the test calls the fixture, or ends. No event is on its way."""
    stage.arrival(topics[0], stage.shop.publish())
    no_lag(stage)
    services = Services()
    services.pause("kafka-1")
    yield lambda: services.resume("kafka-1")
    services.resume("kafka-1")


def metric(stage, name, **labels):
    """The one sample of this name that carries the labels."""
    found = [value for sample, value in stage.relay.metrics().items()
             if re.match(re.escape(name) + r"(\{|$)", sample)
             and all(f'{label}="{text}"' in sample for label, text in labels.items())]
    assert len(found) == 1, f"{name} {labels}: {len(found)} samples"
    return found[0]


def no_lag(stage):
    wait_until(lambda: all(metric(stage, name) == 0 for name in LAGS[:2]), "lag is back to 0", 15)


def test_lag_in_seconds_and_events_is_0_when_nobody_writes_and_stays_0(stage, topics):
    """It must not keep its last value, as others do: heartbeats are on by default."""
    stage.arrival(topics[0], stage.shop.publish())
    no_lag(stage)
    deadline = time.monotonic() + 3
    seen = []
    while time.monotonic() < deadline:
        seen.append([metric(stage, name) for name in LAGS[:2]])
        time.sleep(0.1)
    # A heartbeat that is on its way counts until it is confirmed.
    assert all(seconds < 1 and events == 0 for seconds, events in seen), seen
    assert sum(seconds == 0 for seconds, _ in seen) > len(seen) / 2, seen


def test_lag_in_events_returns_to_0_after_numbers_were_rolled_back(stage, topics):
    """The sequence's value runs ahead of what is ever delivered."""
    stage.arrival(topics[0], stage.shop.publish())
    try:
        with stage.shop.transaction() as cursor:
            for _ in range(50):
                stage.shop.publish(cursor=cursor)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    time.sleep(1.2)  # one heartbeat sees the new numbers
    no_lag(stage)


def test_heartbeats_are_on_by_default_and_move_an_idle_slot(stage):
    """A busy neighbour writes WAL; the outbox is idle; the slot must follow (row 19 in small)."""
    query = "select confirmed_flush_lsn from pg_replication_slots where slot_name = %s"
    before = stage.database.value(query, [stage.slot])
    stage.database.execute("create table neighbour as select repeat('x', 1000) from"
                           " generate_series(1, 1000)")
    written = stage.database.value("select pg_current_wal_insert_lsn()")
    wait_until(lambda: stage.database.value("select %s::pg_lsn > %s::pg_lsn and"
                                            f" ({query}) >= %s::pg_lsn",
                                            [written, before, stage.slot, written]),
               "the slot is confirmed past the neighbour's writes", 15)


def test_lag_grows_in_seconds_events_and_wal_bytes_while_kafka_stands_still_and_falls_to_0(
        stage, topics, kafka_paused):
    ids = [stage.shop.publish(payload='"%s"' % ("x" * 1000)) for _ in range(100)]
    wait_until(lambda: metric(stage, LAGS[1]) == 100, "100 events are behind")
    wait_until(lambda: metric(stage, LAGS[0]) > 2, "more than 2 seconds behind")
    assert metric(stage, LAGS[2]) > 100_000
    lag = stage.relay.status()["lag"]
    assert lag["events"] == 100 and lag["seconds"] > 1 and lag["wal_bytes"] > 100_000
    assert request(stage.relay.admin_port, "/healthz").status == 200, "an outage is not a dead loop"
    kafka_paused()
    stage.topics[topics[0]].await_ids(ids)
    no_lag(stage)
    wait_until(lambda: metric(stage, LAGS[2]) < 100_000, "the WAL is confirmed")


def test_the_histogram_counts_each_acknowledged_event_of_its_route_once(stage, topics):
    def counts():
        return [metric(stage, "outbox_commit_to_acknowledged_seconds_count", route=topic)
                for topic in topics]
    before = counts()
    ids = [stage.shop.publish("small", "1") for _ in range(30)]
    stage.topics[topics[1]].await_ids([*ids, stage.shop.publish("small", "1")])
    wait_until(lambda: counts() == [before[0], before[1] + 31], "31 more are counted, on one route")
    buckets = {float(re.search(r'le="([^"]+)"', sample)[1]): value
               for sample, value in stage.relay.metrics().items()
               if sample.startswith("outbox_commit_to_acknowledged_seconds_bucket")
               and f'route="{topics[1]}"' in sample}
    ordered = [buckets[bound] for bound in sorted(buckets)]
    assert ordered == sorted(ordered) and ordered[-1] == counts()[1]
    assert buckets[float("inf")] == ordered[-1]
    total = metric(stage, "outbox_commit_to_acknowledged_seconds_sum", route=topics[1])
    assert 0 < total < 60 * counts()[1]


def test_delivered_events_and_taken_bytes_are_counted(stage, topics):
    def counts():
        return (metric(stage, "outbox_events_delivered_total", route=topics[0]),
                metric(stage, "outbox_events_taken_total"))
    before = counts()
    stage.topics[topics[0]].await_ids([stage.shop.publish() for _ in range(10)])
    wait_until(lambda: counts() == (before[0] + 10, before[1] + 10), "10 more of both")


def test_the_wal_that_the_slot_keeps_is_a_metric(stage):
    kept = stage.database.value(
        "select pg_current_wal_lsn() - restart_lsn from pg_replication_slots where slot_name = %s",
        [stage.slot])
    name = "outbox_slot_retained_wal_bytes"
    wait_until(lambda: abs(metric(stage, name) - float(kept)) < 64 << 20,
               "the metric is near what Postgres says")
    assert metric(stage, name) >= 0


def test_safe_wal_size_is_a_metric_where_postgres_has_a_limit_and_absent_where_not(stage):
    """An alert on a made-up number would be worse than none."""
    name = "outbox_slot_safe_wal_bytes"
    assert not any(sample.startswith(name) for sample in stage.relay.metrics())
    stage.database.execute("alter system set max_slot_wal_keep_size = '4GB'")
    stage.database.execute("select pg_reload_conf()")
    try:
        wait_until(lambda: 0 < metric(stage, name) <= 5 << 30, "the limit shows")
    finally:
        stage.database.execute("alter system reset max_slot_wal_keep_size")
        stage.database.execute("select pg_reload_conf()")
    wait_until(lambda: not any(sample.startswith(name) for sample in stage.relay.metrics()),
               "it is absent again")


def test_every_metric_of_the_page_is_in_its_document_and_every_documented_one_is_on_the_page(stage):
    page = request(stage.relay.admin_port, "/metrics").text
    shown = set(re.findall(r"^# TYPE (outbox_\w+) ", page, re.M))
    documented = set(re.findall(r"`(outbox_[a-z0-9_]+)[`{]", DOCS.read_text()))
    assert shown and documented
    assert not shown - documented, f"on the page, not in the document: {shown - documented}"
    only_with_a_limit = {"outbox_slot_safe_wal_bytes", "outbox_slot_lost_seconds"}
    only_when_polling = {"outbox_source_held_back_seconds", "outbox_source_shards"}
    only_with_retention = {name for name in documented if name.startswith("outbox_retention_")}
    missing = documented - shown - only_with_a_limit - only_when_polling - only_with_retention
    assert not missing, f"in the document, not on the page: {missing}"


def test_every_metric_has_help_base_units_and_a_type(stage):
    page = request(stage.relay.admin_port, "/metrics").text
    names = re.findall(r"^# TYPE (\w+) (\w+)", page, re.M)
    assert len(names) > 10
    for name, kind in names:
        assert name.startswith("outbox_")
        assert re.search(rf"^# HELP {name} \S", page, re.M), f"{name} has no help"
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        assert not re.search("_(ms|us|kb|mb|minutes)(_|$)", name), f"{name}: no base unit"


def test_a_restart_of_postgres_s_walsender_is_counted_as_a_reconnect(stage, topics):
    name = "outbox_source_reconnects_total"
    before = metric(stage, name)
    stage.database.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                           " where slot_name = %s", [stage.slot])
    wait_until(lambda: metric(stage, name) > before, "the reconnect is counted")
    stage.arrival(topics[0], stage.shop.publish(), 10)


# --- health

def pipeline_threads(stage):
    """The threads that run a pipeline's loop, by their name."""
    found = [number for number, name in threads(stage.relay.process.pid).items()
             if name.startswith(stage.pipeline[:10])]
    assert found, f"no thread is named after the pipeline: {threads(stage.relay.process.pid)}"
    return found


def test_healthz_fails_when_the_loop_is_dead_and_only_then(stage, topics):
    """The pipeline's thread alone is stopped; the admin thread goes on (debezium/dbz#2394)."""
    port = stage.relay.admin_port
    assert request(port, "/healthz").status == 200
    thread, = pipeline_threads(stage)
    with stopped(thread):
        answer = wait_until(lambda: (a := request(port, "/healthz")).status == 503 and a,
                            "/healthz fails", 20)
        assert stage.pipeline in answer.text
        assert request(port, "/readyz").status == 503
        assert request(port, "/metrics").status == 200
    wait_until(lambda: request(port, "/healthz").status == 200, "/healthz is well again")
    stage.arrival(topics[0], stage.shop.publish())


def test_readyz_fails_while_kafka_stands_still_and_heals(stage, topics, kafka_paused):
    port = stage.relay.admin_port
    wait_until(lambda: request(port, "/readyz").status == 200, "/readyz is well")
    event_id = stage.shop.publish()
    answer = wait_until(lambda: (a := request(port, "/readyz")).status == 503 and a,
                        "/readyz fails", 60)
    assert stage.pipeline in answer.text
    kafka_paused()
    stage.arrival(topics[0], event_id)
    wait_until(lambda: request(port, "/readyz").status == 200, "/readyz is well again")
