"""How a pipeline starts, and what it refuses to start on (invariants 1 and 6; issue, Build 4)."""

import re

import pytest

import config_text
from config_text import route
from logins import login
from one_place import arriving, database, relay_of, shop, slot_name, topic
from service.port import free_port
from server_side import change_saved, drop_slots, publications
from support.database import Database, with_database
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

LSN = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"


@pytest.fixture
def slot(database):
    name = slot_name()
    yield name
    drop_slots(database, name)


def the_end_of(relay):
    """(exit code, log) of a relay that cannot start."""
    relay.start()
    code = relay.wait()
    return code, relay.log_file.read_text().replace('\\"', '"')


def stopped_once(relay, shop, arriving):
    """Runs the relay for one event, then stops it: progress is saved."""
    with relay:
        arriving.await_ids([shop.publish()])


# --- the first start

def test_the_first_start_makes_the_publication_and_then_the_slot(tmp_path, database, topic, slot):
    """A slot that is older than its publication cannot be read (cdc trap). The database's log of
    statements is its WAL: what made the publication must lie before the slot's start."""
    before = database.value("select pg_current_wal_insert_lsn()")
    with relay_of(tmp_path, database, topic, slot):
        made = database.execute(
            "select s.plugin, s.two_phase, s.temporary, s.confirmed_flush_lsn > %s"
            " from pg_replication_slots s where slot_name = %s", [before, slot])
        assert made == [("pgoutput", False, False, True)]
        assert database.execute(
            "select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication"
            " where pubname = %s", [slot]) == [(True, False, False, False, True)]
    log = (tmp_path / "relay.log").read_text()
    assert 0 <= log.index(f"made publication {slot}") < log.index(f"made slot {slot}")


def test_older_rows_are_counted_reported_and_not_delivered(tmp_path, shop, database, topic, slot,
                                                           arriving):
    before = database.value("select count(*) from outbox.event")
    older = [shop.publish() for _ in range(7)]
    with relay_of(tmp_path, database, topic, slot) as relay:
        younger = shop.publish()
        arriving.await_ids([younger])
        assert not any(arriving.arrivals(one) for one in older)
        assert f" {before + 7} rows are older and will not be delivered" in (
            relay.log_file.read_text())


def test_a_kafka_that_is_away_at_the_first_start_keeps_no_slot_from_being_made(
        tmp_path, shop, database, topic, slot, arriving):
    """What is committed while it is away is kept, and delivered when it is there."""
    relay = relay_of(tmp_path, database, topic, slot)
    relay.start(KAFKA_BOOTSTRAP="127.0.0.1:1")
    active = "select count(*) from pg_replication_slots where slot_name = %s and active"
    wait_until(lambda: database.value(active, [slot]), "the slot is made")
    wait_until(lambda: "127.0.0.1:1" in relay.status()["reason"], "the reason names the broker")
    ids = [shop.publish() for _ in range(10)]
    assert relay.stop() == 0
    with relay:
        arriving.await_ids(ids)


def test_a_dead_letter_topic_that_cannot_take_the_largest_row_stops_the_run_with_the_command(
        tmp_path, database, slot):
    topic = create_topic(unique_name("narrow"))
    create_topic(topic + ".dead-letter", max_message_bytes=100_000)
    code, log = the_end_of(relay_of(tmp_path, database, topic, slot))
    assert code == 1
    assert f"{topic}.dead-letter" in log and "100000" in log
    assert "kafka-configs.sh" in log and "max.message.bytes=" in log
    delete_topic(topic + ".dead-letter")
    delete_topic(topic)


def test_a_new_slot_waits_for_open_writers_and_says_for_whom(tmp_path, shop, database, topic, slot):
    relay = relay_of(tmp_path, database, topic, slot)
    with shop.transaction() as cursor:
        cursor.execute("set application_name = 'a long import'")
        shop.publish(cursor=cursor)
        relay.start()
        reason = wait_until(
            lambda: re.search("waits for the end of every open write transaction.*a long import",
                              relay.status()["reason"]), "the reason names the writer")
        assert reason
    relay.wait_ready()
    assert relay.stop() == 0


def test_a_relay_with_outbox_relay_and_replication_and_nothing_more_works(
        tmp_path, shop, database, topic, slot, arriving):
    with login(database, ["outbox_relay"], "replication") as url:
        with relay_of(tmp_path, database, topic, slot, url=url) as relay:
            arriving.await_ids([shop.publish() for _ in range(20)])
            wait_until(lambda: relay.status()["lag"]["events"] == 0,
                       "lag is known and zero")
        drop_slots(database, slot)


def test_a_publication_made_by_hand_is_used_as_it_is(tmp_path, shop, database, topic, slot,
                                                     arriving):
    database.execute("create publication by_hand for table outbox.event"
                     " with (publish = 'insert', publish_via_partition_root = true)")
    with relay_of(tmp_path, database, topic, slot, publication="by_hand"):
        arriving.await_ids([shop.publish()])
    assert publications(database, slot) == 0


# --- later starts

def test_a_clean_restart_repeats_nothing_and_raises_the_epoch(tmp_path, shop, database, topic, slot,
                                                              arriving):
    """The last status at shutdown reaches the server (cdc trap): nothing that was confirmed comes
    again."""
    relay = relay_of(tmp_path, database, topic, slot)
    ids = []
    for expected_epoch in (1, 2, 3):
        with relay:
            ids += [shop.publish() for _ in range(50)]
            records = arriving.await_ids(ids)
        assert records[-1].header("epoch") == str(expected_epoch)
    with relay:
        ids.append(shop.publish())
        arriving.await_ids(ids)
    assert [record.event_id for record in arriving.records if record.event_id in ids] == ids


def test_events_committed_while_the_relay_was_away_come_at_the_next_start(
        tmp_path, shop, database, topic, slot, arriving):
    relay = relay_of(tmp_path, database, topic, slot)
    stopped_once(relay, shop, arriving)
    ids = [shop.publish() for _ in range(30)]
    with relay:
        arriving.await_ids(ids)


def test_the_saved_progress_is_where_the_slot_is_confirmed(tmp_path, shop, database, topic, slot,
                                                           arriving):
    """Invariant 6: sink durable, progress saved, then confirmed; a clean stop levels them."""
    stopped_once(relay_of(tmp_path, database, topic, slot), shop, arriving)
    end, confirmed = database.execute(
        "select p.end_lsn, s.confirmed_flush_lsn from outbox.progress p, pg_replication_slots s"
        " where p.slot = s.slot_name and s.slot_name = %s", [slot])[0]
    assert end == confirmed


def test_progress_that_is_set_back_while_the_relay_starts_is_obeyed(tmp_path, shop, database, topic,
                                                                    slot, arriving):
    """The server is asked to begin at the progress that was read before the slot was acquired: a
    start that then finds it lower must not pass over what lies between."""
    relay = relay_of(tmp_path, database, topic, slot)
    stopped_once(relay, shop, arriving)
    ids = [shop.publish() for _ in range(30)]
    saved = database.value("select end_lsn from outbox.progress where slot = %s", [slot])
    change_saved(database, slot, "end_lsn = pg_current_wal_lsn()")
    setting_back = database.connect(autocommit=False)
    setting_back.cursor().execute("set local session_replication_role = replica;"  # past the guard
                                  " update outbox.progress set end_lsn = %s where slot = %s",
                                  [saved, slot])
    relay.start()
    wait_until(lambda: database.value(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database() and application_name like 'outbox%%'"),
        "the relay waits for its row of progress")
    setting_back.commit()
    setting_back.close()
    relay.wait_ready()
    arriving.await_ids(ids)
    assert relay.stop() == 0


# --- another server (test_lost_slot.py has the gaps)

def test_progress_of_another_cluster_stops_the_run(tmp_path, shop, database, topic, slot, arriving):
    relay = relay_of(tmp_path, database, topic, slot)
    stopped_once(relay, shop, arriving)
    change_saved(database, slot, "system_id = '7'")
    code, log = the_end_of(relay)
    assert code == 1 and "system identifier 7" in log


def test_progress_of_another_timeline_stops_the_run(tmp_path, shop, database, topic, slot,
                                                   arriving):
    relay = relay_of(tmp_path, database, topic, slot)
    stopped_once(relay, shop, arriving)
    change_saved(database, slot, "timeline = 7")
    code, log = the_end_of(relay)
    assert code == 1 and "timeline 7" in log and "timeline 1" in log


# --- what a start refuses

@pytest.mark.parametrize("make, says, mend", [
    ("create publication {name}", "does not contain table outbox.event",
     'alter publication "{name}" add table "outbox"."event"'),
    ("create publication {name} for table outbox.event with (publish = 'update, delete',"
     " publish_via_partition_root = true)", "does not publish inserts",
     "alter publication \"{name}\" set (publish = 'insert')"),
    ("create publication {name} for table outbox.event",
     "publishes the partitions of outbox.event under their own names",
     'alter publication "{name}" set (publish_via_partition_root = true)')],
    ids=["without the table", "without inserts", "of partitions"])
def test_a_publication_that_would_lose_events_stops_the_run_with_the_sql_that_mends_it(
        tmp_path, shop, database, topic, slot, arriving, make, says, mend):
    database.execute(make.format(name=slot))
    relay = relay_of(tmp_path, database, topic, slot)
    code, log = the_end_of(relay)
    assert code == 1 and f"publication {slot}" in log and says in log
    assert mend.format(name=slot) in log
    database.execute(mend.format(name=slot))
    if "add table" in mend:
        database.execute(f"alter publication {slot} set (publish_via_partition_root = true)")
    stopped_once(relay, shop, arriving)


def test_a_publication_dropped_after_the_first_start_stops_the_run(tmp_path, shop, database, topic,
                                                                  slot, arriving):
    relay = relay_of(tmp_path, database, topic, slot)
    stopped_once(relay, shop, arriving)
    database.execute(f"drop publication {slot}")
    code, log = the_end_of(relay)
    assert code == 1
    assert f"publication {slot} does not exist" in log and "create publication" in log
    assert publications(database, slot) == 0


def test_a_database_without_the_schema_stops_the_run_and_names_the_command(tmp_path, topic, slot):
    with Database(with_schema=False) as empty:
        code, log = the_end_of(relay_of(tmp_path, empty, topic, slot))
        assert code == 1
        assert empty.name in log and "outbox schema apply" in log
        assert empty.value("select count(*) from pg_replication_slots where slot_name = %s",
                           [slot]) == 0


def test_a_database_that_does_not_exist_stops_the_run_and_names_it(tmp_path, database, topic, slot):
    code, log = the_end_of(relay_of(tmp_path, database, topic, slot,
                                    url=with_database(database.url, "no_such_database")))
    assert code == 1 and "no_such_database" in log


def test_a_slot_of_another_database_stops_the_run(tmp_path, database, topic, slot):
    with Database(with_schema=False) as other:
        other.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        code, log = the_end_of(relay_of(tmp_path, database, topic, slot))
        assert code == 1
        assert slot in log and other.name in log


def test_a_slot_of_another_plugin_stops_the_run(tmp_path, database, topic, slot):
    database.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')", [slot])
    code, log = the_end_of(relay_of(tmp_path, database, topic, slot))
    assert code == 1 and "test_decoding" in log


def test_a_role_that_may_not_write_progress_stops_the_run_with_the_grant(tmp_path, database, topic,
                                                                        slot):
    with login(database, [], "replication") as url:
        code, log = the_end_of(relay_of(tmp_path, database, topic, slot, url=url))
    assert code == 1 and "grant outbox_relay to" in log


def test_a_role_without_replication_waits_and_says_what_is_missing(tmp_path, database, topic, slot):
    """The right is mended by a person while the relay runs, so it waits."""
    with login(database, ["outbox_relay"]) as url:
        relay = relay_of(tmp_path, database, topic, slot, url=url)
        relay.start()
        wait_until(lambda: "replication" in relay.status()["reason"].lower(),
                   "the reason names the missing attribute")
        assert relay.status()["state"] == "waiting"
        assert relay.stop() == 0


# --- a table of another name

def test_a_table_of_a_team_s_own_is_read_by_the_config_s_table(tmp_path, database, topic, slot,
                                                               arriving):
    database.execute("""
        create schema team;
        create table team.events (
          id uuid not null default gen_random_uuid(), aggregate_type varchar(40) not null,
          aggregate_id text, event_type text not null, payload json)""")
    with relay_of(tmp_path, database, topic, slot, source_more='table = "team.events"'):
        event_id = database.value("insert into team.events (aggregate_type, aggregate_id,"
                                  " event_type, payload) values ('order', '1', 'E', '{\"a\":  1}')"
                                  " returning id::text")
        assert arriving.await_ids([event_id])[0].value == b'{"a":  1}'


def test_the_pipelines_of_one_relay_start_and_fail_alone(tmp_path, shop, database, topic, slot,
                                                         arriving):
    port = free_port()
    broken = slot + "_b"
    database.execute(f"create publication {broken} with (publish_via_partition_root = true)")
    text = (config_text.admin(port) + config_text.source("shop", slot)
            + config_text.source("broken", broken) + config_text.sink()
            + config_text.pipeline(slot, "shop", [route(topic)])
            + config_text.pipeline(broken, "broken", [route(topic)]))
    relay = Relay(tmp_path, database.url, slot=slot, config=text, admin_port=port)
    relay.start()
    good, bad = wait_until(
        lambda: all(p["state"] in ("ok", "stopped") for p in relay.statuses())
        and relay.statuses(), "both have settled")
    assert (good["name"], good["state"]) == (slot, "ok")
    assert (bad["name"], bad["state"]) == (broken, "stopped")
    assert "does not contain table" in bad["reason"]
    arriving.await_ids([shop.publish()])
    assert relay.stop() == 1, "a pipeline that failed must show in the exit code"
