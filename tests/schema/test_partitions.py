"""Partitions are made far ahead, and more of them without stopping writers."""

import pytest

WIDTH = 10_000_000


def bounds(schema):
    return schema.execute("select from_seq, before_seq from outbox.partition order by from_seq")


def set_last(schema, seq):
    schema.execute("select setval('outbox.event_seq', %s)", [seq])


def test_a_billion_numbers_are_made_ahead_without_gap_or_default_partition(shared):
    assert bounds(shared) == [(n * WIDTH + 1, (n + 1) * WIDTH + 1) for n in range(100)]
    assert shared.value("select count(*) from pg_inherits where inhparent ="
                        " 'outbox.event'::regclass") == 100


def test_numbers_come_one_by_one_from_the_sequence_of_the_column(shared):
    assert shared.value("select pg_get_serial_sequence('outbox.event', 'seq')"
                        " = 'outbox.event_seq'")
    assert shared.execute("select seqcache, seqincrement, seqcycle, seqmax from pg_sequence"
                          " where seqrelid = 'outbox.event_seq'::regclass") == [
        (1, 1, False, 2**63 - 1)]


def test_events_go_on_across_the_border_of_two_partitions(schema):
    set_last(schema, WIDTH - 1)
    schema.execute("select outbox.publish('order', '1', 'E', '{}') from generate_series(1, 4)",
                   role="writer")
    assert schema.execute("select tableoid::regclass::text, array_agg(seq order by seq)"
                          " from outbox.event group by 1 order by 1") == [
        ("outbox.event_p000001", [WIDTH]),
        ("outbox.event_p000002", [WIDTH + 1, WIDTH + 2, WIDTH + 3])]


def test_make_partitions_tops_up_what_was_used_and_nothing_else(schema):
    assert schema.value("select outbox.make_partitions()", role="operator") == 1
    assert schema.value("select outbox.make_partitions()", role="operator") == 0
    set_last(schema, 25_000_000)
    assert schema.value("select outbox.make_partitions()", role="operator") == 2
    assert bounds(schema)[-1] == (1_020_000_001, 1_030_000_001)
    assert schema.value("select pg_get_userbyid(relowner) from pg_class"
                        " where oid = 'outbox.event_p000103'::regclass") == "outbox_owner"


def test_a_new_partition_has_all_that_the_first_ones_have(schema):
    schema.execute("select outbox.make_partitions()", role="operator")
    described = [schema.execute("""
        select (select array_agg(conname order by conname) from pg_constraint
                where conrelid = c.oid and contype = 'c'),
               (select count(*) from pg_index where indrelid = c.oid and indisprimary),
               (select array_agg(tgname::text) from pg_trigger where tgrelid = c.oid),
               c.reloptions, c.relreplident, c.relacl is null
        from pg_class c where c.oid = %s::regclass""", [f"outbox.event_p{n}"])
        for n in ("000001", "000101")]
    assert described[0] == described[1]
    checks, keys, triggers, options, identity, no_grants = described[0][0]
    assert (checks, keys, triggers) == (["event_is_valid"], 1, ["refuse_change"])
    assert "autovacuum_vacuum_insert_scale_factor=0" in options
    assert (identity, no_grants) == ("d", True)


def test_after_old_partitions_were_dropped_numbering_goes_on_above(schema):
    set_last(schema, 15_000_000)
    with schema.as_role("owner", autocommit=False) as cursor:
        cursor.execute("set local role outbox_owner")
        cursor.execute("alter table outbox.event detach partition outbox.event_p000001")
        cursor.execute("drop table outbox.event_p000001")
        cursor.connection.commit()
    assert schema.value("select outbox.make_partitions()", role="operator") == 2
    assert bounds(schema)[0] == (WIDTH + 1, 2 * WIDTH + 1)
    assert bounds(schema)[-1] == (1_010_000_001, 1_020_000_001)


def test_with_all_partitions_gone_new_ones_begin_where_the_sequence_is(schema):
    set_last(schema, 123_456_789)
    for name, in schema.execute("select partition::text from outbox.partition"):
        schema.execute(f"drop table {name}")
    assert schema.value("select outbox.make_partitions(1)", role="operator") == 1
    assert bounds(schema) == [(120_000_001, 130_000_001)]


def test_writers_and_readers_go_on_while_partitions_are_made(schema):
    with schema.as_role("superuser", autocommit=False) as maker:
        maker.execute("select outbox.make_partitions(1050000000)")
        with schema.as_role("writer") as writer, schema.as_role("relay") as reader:
            writer.execute("set lock_timeout = '1s'")
            reader.execute("set lock_timeout = '1s'")
            writer.execute("select outbox.publish('order', '1', 'E', '{}')")
            reader.execute("select count(*) from outbox.event where seq < 100")
            assert reader.fetchone() == (1,)
        maker.connection.rollback()


def test_partitions_are_made_while_a_writer_has_an_open_transaction(schema):
    with schema.as_role("writer", autocommit=False) as writer:
        writer.execute("select outbox.publish('order', '1', 'E', '{}')")
        with schema.as_role("operator") as operator:
            operator.execute("set lock_timeout = '1s'")
            operator.execute("select outbox.make_partitions()")
            assert operator.fetchone() == (1,)
        writer.connection.rollback()


@pytest.mark.parametrize("ahead", ["0", "-1", "null", "10000000001"])
def test_make_partitions_refuses_a_senseless_number(shared, ahead):
    diag = shared.refusal(f"select outbox.make_partitions({ahead}::bigint)", role="operator")
    assert diag.sqlstate == "22023" and "it must be 1 to 10000000000" in diag.message_primary


def test_a_number_without_partition_is_refused_and_not_misplaced(schema):
    set_last(schema, 1_000_000_000)
    diag = schema.refusal("select outbox.publish('order', '1', 'E', '{}')")
    assert diag.sqlstate == "23514" and "no partition" in diag.message_primary
