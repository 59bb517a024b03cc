"""Servers, names and logins as people have them: what is legal there must work here."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from logins import login
from one_place import arriving, database, relay_of, shop, topic
from shop import Shop
from support import environment
from support.database import Database, apply_schema
from support.waiting import wait_until


# --- names

def test_a_publication_with_capitals_dashes_commas_and_umlauts_works(
        tmp_path, database, topic, shop, arriving):
    with relay_of(tmp_path, database, topic, publication="Outbox-Größe,1$"):
        arriving.await_ids([shop.publish()])
    assert database.value("select count(*) from pg_publication where pubname = 'Outbox-Größe,1$'")


def test_a_table_with_capitals_and_dashes_works(tmp_path, database, topic, arriving):
    database.execute("""
        create schema "Team-A";
        create table "Team-A"."Select" (id uuid primary key, aggregate_type text not null,
          aggregate_id text, event_type text not null, payload jsonb)""")
    with relay_of(tmp_path, database, topic, source_more='table = "Team-A.Select"'):
        event_id = database.value("""insert into "Team-A"."Select" values
            (gen_random_uuid(), 'order', '1', 'E', '{}') returning id::text""")
        arriving.await_ids([event_id])


# --- encodings

def test_a_database_in_latin1_delivers_utf8(tmp_path, topic, arriving):
    with Database(with_schema=False) as empty, Database(with_schema=False) as stranger:
        stranger.drop()
        empty.execute(f"create database {stranger.name} encoding 'LATIN1' locale 'C'"
                      " template template0")
        apply_schema(stranger.url)
        with closing(Shop(stranger)) as shop, relay_of(tmp_path, stranger, topic):
            event_id = shop.publish(key="größe", payload='{"ä": "ß"}', headers={"h": "é"})
            record = arriving.await_ids([event_id])[0]
    assert record.key == "größe".encode()
    assert record.value == '{"ä": "ß"}'.encode()
    assert record.header("h") == "é"


# --- logins

@pytest.mark.parametrize("setting", [
    "statement_timeout = '50ms'", "idle_session_timeout = '300ms'", "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '10ms'", "default_transaction_read_only = on",
    "default_transaction_isolation = 'serializable'", "synchronous_commit = off",
    "search_path = ''", "bytea_output = 'escape'", "client_encoding = 'LATIN1'",
    "standard_conforming_strings = off", "datestyle = 'German'", "row_security = off",
    "extra_float_digits = -15", "default_transaction_deferrable = on"],
    ids=lambda setting: setting.split(" =")[0])
def test_a_login_with_a_setting_of_its_own_works(tmp_path, database, topic, shop, arriving,
                                                 setting):
    with login(database, ["outbox_relay"], "replication") as url:
        database.execute(f"alter role {urlsplit(url).username} set {setting}")
        relay = relay_of(tmp_path, database, topic, url=url)
        with relay:
            content = "größe \x01\\ '".encode()
            record = arriving.await_ids([shop.publish(key="größe", payload=content)])[0]
            assert (record.key, record.value) == ("größe".encode(), content)
            end = database.value("select pg_current_wal_insert_lsn()")
            wait_until(lambda: database.value(
                "select end_lsn >= %s::pg_lsn from outbox.progress where slot = %s",
                [end, relay.slot]), "progress is saved", 15)
        database.execute("select pg_drop_replication_slot(%s)", [relay.slot])


def test_row_level_security_on_the_table_hides_no_event(tmp_path, database, topic, shop, arriving):
    """The WAL knows no policies; nothing of the relay may depend on seeing the rows."""
    database.execute("alter table outbox.event enable row level security")
    try:
        with login(database, ["outbox_relay"], "replication") as url:
            relay = relay_of(tmp_path, database, topic, url=url)
            with relay:
                arriving.await_ids([shop.publish()])
            database.execute("select pg_drop_replication_slot(%s)", [relay.slot])
    finally:
        database.execute("alter table outbox.event disable row level security")


# --- addresses

def test_a_url_of_keys_and_values_works(tmp_path, database, topic, shop, arriving):
    parts = urlsplit(database.url)
    url = (f"host={parts.hostname} port={parts.port} user={parts.username}"
           f" password='{parts.password}' dbname={database.name}")
    with relay_of(tmp_path, database, topic, url=url):
        arriving.await_ids([shop.publish()])


def test_a_password_file_and_the_environment_s_defaults_work(tmp_path, database, topic, shop,
                                                            arriving):
    parts = urlsplit(database.url)
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:{parts.username}:{parts.password}\n")
    file.chmod(0o600)
    with relay_of(tmp_path, database, topic, url=f"postgresql:///{database.name}",
                  environ={"PGPASSFILE": str(file), "PGHOST": parts.hostname,
                           "PGPORT": str(parts.port), "PGUSER": parts.username}):
        arriving.await_ids([shop.publish()])


def test_a_url_of_two_hosts_finds_the_one_that_lives(tmp_path, database, topic, shop, arriving):
    parts = urlsplit(database.url)
    url = (f"postgresql://{parts.username}:{parts.password}@127.0.0.1:1,127.0.0.1:{parts.port}"
           f"/{database.name}?target_session_attrs=read-write")
    with relay_of(tmp_path, database, topic, url=url):
        arriving.await_ids([shop.publish()])


def test_a_list_of_brokers_finds_the_one_that_lives(tmp_path, database, topic, shop, arriving):
    with relay_of(tmp_path, database, topic,
                  bootstrap=f"127.0.0.1:1, {environment.kafka_bootstrap()}"):
        arriving.await_ids([shop.publish()])
