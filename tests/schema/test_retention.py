"""outbox.retain(): whole partitions, old and delivered by all, and nobody who inserts waits."""

import os
from contextlib import ExitStack, closing

import psycopg2
import pytest

from support.bystanders import Inserts, dump_under_way, open_writer
from support.partitions import age_marks, narrow, rows

WIDTH = 100


@pytest.fixture
def narrowed(schema):
    """Thirty partitions of a hundred numbers, the first three of them full."""
    narrow(schema.database, WIDTH, 30)
    publish(schema, 3 * WIDTH + 10)
    return schema


def publish(schema, count):
    schema.execute("select outbox.publish('order', n::text, 'E', '{}') from generate_series(1, %s)"
                   " n", [count], role="writer")


def register(schema, pipeline, delivered, table="outbox.event"):
    schema.execute("insert into outbox.progress (pipeline, system_id, timeline, slot,"
                   " delivered_seq, source_table) values (%s, '7', 1, '', %s, %s)",
                   [pipeline, delivered, table], role="relay")


def deliver(schema, pipeline, seq):
    schema.execute("update outbox.progress set delivered_seq = %s where pipeline = %s",
                   [seq, pipeline], role="relay")


class Round:
    """One call of outbox.retain() by the relay."""

    def __init__(self, schema, older_than="1 day", role="relay"):
        (self.emptied, self.freed_bytes, self.removed_below, self.last_seq, self.held_by,
         self.held_seconds), = schema.execute("select * from outbox.retain(%s)", [older_than],
                                              role)


def old_round(schema, older_than="1 day"):
    """A round long after the last one had noted what was given out."""
    Round(schema, older_than)
    age_marks(schema)
    return Round(schema, older_than)


def test_partitions_that_are_full_delivered_and_old_are_emptied_and_no_other(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    done = old_round(narrowed)
    assert (done.emptied, done.removed_below, done.held_by) == (3, 3 * WIDTH + 1, None)
    assert done.freed_bytes > 0 and done.last_seq == 3 * WIDTH + 10
    assert rows(narrowed.database) == {"outbox.event_n000004": 10}
    assert Round(narrowed).emptied == 0


def test_a_partition_with_one_undelivered_number_stays_and_its_pipeline_is_named(narrowed):
    register(narrowed, "quick", 3 * WIDTH)
    register(narrowed, "slow", 2 * WIDTH - 1)
    done = old_round(narrowed)
    assert (done.emptied, done.removed_below) == (1, WIDTH + 1)
    assert f"pipeline slow has delivered up to {2 * WIDTH - 1}" in done.held_by
    assert rows(narrowed.database) == {"outbox.event_n000002": WIDTH, "outbox.event_n000003": WIDTH,
                                       "outbox.event_n000004": 10}
    deliver(narrowed, "slow", 2 * WIDTH)
    done = Round(narrowed)
    assert (done.emptied, done.removed_below) == (1, 2 * WIDTH + 1)
    assert "pipeline slow" in done.held_by and done.held_seconds >= 0


def test_a_pipeline_that_proved_nothing_holds_everything_until_it_is_unregistered(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    register(narrowed, "new", None)
    done = old_round(narrowed)
    assert done.emptied == 0 and "pipeline new has delivered up to no number" in done.held_by
    narrowed.execute("set role outbox_owner; delete from outbox.progress where pipeline = 'new'")
    done = Round(narrowed)
    assert (done.emptied, done.held_by, done.held_seconds) == (3, None, None)


def test_without_any_pipeline_nothing_goes(narrowed):
    done = old_round(narrowed)
    assert done.emptied == 0 and "no pipeline that reads outbox.event is registered" in done.held_by


def test_numbers_of_another_table_say_nothing_but_an_unknown_table_may_be_ours(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    register(narrowed, "other", 1, table="public.outbox")
    assert old_round(narrowed).emptied == 3
    publish(narrowed, 2 * WIDTH)
    deliver(narrowed, "a", 5 * WIDTH)
    register(narrowed, "older release", 2, table=None)
    done = old_round(narrowed)
    assert done.emptied == 0 and "pipeline older release" in done.held_by


@pytest.mark.parametrize("created_at", ["infinity", "-infinity", "1999-01-01"])
def test_age_is_when_the_number_was_given_out_and_not_what_the_writer_says(schema, created_at):
    narrow(schema.database, WIDTH, 3)
    schema.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type, created_at)"
                   " select 'order', '1', 'E', %s from generate_series(1, %s)",
                   [created_at, WIDTH], role="writer")
    register(schema, "a", WIDTH)
    assert Round(schema).emptied == 0
    age_marks(schema, "23 hours")
    assert Round(schema).emptied == 0
    age_marks(schema, "1 hour")
    assert Round(schema).emptied == 1


def test_what_is_young_is_not_called_held_back(narrowed):
    register(narrowed, "a", 0)
    assert Round(narrowed).held_by is None


def test_a_mark_is_made_once_a_minute_and_forgotten_when_a_newer_one_is_old(schema):
    narrow(schema.database, WIDTH, 30)
    register(schema, "a", 0)

    def marks():
        return [seq for seq, in schema.execute("select seq from outbox.retention_mark order by at")]

    Round(schema)
    assert marks() == []
    publish(schema, 10)
    for _ in range(3):
        Round(schema)
    publish(schema, 10)
    Round(schema)
    assert marks() == [10]
    age_marks(schema, "61 s")
    Round(schema)
    assert marks() == [10, 20]
    age_marks(schema, "61 s")
    Round(schema)
    assert marks() == [10, 20]
    age_marks(schema, "1 day")
    Round(schema)
    assert marks() == [20]


@pytest.mark.parametrize("older_than", ["-1 s", None])
def test_a_senseless_age_is_refused(narrowed, older_than):
    diag = narrowed.refusal("select outbox.retain(%s)", [older_than], role="relay")
    assert diag.sqlstate == "22023" and "must be an interval" in diag.message_primary


def test_a_reader_of_the_old_partition_is_named_not_waited_for_and_the_next_round_goes_on(
        narrowed):
    register(narrowed, "a", 3 * WIDTH)
    with narrowed.as_role("operator", autocommit=False) as reader:
        reader.execute("set application_name = 'a report'")
        reader.execute("select count(*) from outbox.event where seq between 101 and 200")
        done = old_round(narrowed)
        assert (done.emptied, done.removed_below) == (1, WIDTH + 1)
        pid = reader.connection.info.backend_pid
        assert f"outbox.event_n000002 is in use by pid {pid} (a report)" in done.held_by
        reader.connection.rollback()
    done = Round(narrowed)
    assert (done.emptied, done.held_by) == (2, None)


def test_two_rounds_at_once_do_not_wait_for_each_other(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    Round(narrowed)
    age_marks(narrowed)
    with narrowed.as_role("relay", autocommit=False) as first:
        first.execute("select emptied from outbox.retain('1 day')")
        assert first.fetchone() == (3,)
        second = Round(narrowed)
        assert (second.emptied, second.held_by) == (0, None)
        first.connection.commit()
    assert Round(narrowed).removed_below == 3 * WIDTH + 1


def test_what_was_emptied_stays_emptied_when_a_late_round_knows_less(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    assert old_round(narrowed).emptied == 3
    narrowed.execute("delete from outbox.retention_mark")
    assert Round(narrowed).removed_below == 3 * WIDTH + 1


def test_a_rollback_brings_rows_and_mark_back_together(narrowed):
    register(narrowed, "a", 3 * WIDTH)
    Round(narrowed)
    age_marks(narrowed)
    with narrowed.as_role("relay", autocommit=False) as cursor:
        cursor.execute("select outbox.retain('1 day')")
        cursor.connection.rollback()
    assert narrowed.value("select removed_below from outbox.retention") == 1
    assert sum(rows(narrowed.database).values()) == 3 * WIDTH + 10


# --- nobody who inserts waits

def inserts_of(schema, **more):
    return Inserts(lambda: schema.as_role("writer"), **more)


def writer_of(schema):
    return open_writer(schema.as_role("writer", autocommit=False))


def test_no_insert_waits_for_retention_beside_an_open_writer_and_a_pg_dump(schema):
    narrow(schema.database, 1000, 200)
    publish(schema, 20_000)
    register(schema, "a", 0)
    Round(schema)
    age_marks(schema)
    with ExitStack() as exits:
        inserts = exits.enter_context(inserts_of(schema))
        exits.enter_context(writer_of(schema))
        with dump_under_way(schema.database):
            for part in range(1, 6):
                inserts.await_more(200)
                deliver(schema, "a", part * 1000)
                done = Round(schema)
                assert done.emptied == 0 and "event_n000001 is in use by pid" in done.held_by
                assert "(pg_dump)" in done.held_by
        emptied = []
        for part in range(8, 21, 4):
            inserts.await_more(200)
            deliver(schema, "a", part * 1000)
            emptied.append(Round(schema).emptied)
    print(f"{inserts.count} inserts, the slowest took {inserts.slowest_s * 1000:.0f} ms")
    assert inserts.failed == []
    assert emptied == [8, 4, 4, 4]


def test_no_insert_waits_while_partitions_are_made_beside_an_open_writer_and_a_pg_dump(schema):
    with ExitStack() as exits:
        inserts = exits.enter_context(inserts_of(schema))
        exits.enter_context(writer_of(schema))
        exits.enter_context(dump_under_way(schema.database))
        for more in range(1, 6):
            inserts.await_more(50)
            assert schema.value("select outbox.make_partitions(%s)", [1_000_000_000 + more * 10**8],
                                role="operator") >= 10
    assert inserts.failed == []


def test_what_retention_does_not_do_makes_inserts_wait_and_is_seen(narrowed):
    """The probe itself: a plain DROP of an old partition queues every insert behind an open
    writer."""
    with ExitStack() as exits:
        exits.enter_context(writer_of(narrowed))
        inserts = exits.enter_context(inserts_of(narrowed, writers=1))
        inserts.await_more(20)
        with closing(narrowed.database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("set lock_timeout = '2s'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("drop table outbox.event_n000001")
    assert any("lock timeout" in one for one in inserts.failed)


@pytest.mark.parametrize("act", [
    "select outbox.publish('order', '1', 'E', '{}')",
    "copy (select * from outbox.event where seq >= 301 and seq <= 400 order by seq) to stdout",
    "copy (select * from outbox.event where seq >= 301 order by seq) to stdout"])
def test_writers_and_pollers_go_on_while_a_round_holds_its_lock(narrowed, act):
    register(narrowed, "a", 3 * WIDTH)
    Round(narrowed)
    age_marks(narrowed)
    with narrowed.as_role("relay", autocommit=False) as cursor:
        cursor.execute("select emptied from outbox.retain('1 day')")
        assert cursor.fetchone() == (3,)
        with narrowed.as_role("superuser") as other:
            other.execute("set lock_timeout = '100ms'")
            if act.startswith("copy"):
                with open(os.devnull, "w") as sink:
                    other.copy_expert(act, sink)
            else:
                other.execute(act)
        cursor.connection.rollback()
