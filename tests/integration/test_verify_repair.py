"""`outbox verify --repair`: what is lost comes again under its own id, once, and by the relay."""

import json
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest

from debezium_outbox import DebeziumOutbox
from logins import login
from rewritten_topic import altered, rebuild
from server_side import saved
from shop import Shop
from support import environment
from support.database import Database
from support.topic import configure_topic, read_topic
from support.waiting import wait_until
from test_verify import _KEYS, _PARTITIONS, Place, place, topic

_MANY = 700  # more than are filed in one transaction
_REASON = ("--reason", "the log lost its tail")


@pytest.fixture
def polled(tmp_path, topic):
    with Database() as database:
        yield Place(tmp_path, database, topic, "poll")


def without(*event_ids):
    return lambda records: [one for one in records if one.event_id not in event_ids]


def arrivals(topic):
    """How often each id is in the topic, read by another client."""
    return Counter(one.event_id for one in read_topic(topic))


def images(topic):
    """What a reader sees of each event, but for where it stood and who sent it."""
    sent = ("position", "epoch", "outbox.replays")
    return {one.event_id: (one.key, one.value,
                           [header for header in one.headers if header[0] not in sent])
            for one in read_topic(topic)}


def repair(place, *options, code=0):
    """The report of a run that must end with `code`."""
    done = place.relay.command("verify", "--repair", "-o", "json", *(options or _REASON))
    assert done.returncode == code, done.stderr + done.stdout[-600:]
    return json.loads(done.stdout)


def jobs(place):
    return place.database.execute(
        "select state, selected, delivered, refused from outbox.replay_job order by job")


def letters(place):
    return place.database.execute(
        "select state, first_code, count(*) from outbox.dead_letter group by 1, 2 order by 1")


def test_what_is_lost_comes_again_once_and_the_keys_that_went_on_are_named(place):
    place.fill()
    before = images(place.topic)
    behind, other, last = place.ids[3], place.ids[3 + _KEYS], place.ids[-1]
    rebuild(place.topic, _PARTITIONS, without(behind, other, last))
    overtaken = [place.seq(place.ids[-_KEYS + 3])] * 2 + [None]

    counted = repair(place, "--dry-run", code=1)["repair"]
    assert (counted["lost"], counted["overtaken"], counted["filed"]) == (3, 2, 0)
    assert letters(place) == jobs(place) == []

    with place.relay:
        report = repair(place)
        assert [one["id"] for one in report["filed"]] == [behind, other, last]
        assert [one["key"] for one in report["filed"]] == ["k3", "k3", "k4"]
        assert [one["overtaken_by"] for one in report["filed"]] == overtaken
        assert report["repair"]["job"]["delivered"] == report["repair"]["filed"] == 3
        assert report["repair"]["repaired"] and report["repair"]["compared_again"]["ok"]
    assert images(place.topic) == before
    assert set(arrivals(place.topic).values()) == {1}
    order = [one.event_id for one in read_topic(place.topic)]
    assert order.index(behind) < order.index(other), "the repaired ones of a key keep their order"

    code, summary, findings = place.verify()
    assert (code, findings, summary["delivered"]) == (0, [], len(place.ids))
    assert (summary["repaired"], summary["late"]) == (3, 2)
    text = place.relay.command("verify").stdout
    assert "brought back by verify --repair" in text and "which went on" in text

    done = place.database.execute("select action, who, reason from outbox.audit"
                                  " where action in ('found lost', 'replay asked for')")
    assert [action for action, _, _ in done] == ["found lost"] * 3 + ["replay asked for"]
    assert {(who, reason) for _, who, reason in done} == {
        (place.database.value("select session_user::text"), _REASON[1])}


def test_a_second_repair_finds_nothing_and_what_is_lost_again_comes_again(polled):
    polled.fill()
    gone = polled.ids[4]
    for lost in ([gone], [polled.ids[1], gone]):
        rebuild(polled.topic, _PARTITIONS, without(*lost))
        with polled.relay:
            done = polled.relay.command("verify", "--repair", *_REASON)
            assert done.returncode == 0, done.stderr + done.stdout
            assert done.stdout.endswith("ok: nothing is lost\n")
            assert f"out of order  {gone}" in done.stdout and "key k4" in done.stdout
            again = repair(polled)["repair"]
        assert (again["filed"], again["job"], again["lost"]) == (0, None, 0)
    assert jobs(polled) == [("done", 1, 1, 0), ("done", 2, 2, 0)]
    assert letters(polled) == [("delivered", "LOST", 2)]
    assert arrivals(polled.topic) == dict.fromkeys(polled.ids, 1)


def test_without_a_relay_the_job_waits_a_killed_command_leaves_it_and_the_next_follows_it(polled):
    polled.fill()
    gone = polled.ids[7]
    rebuild(polled.topic, _PARTITIONS, without(gone))
    command = subprocess.Popen(
        [environment.outbox_bin(), "verify", "--repair", *_REASON, "--config",
         polled.relay.config_file], env=polled.relay.environ, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    said = ""
    while "does not seem to run" not in said:
        said += command.stderr.readline() or pytest.fail(f"it ended: {said}")
    command.send_signal(signal.SIGKILL)
    command.wait()
    command.stderr.close()
    assert jobs(polled) == [("open", 1, 0, 0)]
    assert polled.verify()[1]["dead_letters"] == 1
    with polled.relay:
        report = repair(polled)["repair"]
        assert (report["lost"], report["filed"]) == (0, 0)
    assert arrivals(polled.topic) == dict.fromkeys(polled.ids, 1)
    assert jobs(polled) == [("done", 1, 1, 0)]


@contextmanager
def many_lost(tmp_path, topic):
    """A place whose topic lacks _MANY events, and a trigger `stumble` on new letters."""
    with Database() as database:
        place = Place(tmp_path, database, topic, "poll")
        with place.relay:
            database.execute(
                "insert into outbox.event (aggregate_type, aggregate_id, event_type, payload)"
                " select 'order', 'k' || n % 50, 'changed', jsonb_build_object('n', n)"
                f" from generate_series(1, {2 * _MANY}) n")
            place.wait_settled()
        place.ids = [one for one, in database.execute(
            "select id::text from outbox.event order by seq")]
        rebuild(topic, _PARTITIONS, without(*place.ids[::2]))
        yield place


def stumble(place, body):
    """`body` runs when letter 600 is written, in the second transaction."""
    place.database.execute(
        "create sequence public.stumbles; create function stumble() returns trigger"
        " language plpgsql security definer as"
        f" $$ begin if new.letter = 600 then {body} end if; return new; end $$;"
        " create trigger stumble after insert on outbox.dead_letter"
        " for each row execute function stumble()")


def test_a_repair_that_is_killed_while_it_files_is_gone_on_with_and_sends_nothing_twice(
        tmp_path, topic):
    with many_lost(tmp_path, topic) as place:
        stumble(place, "perform pg_sleep(3600);")
        command = subprocess.Popen(
            [environment.outbox_bin(), "verify", "--repair", *_REASON, "--config",
             place.relay.config_file], env=place.relay.environ, stdout=subprocess.DEVNULL)
        wait_until(lambda: place.database.value(
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
            " and datname = current_database()") == 1, "it is in the middle of its filing")
        command.kill()
        command.wait()
        place.database.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                               " where wait_event = 'PgSleep' and datname = current_database()")
        place.database.execute("drop trigger stumble on outbox.dead_letter")
        assert letters(place) == [("dead", "LOST", 500)] and jobs(place) == []
        with place.relay:
            report = repair(place)["repair"]
        assert (report["waiting"], report["filed"]) == (500, _MANY - 500)
        assert jobs(place) == [("done", _MANY, _MANY, 0)]
        assert arrivals(topic) == dict.fromkeys(place.ids, 1)


def test_a_connection_that_is_cut_while_it_files_is_made_again(tmp_path, topic):
    with many_lost(tmp_path, topic) as place:
        stumble(place, "if nextval('public.stumbles') = 1 then"
                       " perform pg_terminate_backend(pg_backend_pid()); end if;")
        place.database.execute("grant usage on sequence public.stumbles to public")
        with place.relay:
            report = repair(place)["repair"]
        assert place.database.value("select is_called from public.stumbles"), "it was cut"
        assert (report["filed"], report["known"]) == (_MANY, 0)
        assert jobs(place) == [("done", _MANY, _MANY, 0)]
        assert arrivals(topic) == dict.fromkeys(place.ids, 1)


def test_what_is_refused_again_stays_a_dead_letter_and_the_command_ends_with_6(polled):
    gone = polled.fill(6).ids[1]
    with polled.relay:
        shop = Shop(polled.database)
        large = shop.publish(key="k1", payload=b"x" * 20_000)
        shop.close()
        polled.wait_settled()
    rebuild(polled.topic, _PARTITIONS, without(gone, large))
    configure_topic(polled.topic, max_message_bytes=10_000)
    with polled.relay:
        report = repair(polled, code=6)["repair"]
    assert (report["filed"], report["job"]["delivered"], report["job"]["refused"]) == (2, 1, 1)
    assert arrivals(polled.topic)[gone] == 1 and large not in arrivals(polled.topic)
    assert polled.database.execute(
        "select event_id::text, state, first_code, last_code from outbox.dead_letter"
        " where state = 'dead'") == [(large, "dead", "LOST", "MSG_SIZE_TOO_LARGE")]
    assert polled.verify()[1]["dead_letters"] == 1


def test_what_repair_cannot_mend_still_fails(polled):
    polled.fill()
    gone, changed = polled.ids[2], polled.ids[11]
    rebuild(polled.topic, _PARTITIONS,
            lambda records: without(gone)(altered(changed, b'{"n": 0}')(records)))
    with polled.relay:
        report = repair(polled, code=1)
    assert report["repair"]["repaired"] and not report["repair"]["compared_again"]["ok"]
    code, summary, findings = polled.verify()
    assert code == 1 and [one["id"] for one in findings] == [changed]


def test_a_login_without_the_role_is_told_the_grant_before_anything_is_read(polled):
    polled.fill(3)
    with login(polled.database, ["outbox_relay"]) as url:
        done = subprocess.run(
            [environment.outbox_bin(), "verify", "--repair", "--dry-run", "--config",
             polled.relay.config_file], env={**polled.relay.environ, "DATABASE_URL": url},
            capture_output=True, text=True)
        user = url.split("//")[1].split(":")[0]
        assert (done.returncode, done.stdout) == (4, ""), done.stderr
        assert f'grant outbox_operator to "{user}"' in done.stderr
        polled.database.execute(f"grant outbox_operator to {user}")
        done = subprocess.run(
            [environment.outbox_bin(), "verify", "--repair", "--dry-run", "--config",
             polled.relay.config_file], env={**polled.relay.environ, "DATABASE_URL": url},
            capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode, route", [
    ("poll", ""), ("poll", 'format = "debezium"'), ("wal", 'format = "debezium"'),
    ("wal", 'format = "cloudevents"')])
def test_a_table_with_other_column_names_is_repaired_in_its_format(tmp_path, mode, route):
    with Database() as database, DebeziumOutbox(database, more="seq bigserial") as outbox:
        relay = outbox.relay(tmp_path, mode=mode, route=route)
        with relay:
            ids = [outbox.insert(json.dumps({"n": n, "é": "\"\\"}), key=f"k{n % 3}")
                   for n in range(12)]
            wait_until(lambda: (saved(database, relay.slot, "delivered_seq") or 0) >= 12,
                       "all are settled", 60)
        before = read_topic(outbox.topic)
        place = Place.__new__(Place)
        place.database, place.topic, place.relay = database, outbox.topic, relay
        gone = [one for one in before if (one.value and b'"n": 4' in one.value)]
        assert len(gone) == 1
        rebuild(outbox.topic, _PARTITIONS,
                lambda records: [one for one in records if one.value != gone[0].value])
        with relay:
            report = repair(place)
        assert [one["id"] for one in report["filed"]] == [ids[4]]
        assert [one["key"] for one in report["filed"]] == ["k1"]

        def bodies(records):
            return sorted((one.key, one.value) for one in records)

        assert bodies(read_topic(outbox.topic)) == bodies(before)
        assert place.verify()[0] == 0
