"""mode = "poll": events leave the table itself, in the order of their numbers, without a slot."""

import time
from contextlib import ExitStack, closing

import pytest

from logins import login
from one_place import arriving, database, relay_of, shop, slot_name, topic
from outbox import outbox
from server_side import drop_slots
from steady_load import SteadyLoad
from support.waiting import wait_until


@pytest.fixture
def poller(tmp_path, database, topic, arriving):
    """Started with all earlier rows delivered."""
    with relay_of(tmp_path, database, topic, mode="poll") as relay:
        yield relay


def test_a_committed_row_arrives_and_a_rolled_back_one_does_not(shop, arriving, poller):
    with pytest.raises(ZeroDivisionError), shop.transaction() as cursor:
        lost = shop.publish(cursor=cursor, key="1")
        raise ZeroDivisionError
    event_id = shop.publish(key="1", payload='{"a": 1}', headers={"tenant": "t"})
    record = arriving.await_ids([event_id])[0]
    assert record.value == b'{"a": 1}' and record.key == b"1"
    assert dict(record.headers)["tenant"] == b"t"
    assert dict(record.headers)["position"].isdigit()
    assert not arriving.arrivals(lost)


def test_no_slot_and_no_publication_is_made(database, shop, arriving, poller):
    arriving.await_ids([shop.publish()])
    assert database.value("select count(*) from pg_replication_slots where slot_name = %s",
                          [poller.slot]) == 0
    assert database.value("select count(*) from pg_publication where pubname = %s",
                          [poller.slot]) == 0


def test_a_login_that_may_do_no_more_than_outbox_relay_can_poll(
        tmp_path, database, topic, shop, arriving):
    with login(database, ["outbox_relay"]) as url:
        relay = relay_of(tmp_path, database, topic, url=url, mode="poll")
        with relay:
            arriving.await_ids([shop.publish()])
            done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
            assert done.code == 0, done.out + done.err


def test_doctor_names_a_sequence_that_keeps_numbers_back(tmp_path, database, topic):
    relay = relay_of(tmp_path, database, topic, mode="poll")
    database.execute("alter sequence outbox.event_seq cache 5")
    try:
        relay.start()
        assert relay.wait() == 1
        assert "SEQUENCE_CACHE" in relay.log_tail()
        assert "alter sequence outbox.event_seq cache 1" in relay.log_tail()
    finally:
        database.execute("alter sequence outbox.event_seq cache 1")


def test_from_the_wal_to_polling_under_load_nothing_is_lost_and_the_slot_is_gone(
        tmp_path, database, topic, shop, arriving):
    name = slot_name()
    with ExitStack() as exits:
        with relay_of(tmp_path, database, topic, slot=name) as relay:
            load = exits.enter_context(SteadyLoad(shop))
            wait_until(lambda: len(load.ids) > 100 and delivered_seq(database, relay),
                       "a sequence number is proven", 20)
        proven = delivered_seq(database, relay)
        assert 0 < proven <= last_value(database)
        try:
            with relay_of(tmp_path, database, topic, slot=name, mode="poll") as relay:
                wait_until(lambda: "SLOT_DROPPED" in relay.log_tail(), "the slot is dropped")
                time.sleep(1)
                load.stop()
                repeated = load.verify(arriving)
        finally:
            drop_slots(database, name)
    seqs = dict(database.execute("select id::text, seq from outbox.event"))
    assert all(seqs[one] > proven for one in repeated)


def test_an_open_writer_holds_back_only_what_it_must_and_its_late_commit_is_not_skipped(
        database, shop, arriving, poller):
    before = shop.publish(key="before")
    arriving.await_ids([before])
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        late = shop.publish(key="late", cursor=cursor)
        behind = shop.publish(key="behind")
        for _ in range(10):
            arriving.look(0.1)
        assert not arriving.arrivals(behind)
        connection.commit()
    first, second = arriving.await_ids([late, behind])
    assert position(first) < position(second)


def test_who_holds_events_back_for_long_is_named_in_the_log(database, shop, arriving, poller):
    arriving.await_ids([shop.publish()])
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        shop.publish(cursor=cursor)
        behind = shop.publish()
        wait_until(lambda: "OPEN_WRITER" in poller.log_tail(), "the writer is named", 20)
        pid = f"pid {connection.info.backend_pid}"
        assert pid in poller.log_tail()
        wait_until(lambda: pid in poller.status()["reason"], "status names it")
        assert held_back_s(poller) >= 10
        connection.rollback()
    arriving.await_ids([behind])
    wait_until(lambda: poller.status()["reason"] == "" and held_back_s(poller) == 0, "it is over")


def test_a_strangers_open_transaction_does_not_stop_it(database, shop, arriving, poller):
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        cursor.execute("create table stranger as select 1; select pg_current_xact_id()")
        arriving.await_ids([shop.publish()], patience_s=5)
        connection.rollback()


def test_a_prepared_transaction_holds_its_rows_back_until_it_is_decided(
        database, shop, arriving, poller):
    with closing(database.connect(autocommit=False)) as connection:
        transaction = connection.xid(1, slot_name(), "poll")
        connection.tpc_begin(transaction)
        with connection.cursor() as cursor:
            prepared = shop.publish(cursor=cursor)
        connection.tpc_prepare()
        behind = shop.publish()
        for _ in range(10):
            arriving.look(0.1)
        assert not arriving.arrivals(prepared) and not arriving.arrivals(behind)
        connection.tpc_commit()
    first, second = arriving.await_ids([prepared, behind])
    assert position(first) < position(second)


def test_after_kill_9_it_goes_on_where_it_saved(database, shop, arriving, poller):
    ids = [shop.publish(key=str(n % 7)) for n in range(200)]
    arriving.await_ids(ids)
    wait_until(lambda: delivered_seq(database, poller) == last_value(database), "all is saved")
    poller.kill()
    more = [shop.publish(key=str(n % 7)) for n in range(200)]
    poller.start()
    arriving.await_ids(more)
    assert all(len(arriving.arrivals(one)) == 1 for one in ids + more)


def test_a_second_relay_waits_and_says_who_holds_the_pipeline(tmp_path, database, topic, poller):
    second = relay_of(tmp_path / "second", database, topic, slot=poller.slot, mode="poll")
    second.start()
    try:
        wait_until(lambda: "is held by pid" in second.log_tail(), "the second says why it waits")
    finally:
        second.stop()


def test_a_sequence_that_moved_back_stops_it_and_is_named(tmp_path, database, topic, shop,
                                                          arriving):
    relay = relay_of(tmp_path, database, topic, mode="poll")
    with relay:
        arriving.await_ids([shop.publish()])
        last = last_value(database)
        wait_until(lambda: delivered_seq(database, relay) == last, "all is saved")
        database.execute("select setval('outbox.event_seq', 1)")
        try:
            wait_until(lambda: not relay.running(), "it stops")
        finally:
            database.execute("select setval('outbox.event_seq', %s)", [last])
    assert relay.process.returncode == 1
    assert "SEQUENCE_MOVED_BACK" in relay.log_tail() or "moved back" in relay.log_tail()


def test_a_broker_that_stands_still_neither_loses_rows_nor_keeps_a_snapshot_open(
        database, shop, arriving, poller, services):
    arriving.await_ids([shop.publish()])
    services.pause("kafka-1")
    try:
        ids = [str(one) for one, in database.execute(
            "select outbox.publish('order', (n % 50)::text, 'filled',"
            " jsonb_build_object('n', repeat('x', 1000)))::text from generate_series(1, 20000) n")]
        wait_until(lambda: "want of room" in poller.log_tail(), "the COPY is given up", 30)
        wait_until(lambda: database.value(
            "select count(*) from pg_stat_activity where query like 'copy (select%%'"
            " and state = 'active' and datname = current_database()") == 0, "no COPY is open")
        assert poller.resident_mb() < 48
    finally:
        services.resume("kafka-1")
    records = arriving.await_ids(ids, 60)
    assert all(position(a) < position(b) for a, b in zip(records, records[1:]))


def test_a_row_of_16_mb_that_no_topic_takes_is_a_dead_letter_and_the_next_one_passes(
        shop, arriving, poller):
    payload = b"x" * (16 << 20)
    event_id = shop.publish(payload=payload)
    letter = wait_for_refusal(poller)
    assert "MSG_SIZE_TOO_LARGE" in letter
    arriving.await_ids([shop.publish()])
    assert not arriving.arrivals(event_id)


def test_lag_returns_to_zero_after_a_rollback(database, shop, arriving, poller):
    arriving.await_ids([shop.publish()])
    with pytest.raises(ZeroDivisionError), shop.transaction() as cursor:
        shop.publish(cursor=cursor)
        raise ZeroDivisionError
    wait_until(lambda: 'outbox_lag_events{pipeline="%s"} 0' % poller.slot
               in (poller.get("/metrics") or ""), "the lag is zero")


def held_back_s(relay):
    return relay.metrics()['outbox_source_held_back_seconds{pipeline="%s"}' % relay.slot]


def wait_for_refusal(relay):
    wait_until(lambda: "events refused" in relay.log_tail(), "the event is refused")
    return relay.log_tail()


def position(record):
    return int(dict(record.headers)["position"])


def delivered_seq(database, relay):
    return database.value("select max(delivered_seq) from outbox.progress where pipeline = %s",
                          [relay.slot])


def last_value(database):
    return database.value("select last_value from outbox.event_seq")
