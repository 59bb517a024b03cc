"""The end of a demo that ends by itself: what was committed against what arrived."""

import json

from support.verdict import judge

from .screen import say


def conclude(stage, written, arrivals):
    """Drains the relay, reads the topic to its end, prints the verdict; the exit code."""
    ended_well = stage.stop_relay()
    arrivals.finish()
    expected = [w.event for w in written if w.committed]
    verdict = judge(expected, arrivals.records)
    orders, dropped = len({e.key for e in expected}), len(written) - len(expected)
    say(f"  {orders:,} orders as keys; {dropped:,} more events were rolled back, "
        f"{len(verdict.ghosts)} of them arrived")
    if not verdict.clean():
        say(f"  verdict: {verdict}", "red")
    if not ended_well:
        say(f"  the relay ended badly:\n{stage.relay.log_tail()}", "red")
    counts = verdict.counts()
    line = {name: counts[name]
            for name in ("committed", "delivered", "lost", "duplicates", "out_of_order")}
    print(json.dumps(line, separators=(",", ":")), flush=True)
    complete = verdict.clean() and not verdict.duplicates and len(expected) == verdict.delivered
    return 0 if complete and ended_well else 1
