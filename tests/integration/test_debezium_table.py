"""An outbox table that a team made for Debezium, read as it is."""

import pytest

from debezium_outbox import TABLE, DebeziumOutbox
from logins import login
from one_place import database
from outbox import outbox as command
from support.topic import TopicReader
from support.waiting import wait_until


@pytest.fixture
def table(database):
    with DebeziumOutbox(database) as table:
        yield table


def arrived(table):
    with TopicReader(table.topic) as reader:
        return reader.read_to_end()


def test_a_debezium_table_is_read_from_the_wal_without_a_number_in_it(table, tmp_path):
    with table.relay(tmp_path):
        event_id = table.insert('{"total": 12.50}')
        record = table.arrival(event_id)
    assert (record.key, record.value) == (b"4711", b'{"total": 12.50}')
    assert record.header("type") == "OrderPlaced"
    assert record.header("aggregate_type") == table.aggregate_type


@pytest.mark.parametrize("payload, value", [("text", "as it is"), ("bytea", b"\x00\xff\x01")])
def test_a_payload_of_text_or_bytes_arrives_as_it_is(database, tmp_path, payload, value):
    with DebeziumOutbox(database, payload) as table, table.relay(tmp_path):
        record = table.arrival(table.insert(value))
    assert record.value == (value if isinstance(value, bytes) else value.encode())


def test_a_row_that_its_own_transaction_deletes_is_delivered_from_the_wal(table, tmp_path):
    """Invariant 1: what Debezium's users are told to do, so that the table stays empty."""
    with table.relay(tmp_path):
        gone = [table.insert(f'{{"n": {n}}}', then_delete=True) for n in range(50)]
        kept = table.insert('{"kept": true}')
        for event_id in [*gone, kept]:
            table.arrival(event_id)
    assert table.database.value(f"select count(*) from {TABLE}") == 1
    assert sorted(r.event_id for r in arrived(table)) == sorted([*gone, kept])


def test_polling_a_debezium_table_is_refused_without_a_numbered_column(table, tmp_path):
    relay = table.relay(tmp_path, mode="poll")
    relay.start()
    assert relay.wait() == 1
    assert "SEQUENCE_MISSING" in relay.log_tail()
    assert "add generated always as identity" in relay.log_tail()


def test_polling_with_a_number_works_and_says_which_rows_it_cannot_see(database, tmp_path):
    with DebeziumOutbox(database, more="seq bigserial") as table:
        relay = table.relay(tmp_path, mode="poll")
        with relay:
            record = table.arrival(table.insert('{"a": 1}'))
            assert record.header("position") == "1"
            done = command("doctor", "--config", relay.config_file, **relay.environ)
            assert done.code == 0, done.out + done.err
            assert "DELETED_ROWS_UNSEEN" in done.out
            assert "DELETED_ROWS_UNSEEN" in relay.log_tail()
            for n in range(20):
                table.insert("{}", then_delete=True)
            wait_until(lambda: "of 21 rows inserted into public.outboxevent, 20 were deleted" in
                       command("doctor", "--config", relay.config_file, **relay.environ).out,
                       "the doctor sees by the server's statistics that rows are deleted")
        assert len(arrived(table)) == 1


def test_doctor_prints_the_line_that_maps_a_debezium_table(table, tmp_path):
    relay = table.relay(tmp_path)
    text = relay.config_file.read_text()
    relay.config_file.write_text("\n".join(line for line in text.splitlines()
                                           if not line.startswith("columns")))
    done = command("doctor", "--config", relay.config_file, **relay.environ)
    assert done.code == 1
    assert ('columns = { aggregate_type = "aggregatetype", aggregate_id = "aggregateid",'
            ' event_type = "type" }') in done.out


def test_a_login_that_owns_nothing_gets_the_statement_for_the_publication(table, tmp_path):
    with login(table.database, ["outbox_relay"], "replication") as url:
        user = url.split("//")[1].split(":")[0]
        table.database.execute(f"grant create on database {table.database.name} to {user}")
        relay = table.relay(tmp_path, url=url)
        done = command("doctor", "--config", relay.config_file, **relay.environ)
        assert "PUBLICATION_DENIED" in done.out and "TABLE_DENIED" in done.out
        table.database.execute(
            f'create publication "{relay.slot}" for table "public"."{TABLE}"'
            " with (publish = 'insert', publish_via_partition_root = true)")
        table.database.execute(f'grant select on "public"."{TABLE}" to "{user}"')
        done = command("doctor", "--config", relay.config_file, **relay.environ)
        assert "DENIED" not in done.out, done.out
        with relay:
            table.arrival(table.insert("{}"))


@pytest.mark.parametrize("on_update", ["ignore", "warn", "stop"])
def test_an_update_of_a_row_is_passed_over_or_said_or_stops_the_pipeline(
        table, tmp_path, on_update):
    """Debezium's table.op.invalid.behavior."""
    table.database.execute(f"create publication sees_updates for table {TABLE}"
                           " with (publish = 'insert, update')")
    relay = table.relay(tmp_path, source_more=f'on_update = "{on_update}"',
                        publication="sees_updates")
    try:
        with_updates(table, relay, on_update)
    finally:
        table.database.execute("drop publication sees_updates")


def with_updates(table, relay, on_update):
    relay.start()
    relay.wait_ready()
    event_id = table.insert("{}")
    table.arrival(event_id)
    table.database.execute(f"update {TABLE} set type = 'x' where id = %s", [event_id])
    if on_update == "stop":
        wait_until(lambda: "OUTBOX_UPDATED" in relay.log_tail(), "the relay says why it stops")
        table.insert("{}")
        assert relay.wait() == 1
        assert len(arrived(table)) == 1
        return
    table.arrival(table.insert("{}"))
    if on_update == "warn":
        wait_until(lambda: "OUTBOX_UPDATED" in relay.log_tail(), "the log tells it")
    else:
        assert "OUTBOX_UPDATED" not in relay.log_tail()
    assert len(arrived(table)) == 2
    assert relay.stop() == 0
