"""A relay's login needs REPLICATION and membership in outbox_relay, nothing else."""

import threading
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest

CREATE = "select outbox.create_publication(%s)"


def options(schema, name):
    return schema.execute("select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,"
                          " puballtables, pg_get_userbyid(pubowner) from pg_publication"
                          " where pubname = %s", [name])


def test_a_relay_makes_its_publication_of_inserts_by_the_root(schema):
    assert schema.value(CREATE, ["outbox_shop"], role="relay") == "created"
    assert options(schema, "outbox_shop") == [
        (True, False, False, False, True, False, "outbox_owner")]
    assert schema.execute("select schemaname, tablename from pg_publication_tables"
                          " where pubname = 'outbox_shop'") == [("outbox", "event")]
    assert schema.value(CREATE, ["outbox_shop"], role="relay") == "exists"


def test_a_publication_name_is_a_name_and_not_sql(schema):
    name = 'a"; drop table outbox.progress; --'
    assert schema.value(CREATE, [name], role="relay") == "created"
    assert len(options(schema, name)) == 1
    assert schema.value("select to_regclass('outbox.progress') is not null")


@pytest.mark.parametrize("name", ["", None, "p" * 64])
def test_a_publication_name_that_does_not_fit_is_refused(shared, name):
    diag = shared.refusal(CREATE, [name], role="relay")
    assert diag.sqlstate == "22023" and "allowed are 1 to 63" in diag.message_primary


def test_two_relays_that_make_it_at_once_both_find_it(schema):
    answers = []
    with schema.as_role("relay", autocommit=False) as first:
        first.execute(CREATE, ["outbox_shop"])
        answers.append(first.fetchone()[0])
        second = threading.Thread(
            target=lambda: answers.append(schema.value(CREATE, ["outbox_shop"], role="relay")))
        second.start()
        second.join(0.3)
        first.connection.commit()
        second.join()
    assert answers == ["created", "exists"]


@pytest.mark.parametrize("make", [
    "create publication p",
    "create publication p for table outbox.progress",
    "create publication p for table outbox.event with (publish = 'insert')",
    "create publication p for table outbox.event with (publish = 'update',"
    " publish_via_partition_root = true)",
    "create publication p for table outbox.event where (aggregate_type = 'order')"
    " with (publish = 'insert', publish_via_partition_root = true)",
    "create publication p for table outbox.event (seq, id)"
    " with (publish = 'insert', publish_via_partition_root = true)"])
def test_a_publication_that_would_miss_events_is_refused_with_the_sql_that_mends_it(schema, make):
    schema.execute(make)
    diag = schema.refusal(CREATE, ["p"], role="relay")
    assert diag.sqlstate == "55000"
    assert "does not publish every insert into outbox.event" in diag.message_primary
    schema.execute(diag.message_hint)
    assert schema.value(CREATE, ["p"], role="relay") == "exists"


def test_without_create_on_the_database_the_refusal_names_the_grant(schema):
    schema.execute(f"revoke create on database {schema.database.name} from outbox_owner")
    diag = schema.refusal(CREATE, ["outbox_shop"], role="relay")
    assert diag.sqlstate == "42501"
    schema.execute(diag.message_hint.split(": ", 1)[1])
    assert schema.value(CREATE, ["outbox_shop"], role="relay") == "created"


def test_a_relay_login_streams_its_events_with_nothing_more_than_its_role(schema):
    """Publication before slot, then slot, stream, heartbeat, progress, slot's state: all as the
    relay's login."""
    schema.value(CREATE, ["outbox_shop"], role="relay")
    with closing(psycopg2.connect(
            schema.url_as("relay"),
            connection_factory=psycopg2.extras.LogicalReplicationConnection)) as connection:
        cursor = connection.cursor()
        slot = f"slot_{schema.database.name}"
        cursor.create_replication_slot(slot, output_plugin="pgoutput")
        schema.execute("select outbox.publish('order', '1', 'OrderPlaced', '{}')", role="writer")
        schema.execute("select pg_logical_emit_message(false, 'outbox', 'heartbeat')", role="relay")
        cursor.start_replication(slot, decode=False, options={
            "proto_version": "1", "publication_names": "outbox_shop"})
        relations, kinds = {}, b""
        while not kinds.endswith(b"C"):
            message = cursor.read_message()
            if message:
                kind, body = message.payload[:1], message.payload[1:]
                kinds += kind
                if kind == b"R":
                    relations[body[:4]] = body[4:].split(b"\0")[:2]
                if kind == b"I":
                    assert relations[body[:4]] == [b"outbox", b"event"]
        # The partition is described too, but the row is published as the root's.
        assert kinds == b"BRRIC"
    assert schema.value("select count(*) from pg_replication_slots where slot_name = %s", [slot],
                        role="relay") == 1
    assert schema.execute("select last_value, is_called from outbox.event_seq", role="relay") == [
        (1, True)]


def test_a_relay_finds_and_may_end_the_walsender_of_its_own_login(schema):
    """More of pg_stat_replication than the pid needs pg_read_all_stats, and is not needed."""
    schema.value(CREATE, ["outbox_shop"], role="relay")
    slot = f"slot_{schema.database.name}"
    with closing(psycopg2.connect(
            schema.url_as("relay"),
            connection_factory=psycopg2.extras.LogicalReplicationConnection)) as connection:
        cursor = connection.cursor()
        cursor.create_replication_slot(slot, output_plugin="pgoutput")
        cursor.start_replication(slot, decode=False, options={
            "proto_version": "1", "publication_names": "outbox_shop"})
        rows = schema.execute(
            "select usename, state, pg_terminate_backend(pid) from pg_stat_replication"
            " where pid = (select active_pid from pg_replication_slots where slot_name = %s)",
            [slot], role="relay")
    assert rows == [(schema.logins["relay"], None, True)]
