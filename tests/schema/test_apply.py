"""Applying the migrations: by whom, twice, at once, outside a transaction; dump and restore."""

import os
import subprocess
import threading
from contextlib import closing

import pytest

from conftest import MIGRATIONS, Schema, apply_migrations, grant_roles, logins_on
from support.database import Database, connect, with_user
from support.services import Services

V001 = MIGRATIONS / "V001__outbox.sql"
V006 = MIGRATIONS / "V006__inbox.sql"
ROLES = {"outbox_owner", "outbox_writer", "outbox_relay", "outbox_operator", "outbox_reader"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The URL of a cluster of these tests' own: roles belong to the whole cluster."""
    with Services.private(tmp_path_factory.mktemp("cluster") / "services") as services:
        services.start(only="postgres")
        yield services.env()["DATABASE_URL"]


@pytest.fixture
def without_roles(fresh):
    """That cluster, without our roles."""
    with closing(connect(fresh)) as connection, connection.cursor() as cursor:
        for role in ROLES | {"outbox_consumer"}:
            cursor.execute(f"drop role if exists {role}")
    return fresh


def psql(url, *options):
    return subprocess.run(["psql", "-X", "-q", *options, url], capture_output=True, text=True,
                          env={**os.environ, "PGOPTIONS": ""})


def exists(url):
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_namespace where nspname = 'outbox')")
        return cursor.fetchone()[0]


def roles(url):
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select rolname from pg_roles where rolname ~ '^outbox_'")
        return {name for name, in cursor.fetchall()}


def works(database):
    """An event goes in as a writer and is there."""
    with logins_on(database.server_url) as logins:
        with closing(database.connect()) as connection, connection.cursor() as cursor:
            grant_roles(cursor, logins)
        schema = Schema(database, logins)
        event_id = schema.value("select outbox.publish('order', '1', 'E', '{}')", role="writer")
        return schema.event(event_id)[0] == "order"


@pytest.fixture
def administrator(without_roles):
    """A login that is no superuser: CREATEROLE, and owner of the database it applies to."""
    with closing(connect(without_roles)) as connection, connection.cursor() as cursor:
        cursor.execute("create role deployer login createrole password 'only-for-tests'")
        yield "deployer"
        cursor.execute("drop role deployer")


def test_psql_applies_the_file_in_one_transaction(without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        done = psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert roles(database.url) == ROLES
        assert works(database)


def test_outside_a_transaction_nothing_is_made_and_the_error_says_how(without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        done = psql(database.url, "-f", str(V001))
        assert "must run in one transaction" in done.stderr
        assert "psql -1 -v ON_ERROR_STOP=1 -f V001__outbox.sql" in done.stderr
        assert not exists(database.url)
        assert roles(database.url) == set()


def test_a_second_time_it_stops_and_changes_nothing(schema):
    schema.execute("select outbox.publish('order', '1', 'E', '{}')", role="writer")
    done = psql(schema.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
    assert done.returncode != 0 and "already exists" in done.stderr
    assert schema.value("select count(*) from outbox.event") == 1


def test_the_applied_migration_is_recorded_with_the_checksum_of_its_file(shared):
    files = sorted(MIGRATIONS.glob("V*__*.sql"))
    done = subprocess.run(["sha256sum", *files], capture_output=True, text=True, check=True)
    sums = [line.split()[0] for line in done.stdout.splitlines()]
    assert shared.execute("select version, name, checksum, applied_by = session_user"
                          " from outbox.schema_migration order by version") == [
        (number, file.stem.split("__")[1], checksum, True)
        for number, (file, checksum) in enumerate(zip(files, sums), start=1)]


def test_a_role_set_before_is_set_after(without_roles):
    """A migration tool may work under SET ROLE and writes its own table afterwards."""
    with Database(with_schema=False, server_url=without_roles) as database:
        with closing(database.connect(autocommit=False)) as connection:
            with connection.cursor() as cursor:
                cursor.execute("create role tool superuser")
                cursor.execute("set role tool")
                cursor.execute(V001.read_text())
                cursor.execute("select current_user, current_setting('role')")
                assert cursor.fetchone() == ("tool", "tool")
                connection.rollback()
                cursor.execute(V001.read_text())
                cursor.execute("select current_user, current_setting('role')")
                assert cursor.fetchone() == ("postgres", "none")
                connection.rollback()


def test_a_schema_of_that_name_that_a_tool_made_before_becomes_ours(without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        database.execute("create schema outbox")
        assert psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001)).returncode == 0
        assert works(database)


def test_two_databases_of_a_cluster_share_the_roles(without_roles):
    with Database(with_schema=False, server_url=without_roles) as first, \
            Database(with_schema=False, server_url=without_roles) as second:
        for database in (first, second):
            done = psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
            assert done.returncode == 0, done.stderr
        assert works(first) and works(second)


def test_two_databases_may_apply_at_the_same_time(without_roles):
    """The second waits where the first made the roles, and finds them when it commits."""
    with Database(with_schema=False, server_url=without_roles) as first, \
            Database(with_schema=False, server_url=without_roles) as second:
        outcome = []
        with closing(first.connect(autocommit=False)) as connection:
            connection.cursor().execute(V001.read_text())
            thread = threading.Thread(target=lambda: outcome.append(
                psql(second.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))))
            thread.start()
            thread.join(1)
            assert not outcome
            connection.commit()
            thread.join()
        assert outcome[0].returncode == 0, outcome[0].stderr
        assert works(first) and works(second)


def test_if_the_first_of_two_rolls_back_the_second_makes_the_roles(without_roles):
    with Database(with_schema=False, server_url=without_roles) as first, \
            Database(with_schema=False, server_url=without_roles) as second:
        outcome = []
        with closing(first.connect(autocommit=False)) as connection:
            connection.cursor().execute(V001.read_text())
            thread = threading.Thread(target=lambda: outcome.append(
                psql(second.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))))
            thread.start()
            thread.join(0.5)
            connection.rollback()
            thread.join()
        assert outcome[0].returncode == 0, outcome[0].stderr
        assert not exists(first.url) and works(second)


def test_two_sessions_on_one_database_apply_it_once(without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        outcome = []
        threads = [threading.Thread(target=lambda: outcome.append(
            psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))))
            for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done.returncode == 0 for done in outcome) == [False, True]
        assert any("already exists" in done.stderr for done in outcome)
        assert works(database)


def test_no_superuser_is_needed(administrator, without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        database.execute(f"alter database {database.name} owner to {administrator}")
        url = with_user(database.url, administrator, "only-for-tests")
        with closing(connect(url)) as connection:
            apply_migrations(connection)
        assert works(database)
        assert database.value("select applied_by from outbox.schema_migration") == administrator
        assert database.value("select has_database_privilege('outbox_owner', current_database(),"
                              " 'create')")


def test_without_a_superuser_apply_says_that_events_without_a_row_can_be_forged(
        administrator, without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        database.execute(f"alter database {database.name} owner to {administrator}")
        url = with_user(database.url, administrator, "only-for-tests")
        for file in (V001, MIGRATIONS / "V002__emit.sql"):
            done = psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(file))
            assert done.returncode == 0, done.stderr
        assert "everybody may execute pg_logical_emit_message" in done.stderr
        function = "function pg_logical_emit_message(boolean,text,bytea)"
        assert f"revoke execute on {function} from public" in done.stderr
        assert works(database)


def test_without_createrole_it_is_enough_that_the_roles_are_there(administrator, without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        for role in ROLES:
            database.execute(f"create role {role}")
        database.execute(f"alter role {administrator} nocreaterole")
        database.execute(f"grant create on database {database.name} to {administrator}")
        database.execute(f"grant create on database {database.name} to outbox_owner")
        url = with_user(database.url, administrator, "only-for-tests")
        done = psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
        assert done.returncode != 0
        assert "is no member of outbox_owner and cannot become one" in done.stderr
        assert f"grant outbox_owner to {administrator}" in done.stderr
        assert not exists(database.url)
        database.execute(f"grant outbox_owner to {administrator}")
        done = psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
        assert (done.returncode, done.stderr) == (0, "")
        assert works(database)


def test_a_missing_right_for_publications_is_a_warning_with_the_grant(administrator, without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        database.execute(f"grant create on database {database.name} to {administrator}")
        url = with_user(database.url, administrator, "only-for-tests")
        done = psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V001))
        assert done.returncode == 0, done.stderr
        assert f"grant create on database {database.name} to outbox_owner" in done.stderr
        assert works(database)


def test_dump_and_restore_keep_schema_events_and_rights(schema):
    schema.execute("select outbox.publish('order', g::text, 'E', '{\"n\": 1}', '{\"h\": \"v\"}')"
                   " from generate_series(1, 50) g", role="writer")
    schema.execute("select outbox.progress_take('orders', '7', 1, 's')", role="relay")
    contents = "select array_agg(e::text order by seq) from outbox.event e"
    with Database(with_schema=False, server_url=schema.database.server_url) as copy:
        dump = subprocess.run(["pg_dump", "-Fc", schema.url], capture_output=True, check=True)
        subprocess.run(["pg_restore", "--exit-on-error", "-d", copy.url], input=dump.stdout,
                       check=True)
        assert copy.value(contents) == schema.value(contents)
        assert copy.value("select last_value from outbox.event_seq") == 50
        plain = [subprocess.run(["pg_dump", "-s", url], capture_output=True, text=True, check=True)
                 .stdout for url in (schema.url, copy.url)]
        without_keys = ["\n".join(line for line in text.splitlines()
                                  if not line.startswith(("\\restrict", "\\unrestrict")))
                        for text in plain]
        assert without_keys[0] == without_keys[1]
        restored = Schema(copy, schema.logins)
        event_id = restored.value("select outbox.publish('order', '1', 'E', '{}')", role="writer")
        assert restored.event(event_id)[0] == "order"
        # Rights on the database itself are not in its dump; the refusal says what to grant.
        diag = restored.refusal("select outbox.create_publication('p')", role="relay")
        assert "grant create on database" in diag.message_hint


def test_a_database_that_only_consumes_takes_the_inbox_alone_and_the_rest_later(without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        done = psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V006))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        first = "8c6f1a52-94a0-4f0e-a8f4-0d6c1f2f3a01"
        assert database.value("select outbox.receive('mailer', %s)", [first])
        assert database.value("select to_regclass('outbox.event')") is None
        with closing(database.connect()) as connection:
            apply_migrations(connection)
        assert works(database)
        assert not database.value("select outbox.receive('mailer', %s)", [first])


def test_the_inbox_comes_to_a_database_of_the_release_before(without_roles):
    """Events, letters and progress of it stay as they are."""
    with Database(with_schema=False, server_url=without_roles) as database:
        for file in sorted(MIGRATIONS.glob("V*.sql"))[:5]:
            assert psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f",
                        str(file)).returncode == 0
        assert works(database)
        database.execute("insert into outbox.progress (pipeline, system_id, timeline, slot)"
                         " values ('orders', '7', 1, 's')")
        done = psql(database.url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V006))
        assert (done.returncode, done.stderr) == (0, "")
        assert database.execute("select count(*), (select pipeline from outbox.progress)"
                                " from outbox.event") == [(1, "orders")]
        assert database.value("select outbox.receive('mailer', gen_random_uuid())")
        assert works(database)


def test_who_may_not_make_the_role_of_consumers_is_told_what_to_ask_for(
        administrator, without_roles):
    with Database(with_schema=False, server_url=without_roles) as database:
        for role in ROLES:
            database.execute(f"create role {role}")
        database.execute(f"alter role {administrator} nocreaterole")
        database.execute(f"grant create on database {database.name} to {administrator}")
        database.execute(f"grant outbox_owner to {administrator}")
        url = with_user(database.url, administrator, "only-for-tests")
        done = psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V006))
        assert "role outbox_consumer is missing" in done.stderr
        assert "create role outbox_consumer nologin" in done.stderr
        assert not exists(database.url)
        database.execute("create role outbox_consumer")
        assert psql(url, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(V006)).returncode == 0
        assert database.value("select outbox.receive('mailer', gen_random_uuid())")


def test_migrations_are_numbered_without_gap_and_named(shared):
    names = sorted(file.name for file in MIGRATIONS.iterdir())
    assert [int(name[1:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(name.endswith(".sql") and name[4:6] == "__" for name in names)
