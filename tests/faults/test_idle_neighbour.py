"""Row 19: nothing happens in the outbox's database, much happens in another of the same server."""

import time
from contextlib import closing

import pytest

from support import environment
from support.database import Database
from support.stage import Stage
from support.waiting import wait_until

_SEGMENT = 16 * 1024 * 1024
_RETAINED = ("select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint"
             " from pg_replication_slots where slot_name = %s")


@pytest.mark.fault_row(19)
def test_an_idle_outbox_beside_a_busy_neighbour_keeps_less_than_two_segments(tmp_path, services):
    """The slot may move only as the heartbeat does, and the server only looks for a new restart
    point every 15 s."""
    end = time.monotonic() + (600 if environment.soaking() else 35)
    with Stage(tmp_path) as stage, Database(with_schema=False) as neighbour:
        stage.relay.start()
        stage.relay.wait_ready()
        neighbour.execute("create table busy (number bigint, filler text)")
        before = stage.database.value("select pg_current_wal_lsn() - '0/0'")
        with closing(neighbour.connect()) as connection, connection.cursor() as cursor:
            while time.monotonic() < end:
                cursor.execute("insert into busy select i, repeat('x', 1000)"
                               " from generate_series(1, 2000) i")
                time.sleep(0.2)
        written = stage.database.value("select pg_current_wal_lsn() - '0/0'") - before
        assert written > 10 * _SEGMENT, "the neighbour was not busy"
        wait_until(lambda: stage.database.value(_RETAINED, [stage.relay.slot]) < 2 * _SEGMENT,
                   "the slot keeps less than two segments", 20)
        assert stage.relay.stop() == 0
