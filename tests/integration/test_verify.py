"""`outbox verify`: what another client planted is found, and nothing else (invariants 1 to 4)."""

import json
import os
import subprocess
import time
from dataclasses import replace

import pytest

from config_text import route
from one_place import relay_of
from rewritten_topic import altered, cut_before, of_event, rebuild, swapped, without, write
from server_side import saved
from shop import Shop
from steady_load import SteadyLoad
from support import environment
from support.database import Database
from support.topic import create_topic, delete_topic, read_topic, unique_name
from support.waiting import wait_until

_PARTITIONS = 3
_KEYS = 5
_EVENTS = 40
_ANOMALIES = ("lost", "altered", "out_of_order", "foreign", "duplicates")
_PEAK_MB = 128


class Place:
    """A database, a topic, and a relay that has delivered `ids`."""

    def __init__(self, tmp_path, database, topic, mode, **config):
        self.database = database
        self.topic = topic
        self.relay = relay_of(tmp_path, database, topic, mode=mode, **config)
        self.ids = []

    def fill(self, events=_EVENTS, payload=None):
        """Publishes, lets the relay deliver, and ends it."""
        with self.relay:
            shop = Shop(self.database)
            self.ids += [shop.publish(key=f"k{number % _KEYS}",
                                      payload=payload or json.dumps({"n": number}))
                         for number in range(events)]
            shop.close()
            self.wait_settled()
        return self

    def wait_settled(self, patience_s=120):
        last = self.database.value("select max(seq) from outbox.event")
        wait_until(lambda: (saved(self.database, self.relay.slot, "delivered_seq") or 0) >= last,
                   f"seq {last} is settled", patience_s)

    def verify(self, *options):
        """The exit code, the summary, and the findings."""
        done = self.relay.command("verify", "-o", "json", *options)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        return done.returncode, report["summary"], report["findings"]

    def seq(self, event_id):
        return self.database.value("select seq from outbox.event where id = %s", [event_id])


@pytest.fixture
def topic():
    name = create_topic(unique_name("verify"), _PARTITIONS)
    yield name
    delete_topic(name)


@pytest.fixture(params=["wal", "poll"])
def place(request, tmp_path, topic):
    with Database() as database:
        yield Place(tmp_path, database, topic, request.param)


def counts(summary):
    return {name: summary[name] for name in _ANOMALIES if summary[name]}


def test_a_clean_run_says_so_with_exit_0_and_every_row_has_its_record(place):
    place.fill()
    code, summary, findings = place.verify()
    assert (code, findings, counts(summary)) == (0, [], {})
    assert summary["ok"] and summary["rows"] == summary["delivered"] == _EVENTS
    assert summary["records"] == _EVENTS
    text = place.relay.command("verify", "--pipeline", place.relay.pipeline)
    assert text.returncode == 0 and text.stdout.endswith("ok: nothing is lost\n")
    assert text.stderr == ""


def test_records_deleted_from_the_log_are_lost_and_named(place):
    place.fill()
    gone = [one for one in read_topic(place.topic) if one.partition == 1][:2] or \
        [one for one in read_topic(place.topic) if one.partition == 0][:2]
    cut_before(place.topic, gone[0].partition, gone[-1].offset + 1)
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (1, {"lost": len(gone)})
    assert {one["id"] for one in findings} == {one.event_id for one in gone}
    assert {one["seq"] for one in findings} == {place.seq(one.event_id) for one in gone}
    assert {one["jepsen"] for one in findings} == {"lost-write"}


def test_a_record_that_a_rebuilt_topic_lacks_is_lost_and_named(place):
    place.fill()
    gone = place.ids[17]
    rebuild(place.topic, _PARTITIONS, without(gone))
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (1, {"lost": 1})
    assert (findings[0]["id"], findings[0]["topic"]) == (gone, place.topic)
    text = place.relay.command("verify")
    assert text.returncode == 1 and gone in text.stdout and "lost-write" in text.stdout


def test_a_strangers_records_are_foreign_and_named(place):
    place.fill()
    model = read_topic(place.topic)[0]
    unknown = "99999999-2222-3333-4444-555555555555"
    write(place.topic, [replace(model, headers=(("who", b"stranger"),)),
                        replace(model, headers=(("id", unknown.encode()),))])
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (1, {"foreign": 2})
    assert {one["id"] for one in findings} == {None, unknown}
    assert {(one["topic"], one["partition"]) for one in findings} == {
        (place.topic, model.partition)}


def test_two_swapped_records_are_out_of_order(place):
    place.fill()
    first, second = place.ids[2], place.ids[2 + _KEYS]
    rebuild(place.topic, _PARTITIONS, swapped(first, second))
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (1, {"out_of_order": 1})
    assert (findings[0]["id"], findings[0]["jepsen"]) == (first, "nonmonotonic-send")
    assert f"seq {place.seq(second)}" in findings[0]["detail"]


def test_a_changed_byte_is_altered(place):
    place.fill()
    rebuild(place.topic, _PARTITIONS, altered(place.ids[9], b'{"n": 8}'))
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (1, {"altered": 1})
    assert findings[0]["id"] == place.ids[9]


def test_a_repeated_record_is_a_duplicate_and_no_failure(place):
    place.fill()
    records = read_topic(place.topic)
    again = records[of_event(records, place.ids[4])]
    write(place.topic, [again])
    code, summary, findings = place.verify()
    assert (code, counts(summary)) == (0, {"duplicates": 1})
    assert (findings[0]["id"], findings[0]["jepsen"]) == (place.ids[4], "duplicate")
    assert f"offset {again.offset}" in findings[0]["detail"]


def test_a_topic_that_was_deleted_has_lost_everything(place):
    place.fill()
    delete_topic(place.topic)
    try:
        code, summary, _ = place.verify()
        assert (code, counts(summary)) == (1, {"lost": _EVENTS})
        assert f"Topic {place.topic} does not exist." in summary["notes"]
    finally:
        wait_until(lambda: create_topic(place.topic, _PARTITIONS), "the topic is made again")


def test_an_event_that_was_refused_is_a_dead_letter_and_not_lost(place):
    with place.relay:
        shop = Shop(place.database)
        for number in range(6):
            shop.publish(key=f"k{number % _KEYS}")
        refused = shop.publish(key="k1", payload=json.dumps({"too large": "x" * 1_500_000}))
        shop.close()
        place.wait_settled()
    assert refused not in {one.event_id for one in read_topic(place.topic)}
    code, summary, findings = place.verify()
    assert (code, findings) == (0, [])
    assert (summary["rows"], summary["delivered"], summary["dead_letters"]) == (7, 6, 1)


@pytest.mark.parametrize("extra", [
    "", 'format = "debezium"\n', 'format = "cloudevents"\n',
    'format = "cloudevents"\ncloudevents = { mode = "structured" }\n'])
def test_every_format_of_records_can_be_compared(tmp_path, topic, extra):
    with Database() as database:
        place = Place(tmp_path, database, topic, "wal")
        config = place.relay.config_file
        config.write_text(config.read_text() + extra)
        place.fill(12)
        code, summary, findings = place.verify()
        assert (code, findings, summary["delivered"]) == (0, [], 12)
        rebuild(topic, _PARTITIONS, altered(place.ids[3], b'{"n": 4}'))
        code, summary, findings = place.verify()
        assert code == 1 and place.ids[3] in {one["id"] for one in findings}


def test_beside_live_traffic_nothing_is_found(place):
    with place.relay:
        shop = Shop(place.database)
        with SteadyLoad(shop) as load:
            wait_until(lambda: saved(place.database, place.relay.slot, "delivered_seq"),
                       "a number is proven", 60)
            for _ in range(3):
                before = len(load.ids)
                code, summary, findings = place.verify()
                assert (code, findings, counts(summary)) == (0, [], {})
                wait_until(lambda: len(load.ids) > before, "events were committed meanwhile")
        shop.close()


def test_since_compares_what_was_written_from_then_on(place):
    place.fill(10)
    time.sleep(1.1)
    since = place.database.value("select to_char(clock_timestamp() at time zone 'utc',"
                                 " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    place.fill(10)
    code, summary, findings = place.verify("--since", since)
    assert (code, findings, summary["rows"]) == (0, [], 10)
    assert summary["records_without_a_row"]["before_range"] == 10
    assert place.verify("--since", "2h")[1]["rows"] == 20
    gone = place.ids[15]
    rebuild(place.topic, _PARTITIONS, without(gone))
    code, summary, findings = place.verify("--since", since)
    assert (code, [one["id"] for one in findings]) == (1, [gone])


def test_with_nothing_to_compare_it_ends_with_3(place):
    with place.relay:
        wait_until(lambda: saved(place.database, place.relay.slot, "epoch"), "it has begun")
    done = place.relay.command("verify")
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "outbox verify: compare pipeline" in done.stderr


def test_servers_that_are_away_end_it_with_5(place):
    place.fill(3)
    for variable, value in (("KAFKA_BOOTSTRAP", "127.0.0.1:9"),
                            ("DATABASE_URL", "postgresql://x@127.0.0.1:9/x")):
        done = subprocess.run([environment.outbox_bin(), "verify", "--config",
                               place.relay.config_file], capture_output=True, text=True,
                              env={**place.relay.environ, variable: value})
        assert (done.returncode, done.stdout) == (5, ""), done.stderr


def test_an_unknown_pipeline_is_a_usage_error_that_names_those_there_are(place):
    done = place.relay.command("verify", "--pipeline", "no-such")
    assert (done.returncode, done.stdout) == (2, "")
    assert place.relay.pipeline in done.stderr


def test_ten_million_events_take_less_than_128_mb_and_each_planted_difference_is_named(
        tmp_path, topic):
    """60,000 rows in tests/run. What is planted lies in a topic of its own, small enough to be made
    again; one comparison reads both."""
    events = int(os.environ.get("OUTBOX_VERIFY_EVENTS", 60_000))
    planted = create_topic(unique_name("verify"), 1)
    with Database() as database:
        place = Place(tmp_path, database, topic, "poll",
                      pipeline_more=route(planted, aggregate_type="planted"))
        with place.relay:
            shop = Shop(database)
            ids = [shop.publish("planted", "p", json.dumps({"n": n})) for n in range(8)]
            shop.close()
            for begin in range(0, events, 100_000):
                database.execute(
                    "insert into outbox.event (aggregate_type, aggregate_id, event_type, payload)"
                    " select 'order', 'k' || n %% 1000, 'changed', jsonb_build_object('n', n)"
                    " from generate_series(%s, %s) n",
                    [begin + 1, min(begin + 100_000, events)])
            place.wait_settled(3600)
        lost, first, second, changed, repeated = ids[1], ids[2], ids[3], ids[5], ids[6]
        rebuild(planted, 1, lambda records: without(lost)(swapped(first, second)(
            altered(changed, b'{"n": 6}')(records))))
        records = read_topic(planted)
        write(planted, [records[of_event(records, repeated)],
                        replace(records[0], headers=(("who", b"stranger"),))])
        report = tmp_path / "report"
        with open(report, "w") as out:
            process = subprocess.Popen(
                [environment.outbox_bin(), "verify", "-o", "json", "--config",
                 place.relay.config_file], stdout=out, env=place.relay.environ)
            _, status, usage = os.wait4(process.pid, 0)
        delete_topic(planted)
        outcome = json.loads(report.read_text())
        summary = outcome["summary"]
        assert os.waitstatus_to_exitcode(status) == 1
        assert (summary["rows"], summary["delivered"]) == (events + 8, events + 7)
        assert sorted((one["finding"], one["id"]) for one in outcome["findings"]
                      if one["id"]) == sorted([("lost", lost), ("out_of_order", first),
                                               ("altered", changed), ("duplicate", repeated)])
        assert [one["topic"] for one in outcome["findings"] if not one["id"]] == [planted]
        assert summary["foreign"] == 1
        assert usage.ru_maxrss / 1024 < _PEAK_MB
        print(f"{events} events: {usage.ru_maxrss / 1024:.0f} MB resident at most,"
              f" {usage.ru_utime + usage.ru_stime:.0f} s of CPU")
