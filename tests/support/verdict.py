"""What became of the events: those that a publisher knows to be committed against those that an
independent reader found in the topic."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """All empty but `duplicates` is what at-least-once with order per key promises."""
    committed: int = 0
    delivered: int = 0                                # different committed events that arrived
    lost: list = field(default_factory=list)          # ids committed and never read
    ghosts: list = field(default_factory=list)        # ids read and never committed
    duplicates: list = field(default_factory=list)    # ids of each repeat
    out_of_order: list = field(default_factory=list)  # (earlier id, later id) of one key, swapped
    altered: list = field(default_factory=list)       # ids whose key or value is another
    split_keys: list = field(default_factory=list)    # keys found in more than one partition

    def clean(self):
        return not (self.lost or self.ghosts or self.out_of_order or self.altered
                    or self.split_keys)

    def counts(self):
        return {name: value if isinstance(value, int) else len(value)
                for name, value in vars(self).items()}

    def __str__(self):
        examples = {name: value[:3] for name, value in vars(self).items()
                    if isinstance(value, list) and value}
        return f"{self.counts()}" + (f" for example {examples}" if examples else "")


def judge(expected, records):
    """`expected`: the committed events (`id`, `key`, `value`), each key's in the order of their
    commits. `records`: what was read, in offset order inside each partition. A repeat may come
    later than younger events of its key; only first arrivals must be in order."""
    place = {event.id: index for index, event in enumerate(expected)}
    seen = Counter(record.event_id for record in records)
    verdict = Verdict(committed=len(place), delivered=len(place.keys() & seen.keys()))
    verdict.lost = [event.id for event in expected if event.id not in seen]
    verdict.ghosts = [event_id for event_id in seen if event_id not in place]
    _judge_bytes(verdict, expected, place, records)
    _judge_order(verdict, expected, place, records)
    return verdict


def _judge_bytes(verdict, expected, place, records):
    partitions = defaultdict(set)
    for record in records:
        if record.event_id in place:
            event = expected[place[record.event_id]]
            if (event.key, event.value) != (record.key, record.value):
                verdict.altered.append(event.id)
            if record.key is not None:
                partitions[record.key].add(record.partition)
    verdict.split_keys = [key for key, where in partitions.items() if len(where) > 1]


def _judge_order(verdict, expected, place, records):
    youngest = {}
    arrived = set()
    for record in records:
        index = place.get(record.event_id)
        if index is None:
            continue
        if index in arrived:
            verdict.duplicates.append(record.event_id)
            continue
        arrived.add(index)
        before = youngest.get(record.key, -1)
        if record.key is not None and before > index:
            verdict.out_of_order.append((record.event_id, expected[before].id))
        youngest[record.key] = max(before, index)
