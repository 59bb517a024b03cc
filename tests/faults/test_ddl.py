"""Row 23: tables and publications change while events flow."""

import time

import psycopg2
import pytest

from support import environment


def _change_columns(stage, number):
    yield f"alter table outbox.event add column note_{number} text default 'n'"
    yield f"alter table outbox.event drop column note_{number}"


def _change_publication(stage, number):
    """Another table comes in and goes; its changes are none of the relay's business."""
    yield f"alter publication {stage.relay.slot} add table load.counter"
    yield f"alter publication {stage.relay.slot} set (publish = 'insert, update')"
    yield f"alter publication {stage.relay.slot} drop table load.counter"
    yield f"alter publication {stage.relay.slot} set table outbox.event"
    yield f"alter publication {stage.relay.slot} set (publish = 'insert')"


def _rewrite(stage, number):
    yield "vacuum full outbox.event_p000001"
    yield "vacuum full load.counter"


def _attach(stage, number):
    yield f"select outbox.make_partitions({1_000_000_000 + (number + 1) * 10_000_000})"


def _change_partition(stage, number):
    """A partition is renamed, moved to another number of attributes, and back."""
    yield "alter table outbox.event_p000001 rename to first_partition"
    yield "alter table outbox.first_partition rename to event_p000001"
    yield "alter table outbox.event_p000001 set (fillfactor = 90)"


@pytest.mark.fault_row(23)
@pytest.mark.parametrize("change", [_change_columns, _change_publication, _rewrite, _attach,
                                    _change_partition],
                         ids=["columns", "publication", "vacuum_full", "attach", "rename"])
def test_no_row_is_lost_while_it_is_changed_under_load(on_stage, change):
    with on_stage() as stage:
        for number in range(100 if environment.soaking() else 5):
            for statement in change(stage, number):
                run(stage, statement)
                time.sleep(0.15)
            stage.mark()
        findings = stage.rest()
        assert findings.duplicates == 0
        assert stage.relay.stop() == 0


@pytest.mark.fault_row(23)
def test_rows_of_a_partition_attached_in_mid_stream_are_delivered(on_stage):
    """The sequence jumps into a range whose partition was made while the stream ran."""
    with on_stage() as stage:
        for number in range(20 if environment.soaking() else 3):
            beyond = 1_000_000_000 + (number + 1) * 10_000_000
            run(stage, f"select outbox.make_partitions({beyond})")
            last = stage.database.value("select max(before_seq) from outbox.partition")
            stage.writers.pause()
            stage.database.execute("select setval('outbox.event_seq', %s)", [last - 5_000_000])
            run(stage, "select outbox.make_partitions(1000000)")
            stage.writers.go_on()
            time.sleep(0.5)
        stage.rest()


def run(stage, statement):
    """Like a careful person: gives up a lock that it does not get at once, and tries again."""
    for _ in range(50):
        connection = stage.database.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '300ms'")
                cursor.execute(statement)
            return
        except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError(f"no lock for: {statement}")
