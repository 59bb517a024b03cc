"""outbox.emit(): an event without a row, a message in the WAL (issue, Build 5)."""

import time
from contextlib import closing

import psycopg2
import pytest

from one_place import arriving, database, relay_of, shop, slot_name, topic
from logins import login
from outbox import outbox
from server_side import drop_slots
from support.waiting import wait_until


@pytest.fixture(scope="module")
def relay(tmp_path_factory, database, topic, arriving):
    with relay_of(tmp_path_factory.mktemp("emit"), database, topic) as relay:
        yield relay


def emit(shop, cursor=None, key="1", payload='{"a": 1}', headers="{}"):
    cast = "bytea" if isinstance(payload, bytes) else "jsonb"
    return shop.run(f"select outbox.emit('order', %s, 'placed', %s::{cast}, %s::jsonb)::text",
                    [key, payload, headers], cursor)


def headers_of(record):
    return dict(record.headers)


def test_an_emitted_event_arrives_like_a_row_with_id_key_type_headers_and_position(
        shop, arriving, relay):
    event_id = emit(shop, key="17", headers='{"tenant": "t"}')
    record = arriving.await_ids([event_id])[0]
    headers = headers_of(record)
    assert record.key == b"17" and record.value == b'{"a": 1}'
    assert headers["id"] == event_id.encode() and headers["type"] == b"placed"
    assert headers["aggregate_type"] == b"order" and headers["tenant"] == b"t"
    assert headers["position"].endswith(b"/1")


@pytest.mark.parametrize("payload", [b"\x00\xff not text", b"", None, "x" * 200_000])
def test_every_payload_that_a_row_may_have_is_emitted_byte_for_byte(shop, arriving, relay, payload):
    text = payload if not isinstance(payload, str) else f'"{payload}"'
    record = arriving.await_ids([emit(shop, payload=text)])[0]
    assert record.value == (text.encode() if isinstance(text, str) else text)


def test_rows_and_emitted_events_of_a_transaction_keep_their_order(shop, arriving, relay):
    with shop.transaction() as cursor:
        ids = [emit(shop, cursor) if number % 2 else shop.publish(cursor=cursor)
               for number in range(40)]
    records = arriving.await_ids(ids)
    offsets = [record.offset for record in records]
    assert offsets == sorted(offsets), "one key, one partition"
    ordinals = [int(headers_of(record)["position"].split(b"/")[-1]) for record in records]
    assert ordinals == list(range(1, 41))


def test_what_a_rollback_or_a_savepoint_took_back_is_not_delivered(shop, arriving, relay):
    with pytest.raises(ZeroDivisionError), shop.transaction() as cursor:
        lost = emit(shop, cursor)
        raise ZeroDivisionError
    with shop.transaction() as cursor:
        kept = emit(shop, cursor)
        cursor.execute("savepoint s")
        taken_back = emit(shop, cursor)
        cursor.execute("rollback to savepoint s")
        last = emit(shop, cursor)
    arriving.await_ids([kept, last])
    assert not arriving.arrivals(lost) and not arriving.arrivals(taken_back)


def test_after_kill_9_nothing_that_was_emitted_is_lost_and_ids_stay(
        tmp_path, database, topic, shop, arriving):
    relay = relay_of(tmp_path, database, topic)
    with relay:
        ids = [emit(shop, key=str(number % 5)) for number in range(50)]
        relay.kill()
        ids += [emit(shop, key=str(number % 5)) for number in range(50)]
        relay.start()
        relay.wait_ready()
        arriving.await_ids(ids)
    drop_slots(database, relay.slot)


def test_where_no_relay_reads_the_wal_emit_refuses_instead_of_losing(shop, database, relay):
    database.execute("update outbox.progress set reads_emitted = false")
    try:
        with pytest.raises(psycopg2.Error, match="no relay reads the WAL") as caught:
            emit(shop)
        assert 'mode = "wal"' in caught.value.diag.message_hint
    finally:
        database.execute("update outbox.progress set reads_emitted = true")


def test_nobody_without_the_writer_role_can_emit_or_forge(database, relay):
    for role, may in ([], False), (["outbox_reader"], False), (["outbox_writer"], True):
        with login(database, role) as url:
            assert allowed(url, "select outbox.emit('order', '1', 'placed', '{}'::jsonb)") == may
            for forged in ("''", "''::bytea"):
                assert not allowed(
                    url, f"select pg_logical_emit_message(true, 'outbox.emit', {forged})")


def allowed(url, sql):
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except psycopg2.errors.InsufficientPrivilege:
            return False
        connection.rollback()
        return True


def test_a_forged_message_is_passed_over_and_told(shop, database, arriving, relay):
    database.execute("select pg_logical_emit_message(true, 'outbox.emit', '\\x0102'::bytea)")
    arriving.await_ids([emit(shop)])
    wait_until(lambda: "EMIT_FORGED" in relay.log_file.read_text(), "the log tells it")


def test_doctor_says_when_everybody_may_forge(database, relay):
    functions = ("function pg_logical_emit_message(boolean, text, text),"
                 " pg_logical_emit_message(boolean, text, bytea)")
    database.execute(f"grant execute on {functions} to public")
    try:
        done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
        assert "EMIT_FORGEABLE" in done.out and "revoke execute on function" in done.out
    finally:
        database.execute(f"revoke execute on {functions} from public")
    done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
    assert "EMIT_FORGEABLE" not in done.out


def test_a_pipeline_whose_events_have_no_row_is_not_left_to_polling(
        tmp_path, database, topic, shop, arriving):
    name = slot_name()
    with relay_of(tmp_path, database, topic, slot=name) as relay:
        arriving.await_ids([emit(shop)])
        wait_until(lambda: database.value("select delivered_seq from outbox.progress where"
                                          " pipeline = %s", [name]) is not None, "proven", 20)
    try:
        polls = relay_of(tmp_path, database, topic, slot=name, mode="poll")
        polls.start()
        assert polls.wait() == 1
        assert "outbox.emit" in polls.log_tail() and "setval('outbox.emitted'" in polls.log_tail()
        assert database.value("select count(*) from pg_replication_slots where slot_name = %s",
                              [name]) == 1
    finally:
        drop_slots(database, name)
