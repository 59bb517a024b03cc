"""What others fell into with logical replication (cdc section 7), each on a real server."""

import threading

import pytest

import config_text
from config_text import route
from postbox import Postbox
from service.port import free_port
from shop import Shop
from stage import Stage
from support.relay import Relay
from support.services import Services
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

CONFIRMED = "select confirmed_flush_lsn from pg_replication_slots where slot_name = %s"


@pytest.fixture(scope="module")
def topic():
    name = create_topic(unique_name("traps"))
    yield name
    delete_topic(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topic):
    with Stage(tmp_path_factory.mktemp("traps"), [route(topic)]) as stage:
        yield stage


def restarted(stage):
    assert stage.relay.stop() == 0
    stage.relay.start()
    stage.relay.wait_ready()


def killed(stage):
    stage.relay.kill()
    stage.relay.start()
    stage.relay.wait_ready()


def ids_of(stage, topic, key):
    return [r.event_id for r in stage.topics[topic].records if r.key == key.encode()]


def rows_that_share_an_lsn(stage, count, key):
    """One multi-row INSERT: COPY and INSERT ... SELECT write several rows in one WAL record."""
    with stage.shop.transaction() as cursor:
        cursor.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type)"
                       f" select 'order', %s, 'E' from generate_series(1, {count})"
                       " returning id::text", [key])
        return [event_id for event_id, in cursor.fetchall()]


def test_a_clean_restart_right_after_rows_that_share_an_lsn_repeats_and_loses_none(stage, topic):
    """An LSN alone is no resume point (debezium#4152, #4357)."""
    ids = []
    for _ in range(3):
        ids += rows_that_share_an_lsn(stage, 40, "shared")
        stage.topics[topic].await_ids(ids)
        restarted(stage)
    ids += rows_that_share_an_lsn(stage, 1, "shared")
    stage.topics[topic].await_ids(ids)
    assert ids_of(stage, topic, "shared") == ids


def test_transactions_that_touch_end_to_end_survive_restarts(stage, topic):
    """COMMIT of one and BEGIN of the next share an LSN (debezium#7357)."""
    ids = []
    for _ in range(4):
        ids += [stage.shop.publish(key="adjacent") for _ in range(5)]
        stage.topics[topic].await_ids(ids)
        restarted(stage)
    assert ids_of(stage, topic, "adjacent") == ids


def test_after_a_kill_only_unconfirmed_events_repeat_and_in_order(stage, topic):
    """Invariant 4: what was confirmed before the kill does not come again."""
    old = [stage.shop.publish(key="killed") for _ in range(50)]
    stage.topics[topic].await_ids(old)
    end = stage.database.value("select pg_current_wal_insert_lsn()")
    wait_until(lambda: stage.database.value(f"select ({CONFIRMED}) >= %s::pg_lsn",
                                            [stage.slot, end]), "all of it is confirmed", 15)
    killed(stage)
    young = [stage.shop.publish(key="killed") for _ in range(5)]
    stage.topics[topic].await_ids(young)
    assert ids_of(stage, topic, "killed") == old + young


def test_the_confirmed_position_never_passes_an_event_that_kafka_does_not_own(stage, topic):
    """Keepalives and heartbeats come while an event is in flight; they must not move the slot past
    it (go-pq-cdc#107)."""
    services = Services()
    stage.arrival(topic, stage.shop.publish())
    services.pause("kafka-1")
    try:
        before = stage.database.value("select pg_current_wal_insert_lsn()")
        event_id = stage.shop.publish(key="in-flight")
        stage.database.execute("create table if not exists busy (t text)")
        busy_until = threading.Event()

        def write():
            while not busy_until.wait(0.05):
                stage.database.execute("insert into busy values (repeat('x', 1000))")
        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: stage.relay.status()["lag"]["seconds"] > 4, "4 seconds went by")
        busy_until.set()
        writer.join()
        assert stage.database.value(f"select ({CONFIRMED}) <= %s::pg_lsn + 200",
                                    [stage.slot, before])
    finally:
        services.resume("kafka-1")
    stage.arrival(topic, event_id)


def test_an_open_transaction_holds_back_nothing_but_itself(stage, topic):
    """Younger transactions are delivered and confirmed while it is open; a crash repeats none of
    them, and it comes whole when it ends (debezium/dbz#76)."""
    with stage.shop.transaction() as cursor:
        early = stage.shop.publish(key="open", cursor=cursor)
        younger = [stage.shop.publish(key="open") for _ in range(20)]
        stage.topics[topic].await_ids(younger)
        end = stage.database.value("select pg_current_wal_insert_lsn()")
        wait_until(lambda: stage.database.value(f"select ({CONFIRMED}) >= %s::pg_lsn",
                                                [stage.slot, end]), "they are confirmed", 15)
        killed(stage)
        late = stage.shop.publish(key="open", cursor=cursor)
    stage.topics[topic].await_ids([early, late])
    assert ids_of(stage, topic, "open") == [*younger, early, late]


def test_a_crash_inside_a_large_transaction_resumes_inside_it(stage, topic):
    """(commit LSN, ordinal) is saved on the way; a restart does not begin at the first row
    (posthog#64719)."""
    count = 60_000
    ids = rows_that_share_an_lsn(stage, count, "large")
    wait_until(lambda: stage.database.value(
        "select ordinal from outbox.progress where pipeline = %s", [stage.pipeline]) > 5000,
        "progress inside the transaction is saved", pause_s=0)
    saved = stage.database.value("select ordinal from outbox.progress where pipeline = %s",
                                 [stage.pipeline])
    killed(stage)
    stage.topics[topic].await_ids(ids, 60)
    arrived = ids_of(stage, topic, "large")
    assert len(set(arrived)) == count
    repeats = len(arrived) - count
    assert repeats <= count - saved, f"{repeats} repeats though {saved} were saved as settled"


def test_an_unchanged_toast_value_is_never_sent_as_null(stage, topic):
    """A retention job that updates a row with a value out of line makes a WAL record without it."""
    content = "".join(chr(33 + n * n % 90) for n in range(20_000)).encode()
    event_id = stage.shop.publish(key="toast", payload=content)
    assert stage.arrival(topic, event_id).value == content
    stage.database.execute(f"alter publication {stage.slot}"
                           " set (publish = 'insert, update, delete')")
    try:
        with stage.shop.transaction() as cursor:
            cursor.execute("set local role outbox_owner")
            cursor.execute("alter table outbox.event replica identity full")
            cursor.execute("update outbox.event set event_type = 'edited' where id = %s",
                           [event_id])
        after = stage.shop.publish(key="toast")
        stage.arrival(topic, after)
        assert ids_of(stage, topic, "toast") == [event_id, after]
    finally:
        stage.database.execute(f"alter publication {stage.slot} set (publish = 'insert')")
        stage.database.execute("alter table outbox.event replica identity default")


def test_a_value_out_of_line_arrives_whole_in_either_payload(stage, topic):
    text = '"' + "".join(chr(35 + n * n % 50) for n in range(50_000)) + '"'
    ids = [stage.shop.publish(payload=text.encode()), stage.shop.publish(payload=text)]
    values = [record.value for record in stage.topics[topic].await_ids(ids)]
    assert values == [text.encode(), text.encode()]


def test_columns_that_are_added_and_dropped_mid_stream_disturb_nothing(stage, topic):
    before = stage.shop.publish(key="ddl")
    stage.database.execute("alter table outbox.event add column note text default 'n'")
    between = stage.shop.publish(key="ddl", payload='{"with": "note"}')
    stage.database.execute("alter table outbox.event drop column note")
    after = stage.shop.publish(key="ddl", payload='{"without": "note"}')
    records = stage.topics[topic].await_ids([before, between, after])
    assert [r.value for r in records] == [b"{}", b'{"with": "note"}', b'{"without": "note"}']


def test_rows_go_to_the_next_partition_of_the_table_unnoticed(stage, topic):
    """The stream names the root, whichever partition a row lies in."""
    stage.database.execute("select setval('outbox.event_seq', 9999995)")
    ids = [stage.shop.publish(key="partitions") for _ in range(10)]
    stage.topics[topic].await_ids(ids)
    assert stage.database.value("select count(distinct tableoid) from outbox.event") == 2
    assert ids_of(stage, topic, "partitions") == ids


@pytest.mark.fault_row(7)
def test_a_walsender_that_is_ended_again_and_again_loses_and_swaps_nothing(stage, topic):
    ids = []
    for _ in range(8):
        ids += [stage.shop.publish(key="ended") for _ in range(10)]
        stage.database.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                               " where slot_name = %s", [stage.slot])
    stage.topics[topic].await_ids(ids)
    first_arrivals = list(dict.fromkeys(ids_of(stage, topic, "ended")))
    assert first_arrivals == ids


def test_the_slot_is_confirmed_at_shutdown_up_to_the_last_event(tmp_path, database):
    """Without a last status at shutdown the next start would repeat (go-pq-cdc#148)."""
    topic = create_topic(unique_name("shutdown"))
    port = free_port()
    slot = unique_name("slot").replace(".", "_")
    relay = Relay(tmp_path, database.url, slot=slot, admin_port=port,
                  config=config_text.whole(port, slot, [route(topic)],
                                           source_more="heartbeat_ms = 0"))
    shop, postbox = Shop(database), Postbox(topic)
    with relay:
        postbox.await_ids([shop.publish() for _ in range(10)])
    with relay:
        last = shop.publish()
        postbox.await_ids([last])
    assert len(postbox.records) == 11
    shop.close()
    postbox.close()
    delete_topic(topic)
