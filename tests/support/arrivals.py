"""What an independent reader found in the topic, judged against the ledger while it comes in.

Five promises, each a count that must be zero: lost, ghosts, out_of_order, altered, and outside: a
repeat of an event whose position had been saved before (marks.py), or with other bytes, or
repeats of a key that are not contiguous within one run of the relay.
"""

import uuid
from dataclasses import dataclass, field

from .ledger import ID_BYTES, NO_ID, put
from .marks import parse_position
from .numbered import content, number_of

_EXAMPLES = 5


@dataclass
class Findings:
    committed: int = 0
    delivered: int = 0   # different events
    duplicates: int = 0  # repeats, counted and allowed inside the window
    lost: int = 0
    ghosts: int = 0
    out_of_order: int = 0
    altered: int = 0     # value, key or partition is not what it must be
    outside: int = 0     # repeats that nothing excuses
    examples: list = field(default_factory=list)

    def clean(self):
        return not (self.lost or self.ghosts or self.out_of_order or self.altered or self.outside)

    def __str__(self):
        counts = ", ".join(f"{name} {value}" for name, value in vars(self).items()
                           if name != "examples")
        return "\n  ".join([counts, *self.examples])


@dataclass
class _Key:
    """What arrived of one key."""
    ids: bytearray = field(default_factory=bytearray)
    newest: int = 0                                # highest number that arrived
    holes: set = field(default_factory=set)        # numbers below it that did not
    others: dict = field(default_factory=dict)     # number -> ids beyond the first that arrived
    runs: dict = field(default_factory=dict)       # epoch -> number that arrived last
    partition: int | None = None


class Arrivals:
    """One thread adds; any thread may read counts. `marks` is the list that the test appends to."""

    def __init__(self, marks):
        self.records = 0
        self.delivered = 0
        self.duplicates = 0
        self._marks = marks
        self._keys = {}
        self._wrong = Findings()
        self._awaited_ms = None
        self.first_new_ms = None

    def await_new(self, since_ms):
        """From now on `first_new_ms` is when the first new event at or after this time came, as the
        broker's append time tells it."""
        self.first_new_ms = None
        self._awaited_ms = since_ms

    def add(self, records):
        for record in records:
            self._add(record)
        self.records += len(records)

    def missing(self, ledger):
        """How many committed events did not arrive yet."""
        return ledger.committed - self.delivered

    def judge(self, ledger):
        """Everything so far, with all commits in the ledger and the topic read to its end."""
        result = Findings(**{**vars(self._wrong), "examples": list(self._wrong.examples)})
        result.committed = ledger.committed
        result.delivered = self.delivered
        result.duplicates = self.duplicates
        for key in {*ledger.keys(), *self._keys}:
            self._judge_key(result, key, ledger.ids(key))
        return result

    def _judge_key(self, result, key, committed):
        arrived = self._keys.get(key, _Key())
        if not arrived.others and bytes(arrived.ids) == committed:
            return
        for number in range(1, max(len(committed), len(arrived.ids)) // ID_BYTES + 1):
            expected = _id_at(committed, number)
            found = {_id_at(arrived.ids, number), *arrived.others.get(number, ())} - {NO_ID}
            for stranger in found - {expected}:
                result.ghosts += 1
                _note(result, "ghost", key, number, stranger)
            if expected != NO_ID and expected not in found:
                result.lost += 1
                _note(result, "lost", key, number, expected)

    def _add(self, record):
        number = number_of(record.value)
        if record.key is None or number is None or record.value != content(record.key, number):
            self._harm("altered", record, number)
            return
        key = self._keys.get(record.key)
        if key is None:
            key = self._keys[record.key] = _Key(partition=record.partition)
        if key.partition != record.partition:
            self._harm("altered", record, number)
        headers = dict(record.headers)
        event_id = bytes.fromhex(headers["id"].decode().replace("-", ""))
        if number > key.newest or number in key.holes:
            self._first(key, record, number, event_id)
        else:
            self._repeat(key, record, number, event_id, headers)
        self._follow_run(key, record, number, headers.get("epoch"))

    def _first(self, key, record, number, event_id):
        if number in key.holes:
            key.holes.discard(number)
            self._harm("out_of_order", record, number)
        else:
            key.holes.update(range(key.newest + 1, number))
            key.newest = number
        put(key.ids, number, event_id)
        self.delivered += 1
        if (self.first_new_ms is None and self._awaited_ms is not None
                and record.timestamp_ms >= self._awaited_ms):
            self.first_new_ms = record.timestamp_ms

    def _repeat(self, key, record, number, event_id, headers):
        if event_id != _id_at(key.ids, number):
            key.others.setdefault(number, set()).add(event_id)
            return
        self.duplicates += 1
        mark = self._mark_before(record)
        if mark is not None and parse_position(headers["position"].decode()) <= mark.settled:
            self._harm("outside", record, number, f"saved before: {mark}")

    def _mark_before(self, record):
        """The newest mark that was made before this record was appended."""
        for mark in reversed(self._marks):
            if mark.ends.get(record.partition, 0) <= record.offset:
                return mark
        return None

    def _follow_run(self, key, record, number, epoch):
        last = key.runs.get(epoch)
        if last is not None and last + 1 < number < key.newest:
            self._harm("outside", record, number, f"after {last} in the same run")
        if last is None and len(key.runs) > 4:
            del key.runs[next(iter(key.runs))]
        key.runs[epoch] = number

    def _harm(self, kind, record, number, why=""):
        setattr(self._wrong, kind, getattr(self._wrong, kind) + 1)
        if len(self._wrong.examples) < _EXAMPLES:
            self._wrong.examples.append(
                f"{kind}: key {record.key} number {number} at partition {record.partition} offset "
                f"{record.offset}, headers {record.headers} {why}")


def _id_at(ids, number):
    return bytes(ids[(number - 1) * ID_BYTES:number * ID_BYTES]) or NO_ID


def _note(result, kind, key, number, event_id):
    if len(result.examples) < 2 * _EXAMPLES:
        result.examples.append(f"{kind}: key {key} number {number} id {uuid.UUID(bytes=event_id)}")
