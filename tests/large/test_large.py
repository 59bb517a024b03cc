"""Large transactions and large rows pass through a small relay (invariant 7)."""

import os
import time

import pytest

from support import environment
from support.stage import Stage
from support.topic import configure_topic, read_topic
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(0 if environment.soaking() else 300)

_LOADED_MB = 48
_ONE_ROW_MB = 96
_MB = 1024 * 1024


@pytest.fixture
def stage(tmp_path, services, request):
    settings = getattr(request, "param", {})
    with Stage(tmp_path, topic_settings=settings) as stage:
        stage.relay.start()
        stage.relay.wait_ready()
        yield stage


def test_a_transaction_of_2_gb_with_aborted_subtransactions_passes_below_48_mb(stage):
    """Rows of 1 kB; a tenth as much again is rolled back to a savepoint. In tests/run 150 MB."""
    rows = 2_000_000 if environment.soaking() else 150_000
    stage.go()
    stage.writers.write_large("wide", rows)
    findings = stage.rest(patience_s=300)
    assert findings.committed > rows and findings.duplicates == 0
    assert stage.relay.peak_mb() < _LOADED_MB
    assert stage.relay.stop() == 0


@pytest.mark.parametrize("stage", [{"max_message_bytes": 20 * _MB}], indirect=True)
def test_one_row_of_16_mb_passes_below_96_mb(stage):
    value = os.urandom(16 * _MB)
    expected = publish(stage, value)
    records = wait_for_records(stage.topic, 1)
    assert (records[0].event_id, records[0].value) == (expected, value)
    assert stage.relay.peak_mb() < _ONE_ROW_MB
    assert stage.relay.stop() == 0


@pytest.mark.parametrize("stage", [{"max_message_bytes": 20 * _MB}], indirect=True)
def test_rows_of_16_mb_one_behind_the_other_under_load_pass_below_96_mb(stage):
    value = os.urandom(16 * _MB)
    small = b"small"
    sent = []
    for _ in range(50 if environment.soaking() else 6):
        sent += [publish(stage, value), publish(stage, small)]
    records = wait_for_records(stage.topic, len(sent))
    assert [record.event_id for record in records] == sent
    assert all(record.value in (value, small) for record in records)
    assert stage.relay.peak_mb() < _ONE_ROW_MB
    assert stage.relay.stop() == 0


def test_a_row_over_the_brokers_limit_is_a_dead_letter_with_its_cause_and_the_stream_goes_on(stage):
    value = os.urandom(2 * _MB)  # the broker takes 1 MB
    before = publish(stage, b"before")
    refused = publish(stage, value)
    after = publish(stage, b"after")
    records = wait_for_records(stage.topic, 2)
    assert [record.event_id for record in records] == [before, after]
    letter, = wait_for_records(f"{stage.topic}.dead-letter", 1)
    assert (letter.event_id, letter.key, letter.value) == (refused, b"1", value)
    assert letter.header("outbox.error.code") and letter.header("outbox.error.detail")
    assert stage.relay.stop() == 0


def test_a_row_whose_limit_was_lowered_after_the_start_is_a_dead_letter_by_the_broker_s_refusal(
        stage):
    """The relay still believes in the old limit when the broker refuses the record, in one batch
    with others that must not suffer."""
    value = os.urandom(_MB // 2)
    first = publish(stage, value)
    wait_for_records(stage.topic, 1)
    configure_topic(stage.topic, max_message_bytes=_MB // 8, **stage.topic_settings)
    sent = [publish(stage, value if number == 5 else b"%d" % number) for number in range(10)]
    refused = sent.pop(5)
    records = wait_for_records(stage.topic, 10)
    assert [record.event_id for record in records] == [first, *sent]
    letter, = wait_for_records(f"{stage.topic}.dead-letter", 1)
    assert (letter.event_id, letter.value) == (refused, value)
    assert letter.header("outbox.error.code")
    assert stage.relay.stop() == 0


def publish(stage, value):
    """One event on key 1; its id."""
    return stage.database.value("select outbox.publish('order', '1', 'changed', %s::bytea)::text",
                                [value])


def wait_for_records(topic, count):
    """All records of the topic, once there are so many; more would be repeats."""
    records = wait_until(lambda: (found := read_topic(topic)) and len(found) >= count and found,
                         f"{count} records in {topic}", 120, pause_s=0.3)
    time.sleep(0.5)
    assert len(read_topic(topic)) == count
    return records
