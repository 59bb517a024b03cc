"""A new slot waits for every open write transaction of the cluster. Until it is there, the table is
polled: nothing waits for a stranger, nothing is lost, each key stays in order."""

import time
from collections import Counter
from contextlib import closing, contextmanager

import pytest

from support.bystanders import stranger
from support.stage import Stage
from support.topic import TopicReader
from support.waiting import wait_until
from support.writers import Transaction, prepare

pytestmark = [pytest.mark.fault_row(12), pytest.mark.timeout(600)]


@pytest.fixture
def stage(tmp_path, services):
    """All that was committed is delivered and proven, the slot is gone, no relay runs, the writers
    rest."""
    with Stage(tmp_path, connections=4, keys=40) as stage:
        stage.relay.start()
        stage.relay.wait_ready(90)
        stage.go()
        time.sleep(1)
        stage.rest(120)
        wait_until(lambda: saved_seq(stage) == last_seq(stage), "the last number is proven", 60)
        assert stage.relay.stop() == 0
        stage.database.execute("select pg_drop_replication_slot(%s)", [stage.relay.slot])
        yield stage


def saved_seq(stage):
    return stage.database.value("select delivered_seq from outbox.progress where pipeline = %s",
                                [stage.relay.pipeline])


def last_seq(stage):
    return stage.database.value("select last_value from outbox.event_seq")


@contextmanager
def late_writer(stage, key, count=20):
    """Draws its numbers when the block begins, and commits when it ends."""
    prepare(stage.database, [key])
    with closing(stage.database.connect(autocommit=False)) as connection:
        transaction = Transaction(connection.cursor())
        transaction.insert([key], count)
        yield
        connection.commit()
        stage.ledger.commit(transaction.runs)


def wait_polling(stage, pid):
    """The relay delivers, and says that it polls and whom the slot waits for."""
    def said():
        assert stage.relay.running(), stage.relay.log_tail()
        try:
            reason = stage.relay.status()["reason"]
        except OSError:
            return False
        return "polling meanwhile" in reason and f"pid {pid} (a stranger)" in reason
    wait_until(said, "the reason names the stranger and says that polling delivers", 60)
    stage.watcher.wait_new(int(time.time() * 1000), 60)


def wait_streaming(stage):
    wait_until(lambda: "REFILLED" in stage.relay.log_file.read_text(), "the rows are refilled", 90)
    wait_until(lambda: stage.database.value(
        "select active and confirmed_flush_lsn is not null from pg_replication_slots"
        " where slot_name = %s", [stage.relay.slot]), "the new slot is read", 90)


def repeated_seqs(stage):
    """The numbers of all rows that arrived more than once."""
    with TopicReader(stage.topic) as reader:
        times = Counter()
        while times.total() < stage.arrivals.records:
            times.update(record.event_id for record in reader.poll(0.1))
    number = dict(stage.database.execute("select id::text, seq from outbox.event"))
    return [number[one] for one, count in times.items() if count > 1]


def test_row_12_while_a_stranger_holds_the_new_slot_up_polling_delivers_each_event_once(stage):
    with stranger(stage.database) as pid:
        stage.writers.go_on()
        stage.relay.start()
        wait_polling(stage, pid)
        said = stage.relay.command("status")
        assert "polling meanwhile" in said.stdout and f"pid {pid}" in said.stdout
        for number in range(3):
            with late_writer(stage, f"late-{number}"):
                time.sleep(1)
        stage.rest(120)
        wait_until(lambda: saved_seq(stage) == last_seq(stage), "progress moves by number", 30)
        wait_until(lambda: stage.relay.status()["lag"]["events"] == 0
                   and stage.relay.status()["lag"]["seconds"] < 5, "no lag is seen", 30)
        assert "REFILLED" not in stage.relay.log_file.read_text()
        stage.writers.go_on()
        with late_writer(stage, "over the switch"):
            time.sleep(1)
    wait_streaming(stage)
    time.sleep(2)
    findings = stage.rest(120)
    assert findings.duplicates == 0
    assert "POLLING_MEANWHILE" in stage.relay.log_file.read_text()


def test_row_12_an_open_outbox_writer_holds_back_what_it_must_and_its_rows_are_not_skipped(stage):
    with stranger(stage.database) as pid:
        stage.writers.go_on()
        stage.relay.start()
        wait_polling(stage, pid)
        before = last_seq(stage)
        time.sleep(0.5)
        with late_writer(stage, "late"):
            wait_until(lambda: saved_seq(stage) >= before, "what lies before it arrives", 60)
            written = last_seq(stage)
            wait_until(lambda: last_seq(stage) > written + 1000, "others write on", 60)
            assert saved_seq(stage) < last_seq(stage) - 1000
            held_back_at = saved_seq(stage)
            time.sleep(1)
            assert saved_seq(stage) == held_back_at
        wait_until(lambda: saved_seq(stage) > written, "its rows and those behind arrive", 60)
    wait_streaming(stage)
    findings = stage.rest(120)
    assert findings.duplicates == 0


def test_row_12_where_the_slot_waits_for_an_outbox_writer_only_its_commit_is_not_lost(stage):
    """Its commit makes the slot, and lies before the slot's begin: it comes from the table."""
    stage.relay.start()
    with late_writer(stage, "late"):
        stage.writers.go_on()
        wait_until(lambda: "POLLING_MEANWHILE" in stage.relay.log_file.read_text(), "it polls", 60)
        time.sleep(2)
    wait_streaming(stage)
    time.sleep(1)
    findings = stage.rest(120)
    assert findings.duplicates == 0


def test_row_12_a_relay_killed_while_the_slot_waits_polls_again_and_repeats_only_what_was_not_saved(
        stage):
    with stranger(stage.database) as pid:
        stage.writers.go_on()
        stage.relay.start()
        wait_polling(stage, pid)
        saved_first = saved_seq(stage)
        for number in range(3):
            with late_writer(stage, f"late-{number}"):
                time.sleep(0.7)
                stage.relay.kill()
                time.sleep(0.3)
            stage.relay.start()
            wait_polling(stage, pid)
    wait_streaming(stage)
    stage.relay.kill()
    stage.relay.start()
    stage.relay.wait_ready(90)
    stage.rest(120)
    assert not [seq for seq in repeated_seqs(stage) if seq <= saved_first]


def test_row_12_a_server_killed_while_the_slot_waits_loses_nothing(stage, services):
    with stranger(stage.database) as pid:
        stage.writers.go_on()
        stage.relay.start()
        wait_polling(stage, pid)
        time.sleep(1)
        services.kill("postgres")
        services.start("postgres")
    wait_streaming(stage)
    time.sleep(1)
    findings = stage.rest(120)
    assert findings.duplicates == 0
