"""Row 4: an orderly stop while events keep coming."""

import signal
import time

import pytest

from support import environment

_DRAIN_S = 10.0  # drain_timeout_ms of the config


@pytest.mark.fault_row(4)
def test_sigterm_under_load_drains_in_time_exits_0_and_makes_no_duplicate(on_stage):
    with on_stage() as stage:
        for _ in range(50 if environment.soaking() else 6):
            stage.watcher.wait_new(int(time.time() * 1000))
            time.sleep(0.7)
            told = time.monotonic()
            assert stage.relay.stop() == 0
            assert time.monotonic() - told < _DRAIN_S
            stage.mark()
            stage.relay.start()
        findings = stage.rest()
        assert findings.duplicates == 0
        assert stage.relay.stop() == 0


@pytest.mark.fault_row(4)
def test_sigterm_inside_a_large_transaction_goes_on_there_without_a_duplicate(on_stage, services):
    """A pause of the broker holds the relay inside it until the signal has come."""
    rows = 1_000_000 if environment.soaking() else 200_000
    with on_stage(pause_s=0.2) as stage:
        stage.writers.pause()
        stage.watcher.wait_all(stage.ledger)
        before = stage.arrivals.delivered
        stage.writers.write_large("large", rows)
        while stage.arrivals.delivered < before + rows / 50:
            time.sleep(0.001)
        services.pause("kafka-1")
        stage.relay.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        services.resume("kafka-1")
        assert stage.relay.wait() == 0
        mark = stage.mark()
        assert rows / 50 < mark.settled[1] < rows, "not inside it"
        stage.writers.go_on()
        stage.relay.start()
        assert stage.rest().duplicates == 0
