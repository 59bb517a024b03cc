"""Marks: how far the relay had saved and confirmed, and how long the topic was just after.

A record that lies behind a mark in the topic and repeats an event at or before the mark's saved
position is no honest duplicate: the relay had already written down that it was delivered.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    settled: tuple         # (commit LSN, ordinal) of the last event known to be delivered
    end_lsn: int           # the end of the last whole transaction before it
    confirmed_lsn: int     # what the slot may forget
    ends: dict             # partition -> end of the topic, read afterwards

    def confirmed_beyond_saved(self):
        """True breaks invariant 6. A slot that nobody confirmed yet starts at its own place."""
        return self.end_lsn > 0 and self.confirmed_lsn > self.end_lsn


def take_mark(database, pipeline, slot, ends):
    """`ends`: a function that reads the ends of the topic's partitions."""
    # In this order, since all three move while a relay runs: confirmed <= saved <= delivered.
    confirmed_lsn = _confirmed(database, slot)
    saved = database.execute(
        "select commit_lsn - '0/0', ordinal, end_lsn - '0/0' from outbox.progress"
        " where pipeline = %s", [pipeline])
    commit_lsn, ordinal, end_lsn = map(int, saved[0]) if saved else (0, 0, 0)
    return Mark((commit_lsn, ordinal), end_lsn, confirmed_lsn, ends())


def parse_position(text):
    """'16/B374D848/3' as (LSN, ordinal)."""
    high, low, ordinal = text.split("/")
    return (int(high, 16) << 32) + int(low, 16), int(ordinal)


def _confirmed(database, slot):
    found = database.execute("select confirmed_flush_lsn - '0/0' from pg_replication_slots"
                             " where slot_name = %s", [slot])
    return int(found[0][0] or 0) if found else 0
