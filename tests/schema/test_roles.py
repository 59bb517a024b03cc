"""Who may do what: each act tried as each role."""

import psycopg2
import pytest

ROLES = ("owner", "writer", "relay", "operator", "reader", "consumer", "stranger")
EVENT = "insert into outbox.event ({columns}) values ({values})"
INSERTABLE = {"id": "gen_random_uuid()", "aggregate_type": "'order'", "aggregate_id": "'1'",
              "event_type": "'E'", "payload": "'{}'", "payload_bytes": "null", "headers": "'{}'",
              "created_at": "now()"}

# act -> (SQL, who may)
ACTS = {
    "publish jsonb": ("select outbox.publish('order', '1', 'E', '{}'::jsonb)", "owner writer"),
    "publish bytes": ("select outbox.publish('order', '1', 'E', ''::bytea)", "owner writer"),
    "publish text": ("select outbox.publish('order', '1', 'E', '{}')", "owner writer"),
    "call what emit is made of": ("select outbox.emit_value('')", "owner"),
    "write a message as emit does": ("select pg_logical_emit_message(true, 'outbox.emit', '')",
                                     "owner relay"),
    "read how many were emitted": ("select last_value from outbox.emitted",
                                   "owner relay operator reader"),
    "insert every column but seq": (
        EVENT.format(columns=", ".join(INSERTABLE), values=", ".join(INSERTABLE.values())),
        "owner writer"),
    "insert a seq": (EVENT.format(columns="seq, aggregate_type, event_type",
                                  values="999999, 'order', 'E'"), "owner"),
    "insert seq by default": (EVENT.format(columns="seq, aggregate_type, event_type",
                                           values="default, 'order', 'E'"), "owner"),
    "insert into a partition": (
        "insert into outbox.event_p000001 values (999998, gen_random_uuid(), 'order', '1', 'E',"
        " '{}', null, '{}', now())", "owner"),
    "read events": ("select payload from outbox.event limit 1", "owner relay operator"),
    "read a partition": ("select seq from outbox.event_p000001 limit 1", "owner"),
    "read the sequence": ("select last_value, is_called from outbox.event_seq",
                          "owner relay operator reader"),
    "take a number": ("select nextval('outbox.event_seq')", "owner writer"),
    "set the sequence": ("select setval('outbox.event_seq', 1000)", "owner"),
    "read progress": ("select * from outbox.progress", "owner relay operator reader"),
    "take a pipeline": ("select outbox.progress_take('p', '7', 1, 's')", "owner relay"),
    "save progress": ("select outbox.progress_save('p', 1, '7', 1, 's', '0/1', '0/1', 1)",
                      "owner relay"),
    "insert progress": ("insert into outbox.progress (pipeline, system_id, timeline, slot)"
                        " values ('q', '7', 1, 's')", "owner relay"),
    "update progress": ("update outbox.progress set ordinal = 5 where pipeline = 'p'",
                        "owner relay"),
    "delete progress": ("delete from outbox.progress where pipeline = 'none'", "owner"),
    "make a publication": ("select outbox.create_publication('p')", "owner relay"),
    "read partitions": ("select * from outbox.partition", "owner relay operator reader"),
    "make partitions": ("select outbox.make_partitions(1)", "owner operator"),
    "empty old partitions": ("select * from outbox.retain('1 day')", "owner relay operator"),
    "note how old rows are": ("select * from outbox.retention_limit('public.mine', 1, '1 day')",
                              "owner relay"),
    "read what retention removed": ("select * from outbox.retention, outbox.retention_mark",
                                    "owner relay operator reader"),
    "note what was deleted": ("update outbox.retention set removed_rows = 0", "owner relay"),
    "list emptied partitions": ("select * from outbox.emptied_partition",
                                "owner relay operator reader"),
    "receive an event": ("select outbox.receive('mailer', gen_random_uuid())", "owner consumer"),
    "forget what was received": ("select * from outbox.inbox_retain('30 days')",
                                 "owner relay operator"),
    "read the inbox": ("select * from outbox.inbox, outbox.inbox_turn", "owner operator reader"),
    "write to the inbox": ("insert into outbox.inbox values ('mailer', gen_random_uuid(), 0)",
                           "owner"),
    "forget one event": ("delete from outbox.inbox where consumer = 'none'", "owner"),
    "set the turn": ("update outbox.inbox_turn set since = since", "owner"),
    "read the migrations": ("select * from outbox.schema_migration",
                            "owner writer relay operator reader"),
    "record a migration": ("insert into outbox.schema_migration (version, name, checksum)"
                           " values (999, 'x', repeat('0', 64))", "owner"),
    "make a table in the schema": ("create table outbox.mine (a int)", "owner"),
    "drop a table": ("drop table outbox.schema_migration", "owner"),
    "change publish": ("alter function outbox.publish(text, text, text, jsonb, jsonb)"
                       " security invoker", "owner"),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_for_the_roles_that_need_it_and_no_other(shared, act):
    sql, allowed = ACTS[act]
    outcome = {}
    for role in ROLES:
        with shared.as_role(role, autocommit=False) as cursor:
            try:
                cursor.execute(sql)
                outcome[role] = "may"
            except psycopg2.Error as error:
                assert error.diag.sqlstate == "42501", error
                outcome[role] = "refused"
            cursor.connection.rollback()
    assert outcome == {role: "may" if role in allowed.split() else "refused" for role in ROLES}


def test_no_function_of_the_schema_is_for_everybody(shared):
    assert shared.execute("select p.oid::regprocedure from pg_proc p, aclexplode(p.proacl) a"
                          " where p.pronamespace = 'outbox'::regnamespace and a.grantee = 0") == []
    assert shared.value("select bool_and(proacl is not null) from pg_proc"
                        " where pronamespace = 'outbox'::regnamespace")


def test_all_is_owned_by_outbox_owner_and_nobody_can_log_in_as_a_group(shared):
    assert shared.execute("""
        select distinct pg_get_userbyid(owner) from (
          select relowner from pg_class where relnamespace = 'outbox'::regnamespace
          union all select proowner from pg_proc where pronamespace = 'outbox'::regnamespace
          union all select nspowner from pg_namespace where nspname = 'outbox') as o (owner)
        """) == [("outbox_owner",)]
    assert shared.execute("select rolname, rolcanlogin or rolsuper or rolcreaterole"
                          " or rolreplication"
                          " from pg_roles where rolname ~ '^outbox_' order by 1") == [
        (f"outbox_{role}", False)
        for role in ("consumer", "operator", "owner", "reader", "relay", "writer")]


def test_every_function_that_runs_as_the_owner_or_guards_a_table_has_a_pinned_path(shared):
    """Else a caller's own operators and tables would be used inside."""
    free = shared.execute("""
        select proname from pg_proc where pronamespace = 'outbox'::regnamespace
        and not coalesce('search_path=pg_catalog, pg_temp' = any(proconfig), false) order by 1""")
    # Called by publish() and emit() only, which pin it; those two for text run as their caller.
    assert free == [("emit",), ("is_traceparent",), ("publish",), ("with_trace",)]
    assert shared.value("""
        select prosecdef from pg_proc
        where oid = 'outbox.publish(text, text, text, text, jsonb)'::regprocedure""") is False


def test_a_temporary_table_does_not_stand_in_for_ours(shared):
    with shared.as_role("writer") as cursor:
        cursor.execute("create temporary table event (like pg_class)")
        cursor.execute("set search_path = pg_temp, outbox")
        cursor.execute("select outbox.publish('order', '1', 'E', '{}'::jsonb)")
        event_id, = cursor.fetchone()
    assert shared.event(event_id)[0] == "order"
