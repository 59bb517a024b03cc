"""Row 20: a very large transaction with aborted subtransactions."""

import pytest

from support import environment


@pytest.mark.fault_row(20)
def test_a_very_large_transaction_goes_out_in_order_without_its_aborted_parts(on_stage):
    """A tenth as much again is rolled back to a savepoint in its middle; other transactions go on
    beside it. The relay stays small all the time."""
    rows = 10_000_000 if environment.soaking() else 300_000
    with on_stage(connections=2, pause_s=0.2) as stage:
        stage.writers.write_large("large", rows)
        findings = stage.rest(patience_s=120)
        assert findings.committed > rows and findings.duplicates == 0
        assert stage.relay.peak_mb() < 48
