"""`outbox schema print|plan|apply|status` (issue, Build 3)."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

import config_text
from logins import login
from outbox import outbox
from support.bystanders import Inserts, dump_under_way, open_writer
from support.database import Database
from support.environment import CHECKOUT
from support.partitions import age_marks, narrow

MIGRATIONS = sorted((CHECKOUT / "outbox-schema" / "migrations").glob("V*.sql"))
ALL = [(int(file.stem[1:4]), file.stem[6:]) for file in MIGRATIONS]


@pytest.fixture
def empty():
    with Database(with_schema=False) as database:
        yield database


def schema(verb, database, *options, **environ):
    return outbox("schema", verb, *options, **{"DATABASE_URL": database.url, **environ})


def objects(database):
    return database.value("select count(*) from pg_class c join pg_namespace n"
                          " on n.oid = c.relnamespace where n.nspname = 'outbox'")


def test_print_writes_the_migrations_as_they_are_without_a_server():
    done = outbox("schema", "print", DATABASE_URL=None)
    assert (done.code, done.err) == (0, "")
    assert done.out == "".join(file.read_text() for file in MIGRATIONS)


def test_what_print_writes_psql_can_run(empty):
    printed = outbox("schema", "print").out
    done = subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", empty.url],
                          input=printed, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert empty.value("select outbox.publish('order', '1', 'E', '{}') is not null")


def test_plan_shows_what_is_pending_and_touches_nothing(empty):
    done = schema("plan", empty)
    assert done.code == 0
    assert all(name in done.out for _, name in ALL)
    assert "pending" in done.out and "nothing was touched" in done.err
    assert objects(empty) == 0
    assert empty.value("select count(*) from pg_namespace where nspname = 'outbox'") == 0


def test_apply_makes_the_schema_and_says_so(empty):
    done = schema("apply", empty)
    assert done.code == 0
    assert "applying V001__outbox.sql" in done.err and "applied" in done.out
    assert empty.value("select outbox.publish('order', '1', 'E', '{}') is not null")
    assert empty.execute("select version, name from outbox.schema_migration"
                         " order by version") == ALL


def test_apply_twice_changes_nothing_the_second_time(empty):
    assert schema("apply", empty).code == 0
    applied_at = empty.value("select applied_at from outbox.schema_migration")
    count = objects(empty)
    done = schema("apply", empty)
    assert done.code == 0 and "nothing to do" in done.err
    assert (empty.value("select applied_at from outbox.schema_migration"), objects(empty)) == (
        applied_at, count)
    assert "nothing to do" in schema("plan", empty).err


def test_five_applies_at_once_all_succeed_and_one_of_them_did_it(empty):
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda _: schema("apply", empty), range(5)))
    assert [one.code for one in done] == [0] * 5, [one.err for one in done]
    assert sum("applying V001" in one.err for one in done) == 1
    assert empty.value("select count(*) from outbox.schema_migration") == len(ALL)


def test_applies_to_several_databases_at_once_share_the_cluster_s_roles():
    with Database(with_schema=False) as a, Database(with_schema=False) as b:
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda one: schema("apply", one), (a, b)))
        assert [one.code for one in done] == [0, 0], [one.err for one in done]


def test_status_lists_pending_then_applied(empty):
    assert "pending" in schema("status", empty).out
    schema("apply", empty)
    assert "applied" in schema("status", empty).out


@pytest.mark.parametrize("output", ["json", "jsonl"])
@pytest.mark.parametrize("verb", ["status", "plan"])
def test_listings_come_as_json_on_stdout_alone(empty, verb, output):
    done = schema(verb, empty, "-o", output)
    assert done.code == 0
    listed = (json.loads(done.out) if output == "json"
              else [json.loads(line) for line in done.out.splitlines()])
    assert [(one["version"], one["name"], one["state"]) for one in listed] == [
        (*one, "pending") for one in ALL]


def test_a_changed_migration_is_refused_with_exit_4_and_nothing_is_touched(empty):
    schema("apply", empty)
    empty.execute("update outbox.schema_migration set checksum = repeat('0', 64)")
    for verb in ("apply", "plan"):
        done = schema(verb, empty)
        assert done.code == 4 and "V1" in done.err and "Nothing was touched" in done.err
    assert "changed" in schema("status", empty).out


def test_a_newer_schema_is_refused_with_exit_4(empty):
    schema("apply", empty)
    empty.execute("insert into outbox.schema_migration values (999, 'future', repeat('a', 64))")
    done = schema("apply", empty)
    assert done.code == 4 and "999" in done.err and "newer release" in done.err


def test_a_password_in_the_arguments_draws_a_warning_and_is_not_repeated(empty):
    done = outbox("schema", "status", "--database", empty.url, DATABASE_URL=None)
    assert done.code == 0
    assert "DATABASE_URL" in done.err and "arguments" in done.err
    assert urlsplit(empty.url).password not in done.out + done.err


def test_a_password_in_the_environment_draws_no_warning(empty):
    assert "arguments" not in schema("status", empty).err


def test_the_flag_wins_over_the_environment_and_that_over_the_config(tmp_path, empty):
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(9, "some_slot").replace("${DATABASE_URL}", "${SHOP_URL}"))
    nowhere = "postgresql://127.0.0.1:1/x"
    environ = {"KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    assert outbox("schema", "status", "--config", file, DATABASE_URL=None, SHOP_URL=empty.url,
                  **environ).code == 0
    assert outbox("schema", "status", "--config", file, DATABASE_URL=nowhere, SHOP_URL=empty.url,
                  **environ).code == 5
    assert outbox("schema", "status", "--config", file, "--database", empty.url,
                  DATABASE_URL=nowhere, SHOP_URL=nowhere, **environ).code == 0


def test_without_any_database_it_says_where_one_may_be_named():
    done = outbox("schema", "apply", DATABASE_URL=None)
    assert (done.code, done.out) == (2, "")
    assert "DATABASE_URL" in done.err and "--database" in done.err


@pytest.mark.parametrize("url", ["postgresql://u:s3cret-canary@[::1/x", "s3cret-canary",
                                 "host=127.0.0.1 pasword=s3cret-canary"])
def test_a_url_that_libpq_does_not_understand_is_exit_2_and_not_repeated(url):
    done = outbox("schema", "status", DATABASE_URL=url)
    assert done.code == 2
    assert "s3cret-canary" not in done.err + done.out and "postgresql://" in done.err


def test_a_role_without_the_rights_is_told_which_ones_and_leaves_nothing_behind(empty):
    with login(empty) as url:
        done = schema("apply", empty, DATABASE_URL=url)
    assert done.code == 1
    assert re.search("superuser|CREATEROLE|CREATE on|outbox_owner", done.err)
    assert empty.value("select count(*) from pg_namespace where nspname = 'outbox'") == 0


def test_a_wrong_password_is_named_and_not_shown(empty):
    parts = urlsplit(empty.url)
    wrong = empty.url.replace(parts.password, "s3cret-canary")
    done = schema("apply", empty, DATABASE_URL=wrong)
    assert done.code == 5 and "password authentication failed" in done.err
    assert "s3cret-canary" not in done.err


def test_a_lock_that_is_held_is_waited_for_only_so_long(empty):
    with empty.connect(autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(122550254464888)")
        done = schema("apply", empty, "--lock-timeout-ms", "300")
    assert done.code == 1 and "run this again" in done.err
    assert objects(empty) == 0


@contextmanager
def cursor_of(database, autocommit=True):
    with closing(database.connect(autocommit)) as connection, connection.cursor() as cursor:
        yield cursor


def test_apply_makes_partitions_beside_inserts_an_open_writer_and_a_pg_dump():
    """Nobody who inserts waits for it longer than 100 ms, and it waits for nobody."""
    with Database() as database, Inserts(lambda: cursor_of(database)) as inserts, \
            open_writer(cursor_of(database, autocommit=False)), dump_under_way(database):
        for used in range(1, 6):
            inserts.await_more(50)
            database.execute("select setval('outbox.event_seq', %s)", [used * 20_000_000])
            done = schema("apply", database)
            assert done.code == 0 and re.search("made [23] partitions ahead", done.err), done.err
        inserts.await_more(50)
    assert inserts.failed == []


def test_apply_leaves_an_emptied_partition_to_the_next_call_while_a_pg_dump_reads(empty):
    """What it cannot drop now it names, and no insert waits behind the attempt."""
    assert schema("apply", empty).code == 0
    narrow(empty, 1000, 20)
    empty.execute("select outbox.publish('order', '1', 'E', '{}') from generate_series(1, 1500)")
    empty.execute("insert into outbox.progress (pipeline, system_id, timeline, slot, delivered_seq,"
                  " source_table) values ('a', '7', 1, '', 1000, 'outbox.event')")
    empty.execute("select outbox.retain('1 day')")
    age_marks(empty)
    assert empty.value("select emptied from outbox.retain('1 day')") == 1
    with Inserts(lambda: cursor_of(empty)) as inserts:
        with dump_under_way(empty):
            inserts.await_more(50)
            done = schema("apply", empty)
            assert done.code == 0 and "left as they are for now" in done.err, done.err
            inserts.await_more(50)
        done = schema("apply", empty)
        assert done.code == 0, done.err
        inserts.await_more(50)
    assert inserts.failed == []
    assert empty.value("select to_regclass('outbox.event_n000001')") is None
