"""retention = "…": delivered rows go after a while, in every mode, and nothing else does."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from logins import login
from one_place import relay_of, slot_name
from outbox import outbox
from postbox import Postbox
from server_side import drop_slots
from shop import Shop
from status_place import StatusPlace, status_relay
from support.database import Database
from support.environment import CHECKOUT
from support.partitions import age_marks, narrow, rows
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

WIDTH = 200
RETENTION = 'retention = "1s"'
OWN_TABLE = """
create table public.own (
  seq bigserial primary key, id uuid not null default gen_random_uuid(),
  aggregate_type text not null, aggregate_id text, event_type text not null, payload jsonb)"""


@pytest.fixture
def topic():
    name = create_topic(unique_name("retention"), partitions=3)
    yield name
    delete_topic(name)


@pytest.fixture
def arriving(topic):
    with closing(Postbox(topic)) as postbox:
        yield postbox


@pytest.fixture
def database():
    """With narrow partitions."""
    with Database() as database:
        narrow(database, WIDTH, 200)
        yield database


@pytest.fixture
def shop(database):
    with closing(Shop(database)) as shop:
        yield shop


def publish(database, count, table=None):
    sql = ("select outbox.publish('order', (n % 7)::text, 'E', '{}'::jsonb)::text" if table is None
           else f"insert into {table} (aggregate_type, aggregate_id, event_type, payload)"
                " select 'order', (n % 7)::text, 'E', '{}'")
    more = " returning id::text" if table else ""
    return [one for one, in database.execute(f"{sql} from generate_series(1, {count}) n{more}")]


def metric(relay, name):
    return relay.metrics()[f'outbox_retention_{name}{{pipeline="{relay.slot}"}}']


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_partitions_of_delivered_events_are_emptied_while_events_flow_and_none_is_lost(
        tmp_path, database, topic, arriving, mode):
    with login(database, ["outbox_relay"], "replication") as url:
        relay = relay_of(tmp_path, database, topic, url=url, mode=mode, source_more=RETENTION)
        with relay:
            ids = []
            for _ in range(10):
                ids += publish(database, WIDTH)
                time.sleep(0.3)
            arriving.await_ids(ids)
            wait_until(lambda: sum(rows(database).values()) <= WIDTH, "old partitions are empty",
                       60)
            wait_until(lambda: metric(relay, "partitions_total") >= 9, "they are counted")
            assert metric(relay, "kept_events") <= WIDTH
            wait_until(lambda: metric(relay, "held_seconds") == 0, "nothing is held any more")
            assert "RETENTION: emptied" in relay.log_file.read_text()
            assert relay.status()["retention"]["partitions"] >= 9
    drop_slots(database, relay.slot)


def test_a_second_pipeline_that_does_not_run_keeps_the_rows_and_gets_all_of_them_later(
        tmp_path, database, topic, arriving):
    second_topic = create_topic(unique_name("second"), partitions=3)
    second = relay_of(tmp_path / "second", database, second_topic, mode="poll")
    with second:
        publish(database, 10)
        wait_until(lambda: database.value("select delivered_seq from outbox.progress") == 10,
                   "the second pipeline is registered")
    with relay_of(tmp_path, database, topic, mode="poll", source_more=RETENTION) as relay:
        ids = publish(database, 5 * WIDTH)
        arriving.await_ids(ids)
        wait_until(lambda: metric(relay, "held_seconds") > 2, "retention is held", 60)
        assert sum(rows(database).values()) == 5 * WIDTH + 10
        done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
        assert done.code == 0, done.out
        database.execute("update outbox.retention set held_since = held_since - interval '1 hour'")
        done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
        assert "RETENTION_HELD" in done.out and f"pipeline {second.slot}" in done.out
        wait_until(lambda: "RETENTION_HELD" in relay.log_tail(), "the log names it")
        assert f"pipeline {second.slot}" in relay.status()["reason"]
        with closing(Postbox(second_topic)) as late:
            with second:
                late.await_ids(ids)
                wait_until(lambda: sum(rows(database).values()) < WIDTH, "now they go", 60)
    delete_topic(second_topic)


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_rows_of_a_teams_own_table_are_deleted_in_batches_up_to_what_is_delivered(
        tmp_path, database, topic, arriving, mode):
    database.execute(OWN_TABLE)
    relay = relay_of(tmp_path, database, topic, mode=mode,
                     source_more=f'table = "public.own"\n{RETENTION}')
    with relay:
        ids = publish(database, 5000, "public.own")
        arriving.await_ids(ids)
        wait_until(lambda: database.value("select count(*) from public.own") == 0, "they go", 90)
        wait_until(lambda: metric(relay, "rows_total") == 5000, "they are counted")
        assert metric(relay, "kept_events") == 0
        arriving.await_ids(publish(database, 10, "public.own"))
    assert database.execute("select removed_below > 5000, removed_rows >= 5000 from"
                            " outbox.retention where source_table = 'public.own'") == [(True, True)]
    drop_slots(database, relay.slot)


def test_a_slot_of_a_teams_own_table_that_is_lost_heals_after_retention_deleted_rows(
        tmp_path, database, topic, arriving):
    database.execute(OWN_TABLE)
    name = slot_name()
    relay = relay_of(tmp_path, database, topic, slot=name,
                     source_more=f'table = "public.own"\n{RETENTION}')
    with relay:
        arriving.await_ids(publish(database, 50, "public.own"))
        wait_until(lambda: database.value("select count(*) from public.own") == 0, "they go", 60)
    wait_until(lambda: database.value("select n_tup_del from pg_stat_user_tables"
                                      " where relname = 'own'") == 50, "the server counted them")
    drop_slots(database, name)
    missing = publish(database, 20, "public.own")
    with relay:
        arriving.await_ids(missing)
        wait_until(lambda: "REFILLED" in relay.log_tail(), "the rows were read again")
        assert "SLOT_MISSING" in relay.log_tail()
    drop_slots(database, name)


@pytest.mark.parametrize("mode, code, says", [
    ("wal", "SLOT_MISSING", f"removed the rows of outbox.event with seq 2 to {2 * WIDTH}"),
    ("poll", "ROWS_REMOVED", f"the rows of outbox.event up to seq {2 * WIDTH} were removed")])
def test_a_gap_that_retention_made_is_named_and_not_passed_over(
        tmp_path, database, topic, shop, arriving, mode, code, says):
    name = slot_name()
    relay = relay_of(tmp_path, database, topic, slot=name, mode=mode)
    with relay:
        arriving.await_ids([shop.publish()])
        wait_until(lambda: database.value("select delivered_seq from outbox.progress") == 1,
                   "its number is proven")
    publish(database, 2 * WIDTH)
    kept = database.execute("delete from outbox.progress returning *")
    database.execute("insert into outbox.progress (pipeline, system_id, timeline, slot,"
                     " delivered_seq) values ('other', '7', 1, '', %s)", [2 * WIDTH])
    database.execute("select outbox.retain('1 s')")
    age_marks(database)
    assert database.value("select emptied from outbox.retain('1 s')") == 2
    drop_slots(database, name)
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(kept[0]))
        cursor.execute(f"insert into outbox.progress values ({places})", kept[0])
    relay.start()
    assert relay.wait() == 1
    assert code in relay.log_tail() and says in relay.log_tail()
    done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
    assert done.code == 1 and code in done.out


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_a_schema_of_before_delivers_as_ever_and_is_told_what_retention_needs(
        tmp_path, topic, arriving, mode):
    with Database(with_schema=False) as database, closing(Shop(database)) as shop:
        for file in sorted((CHECKOUT / "outbox-schema" / "migrations").glob("V00[12]__*.sql")):
            subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file,
                            database.url], check=True)
        relay = relay_of(tmp_path, database, topic, mode=mode, source_more=RETENTION)
        with relay:
            arriving.await_ids([shop.publish()])
            wait_until(lambda: "RETENTION_FAILED" in relay.log_tail(), "it is told", 60)
            assert "outbox schema apply" in relay.log_tail()
            done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
            assert "RETENTION_UNAVAILABLE" in done.out and "outbox schema apply" in done.out
            arriving.await_ids([shop.publish()])
        drop_slots(database, relay.slot)


def test_without_the_right_to_delete_it_goes_on_and_says_which_grant_is_missing(
        tmp_path, database, topic, arriving):
    database.execute(OWN_TABLE)
    with login(database, ["outbox_relay"]) as url:
        user = url.split("//")[1].split(":")[0]
        database.execute(f"grant select on public.own to {user};"
                         f" grant select, usage on sequence public.own_seq_seq to {user}")
        relay = relay_of(tmp_path, database, topic, url=url, mode="poll",
                         source_more=f'table = "public.own"\n{RETENTION}')
        with relay:
            arriving.await_ids(publish(database, 10, "public.own"))
            wait_until(lambda: "RETENTION_FAILED" in relay.log_tail(), "it is told", 60)
            assert "permission denied for table own" in relay.log_tail()
            done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
            assert "RETENTION_DENIED" in done.out and "grant delete on" in done.out
            arriving.await_ids(publish(database, 10, "public.own"))


def test_sent_rows_of_a_status_table_go_when_they_are_old_and_ready_and_failed_ones_stay(tmp_path):
    with StatusPlace() as place:
        old = [place.counter.insert(key=str(number)) for number in range(3000)]
        place.database.execute("update public.outbox set created_at = now() - interval '2 hours'")
        with status_relay(tmp_path, place, more='retention = "1h"') as relay:
            place.arriving.await_ids(old)
            wait_until(lambda: place.counter.statuses() == {"SENT": 3000}, "all are marked")
            place.database.execute("update public.outbox set status = 'FAIL' where id = %s",
                                   [old[0]])
        young = [place.counter.insert(key=str(number)) for number in range(100)]
        # A round an hour is too rare for a test: an age of 20 s has one a second.
        with status_relay(tmp_path, place, more='retention = "20s"') as relay:
            place.arriving.await_ids(young)
            wait_until(lambda: place.counter.statuses() == {"SENT": 100, "FAIL": 1},
                       "the old ones go", 60)
            wait_until(lambda: metric(relay, "rows_total") >= 2999, "they are counted")
            wait_until(lambda: place.counter.statuses() == {"FAIL": 1}, "and later the others", 90)


# --- outbox schema apply

def emptied(database, partitions):
    publish(database, partitions * WIDTH)
    database.execute("insert into outbox.progress (pipeline, system_id, timeline, slot,"
                     " delivered_seq) values ('p', '7', 1, '', %s)", [partitions * WIDTH])
    database.execute("select outbox.retain('1 s')")
    age_marks(database)
    assert database.value("select emptied from outbox.retain('1 s')") == partitions


def schema(verb, database, *options):
    return outbox("schema", verb, *options, DATABASE_URL=database.url)


def names(database):
    return [name for name, in database.execute(
        "select relname::text from pg_class where relname ~ '^event_n' and relkind = 'r'"
        " order by 1")]


def test_apply_drops_what_retention_emptied_and_makes_what_is_missing_ahead(database):
    emptied(database, 3)
    publish(database, 5)
    said = schema("status", database).err
    assert f"partitions for {197 * WIDTH - 5} more events" in said
    assert f"below seq {3 * WIDTH + 1}" in said and "3 emptied ones" in said
    done = schema("apply", database)
    assert done.code == 0, done.err
    assert "dropped outbox.event_n000003" in done.err and "partitions ahead" in done.err
    assert names(database)[0] == "event_n000004"
    assert sum(rows(database).values()) == 5
    assert "emptied" not in schema("status", database).err
    assert "nothing to do" in schema("apply", database).err


def test_apply_waits_for_no_open_writer_longer_than_it_is_told_and_ends_the_work_next_time(
        database):
    emptied(database, 2)
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        cursor.execute("select outbox.publish('order', '1', 'E', '{}')")
        done = schema("apply", database, "--lock-timeout-ms", "1500")
        assert done.code == 0 and "open, see pg_stat_activity" in done.err
        with closing(database.connect()) as other, other.cursor() as writer:
            writer.execute("set lock_timeout = '100ms'")
            writer.execute("select outbox.publish('order', '1', 'E', '{}')")
        connection.commit()
    done = schema("apply", database)
    assert "dropped outbox.event_n000001" in done.err and "event_n000002" in done.err
    assert names(database)[0] == "event_n000003"


def test_while_apply_detaches_beside_an_open_writer_no_insert_waits(database):
    emptied(database, 2)
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        cursor.execute("select outbox.publish('order', '1', 'E', '{}')")
        with ThreadPoolExecutor(1) as pool:
            applying = pool.submit(schema, "apply", database, "--lock-timeout-ms", "3000")
            inserts = 0
            with closing(database.connect()) as other, other.cursor() as writer:
                writer.execute("set lock_timeout = '100ms'")
                while not applying.done():
                    writer.execute("select outbox.publish('order', '1', 'E', '{}')")
                    inserts += 1
        connection.commit()
    assert inserts > 100 and applying.result().code == 0


def test_a_partition_that_has_rows_again_is_not_dropped(database):
    emptied(database, 1)
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        cursor.execute("set local role outbox_owner; insert into outbox.event (seq, aggregate_type,"
                       " event_type) values (5, 'order', 'E')")
        connection.commit()
    done = schema("apply", database)
    assert done.code == 0 and "event_n000001 was emptied and has rows again" in done.err
    assert names(database)[0] == "event_n000001"


def test_a_role_that_is_no_owner_is_told_and_nothing_breaks(database):
    emptied(database, 1)
    with login(database, ["outbox_operator"]) as url:
        done = outbox("schema", "apply", DATABASE_URL=url)
    assert done.code == 0 and "no member of outbox_owner" in done.err
    assert names(database)[0] == "event_n000001"
