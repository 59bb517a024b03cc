"""Row 3 as far as it is promised now: two relays on one slot (invariant 8)."""

import time
from urllib.error import HTTPError

import pytest

from support import environment
from support.relay import Relay
from support.waiting import wait_until

_TAKEOVER_MS = 2000


@pytest.mark.fault_row(3)
def test_a_second_relay_on_the_slot_waits_says_why_and_takes_over_within_two_seconds(
        on_stage, tmp_path):
    with on_stage() as stage:
        for number in range(20 if environment.soaking() else 3):
            second = Relay(tmp_path / f"relay-{number}", stage.database.url, stage.topic,
                           slot=stage.relay.slot)
            second.start()
            wait_until(lambda: "held by pid" in second.log_file.read_text(), "the second says why")
            assert_waits(second, stage)
            first, stage.relay = stage.relay, second
            first.kill()
            killed = time.monotonic()
            # What the first had sent may still arrive: only what comes once the second has the
            # slot is the second's.
            second.wait_ready()
            stage.watcher.wait_new(int(time.time() * 1000))
            assert (time.monotonic() - killed) * 1000 < _TAKEOVER_MS
            stage.mark()
        stage.rest()
        assert stage.relay.stop() == 0


def assert_waits(second, stage):
    """Not ready, with the slot and its holder named; the first goes on undisturbed."""
    with pytest.raises(HTTPError) as refused:
        second.get("/readyz")
    assert refused.value.code == 503
    shown = second.command("status").stdout
    holder = stage.database.value("select active_pid from pg_replication_slots"
                                  " where slot_name = %s", [stage.relay.slot])
    assert "waiting" in shown and second.slot in shown and str(holder) in shown
    stage.watcher.wait_new(int(time.time() * 1000))
    assert second.running() and stage.relay.running()
