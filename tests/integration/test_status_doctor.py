"""Polling by status: what `outbox doctor`, log, status and metrics say of a table of the team's
own."""

from contextlib import closing

import pytest

from logins import login
from outbox import findings_of
from status_place import COLUMNS, StatusPlace, status_relay
from support.waiting import wait_until

GRANTS = "grant select, update (status, cause) on public.outbox to {role}"


@pytest.fixture
def place():
    with StatusPlace() as place:
        yield place


def test_there_is_nothing_to_find_when_all_is_as_it_should_be(tmp_path, place):
    found = findings_of(status_relay(tmp_path, place))
    assert {level for level, _, _ in found.values()} == {"ok"}, found


@pytest.mark.parametrize("revoke", [
    "select 1", "revoke execute on function pg_logical_emit_message(boolean, text, text) from"
    " public"], ids=["as usual", "no messages into the WAL"])
def test_select_and_update_of_two_columns_are_all_the_rights_it_needs(tmp_path, place, revoke):
    place.database.execute(revoke)
    with login(place.database) as url, closing(place.database.connect()) as connection, \
            connection.cursor() as cursor:
        role = url.split("//")[1].split(":")[0]
        place.database.execute(GRANTS.format(role=role))
        cursor.execute("set synchronous_commit = off")  # so that the relay has to flush
        with status_relay(tmp_path, place, url=url):
            for _ in range(20):
                place.arriving.await_ids([place.counter.insert(cursor=cursor)])
            wait_until(lambda: place.counter.statuses() == {"SENT": 20}, "all are marked")


@pytest.mark.parametrize("sql, code, says, mends", [
    ("alter table public.outbox drop column status cascade", "COLUMN_MISSING",
     'no column "status"', 'alter table "public"."outbox" add column "status" text'),
    ("alter table public.outbox drop column seq cascade", "COLUMN_MISSING", 'no column "seq"',
     'add column "seq" bigint generated always as identity'),
    ("alter table public.outbox drop column payload", "COLUMN_MISSING", 'no column "payload"',
     "Name the table's columns in [source.<name>.columns]"),
    ("alter table public.outbox alter column id type text", "COLUMN_TYPE", "is of type text",
     'alter column "id" type uuid'),
    ("alter table public.outbox rename to other", "TABLE_MISSING", "no table public.outbox",
     "Name your table"),
])
def test_what_is_missing_is_named_with_what_mends_it_and_nothing_starts(
        tmp_path, place, sql, code, says, mends):
    place.database.execute(sql)
    relay = status_relay(tmp_path, place)
    level, what, fix = findings_of(relay)[code]
    assert level == "error" and says in what and mends in fix
    relay.start()
    assert relay.wait() == 1
    log = relay.log_tail().replace('\\"', '"')
    assert code in log and says in log


def test_missing_rights_are_named_with_the_grants(tmp_path, place):
    with login(place.database) as url:
        relay = status_relay(tmp_path, place, url=url)
        found = findings_of(relay)
        role = url.split("//")[1].split(":")[0]
        fix = found["TABLE_DENIED"][2]
        assert fix.endswith(f'grant select on "public"."outbox" to "{role}";')
        place.database.execute(f"grant select on public.outbox to {role}")
        level, what, fix = findings_of(relay)["MARK_DENIED"]
        assert level == "error" and "may not update column" in what
        assert fix.startswith("grant update (") and f'to "{role}"' in fix


def test_an_enum_without_the_words_is_named(tmp_path, place):
    for sql in ("create type public.state as enum ('READY', 'SENT')",
                "drop index public.outbox_seq_id_idx",
                "alter table public.outbox drop constraint outbox_status_check",
                "alter table public.outbox alter status drop default",
                "alter table public.outbox alter status type public.state"
                " using status::public.state"):
        place.database.execute(sql)
    relay = status_relay(tmp_path, place)
    level, what, fix = findings_of(relay)["STATUS_LABEL"]
    assert level == "error" and "does not know FAIL" in what
    place.database.execute(fix)
    place.database.execute("alter table public.outbox alter status set default 'READY'")
    with relay:
        place.arriving.await_ids([place.counter.insert()])
        wait_until(lambda: place.counter.statuses() == {"SENT": 1}, "it is marked")


def test_a_table_without_the_index_for_ready_rows_is_told_the_sql(tmp_path, place):
    place.database.execute("drop index public.outbox_seq_id_idx")
    relay = status_relay(tmp_path, place)
    level, _, fix = findings_of(relay)["READY_NOT_INDEXED"]
    assert level == "warn"
    for statement in fix.strip(";").split(";"):
        place.database.execute(statement)
    assert "READY_NOT_INDEXED" not in findings_of(relay)


def test_without_an_order_column_rows_come_by_time_and_doctor_and_log_warn(tmp_path):
    with StatusPlace(more="", order="created_at") as place:
        ids = [place.counter.insert(key="one") for _ in range(50)]
        relay = status_relay(tmp_path, place, columns='status = "status"')
        assert findings_of(relay)["ORDER_BY_TIME"][0] == "warn"
        with relay:
            records = place.arriving.await_ids(ids)
            assert [r.offset for r in records] == sorted(r.offset for r in records)
            assert "ORDER_BY_TIME" in relay.log_tail()


def test_every_column_may_have_a_name_of_its_own(tmp_path):
    renamed = {"id": "event", "aggregate_type": "kind", "aggregate_id": "who", "payload": "body",
               "status": "state", "created_at": "at", "seq": "n", "cause": "why"}
    columns = ", ".join(f'{"order" if old == "seq" else old} = "{new}"'
                        for old, new in renamed.items())
    with StatusPlace() as place:
        event_id = place.counter.insert(key="k", payload={"a": 1})
        refused = place.counter.insert(payload={"note": "x" * 3_000_000})
        for old, new in renamed.items():
            place.database.execute(f"alter table public.outbox rename column {old} to {new}")
        place.database.execute("alter table public.outbox rename to letters")
        with status_relay(tmp_path, place, columns=columns, table="public.letters"):
            record = place.arriving.await_ids([event_id])[0]
            assert record.key == b"k" and record.value == b'{"a": 1}'
            wait_until(lambda: dict(place.database.execute(
                "select event::text, state from public.letters")) ==
                {event_id: "SENT", refused: "FAIL"}, "both are marked")
            assert "MSG_SIZE_TOO_LARGE" in place.database.value(
                "select why from public.letters where state = 'FAIL'")


def test_lag_counts_ready_rows_and_returns_to_zero(tmp_path, place, services):
    with status_relay(tmp_path, place) as relay:
        place.arriving.await_ids([place.counter.insert()])
        wait_until(lambda: lag(relay) == (0, 0), "nothing waits")
        services.pause("kafka-1")
        try:
            for _ in range(25):
                place.counter.insert()
            wait_until(lambda: lag(relay)[0] == 25 and lag(relay)[1] > 1, "25 events wait")
        finally:
            services.resume("kafka-1")
        wait_until(lambda: lag(relay) == (0, 0), "nothing waits", 60)


def lag(relay):
    metrics = relay.metrics()
    label = '{pipeline="%s"}' % relay.slot
    return (metrics["outbox_lag_events" + label], metrics["outbox_lag_seconds" + label])


def test_rows_of_several_mb_are_delivered_in_bounded_memory(tmp_path, place):
    """Invariant 7: 3 x row + 48 MB."""
    row_mb, rows = 8, 12
    place.database.execute(
        "insert into public.outbox (id, aggregate_type, aggregate_id, payload)"
        " select gen_random_uuid(), 'order', n::text, jsonb_build_object('x',"
        " (select string_agg(md5(random()::text), '') from generate_series(1, %s)))"
        " from generate_series(1, %s) n", [row_mb * (1 << 20) // 32, rows])
    with status_relay(tmp_path, place) as relay:
        wait_until(lambda: place.counter.statuses() == {"FAIL": rows}, "all are dead letters", 60)
        small = place.counter.insert()
        place.arriving.await_ids([small])
        assert relay.peak_mb() < 3 * row_mb + 48


def test_a_row_locked_by_a_stranger_is_marked_once_it_is_free(tmp_path, place):
    with status_relay(tmp_path, place):
        with closing(place.database.connect(autocommit=False)) as connection, \
                connection.cursor() as cursor:
            event_id = place.counter.insert(key="1")
            cursor.execute("select 1 from public.outbox where id = %s for update", [event_id])
            place.arriving.await_ids([event_id])
            connection.rollback()
        wait_until(lambda: place.counter.statuses() == {"SENT": 1}, "it is marked")
        assert len(place.arriving.arrivals(event_id)) == 1
