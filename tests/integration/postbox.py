"""What arrived in topics so far, by event id, read by a client that is not ours."""

import time
from collections import defaultdict

from support.topic import TopicReader, topic_names
from support.waiting import wait_until


class Postbox:
    """One topic, read from its beginning on and kept."""

    def __init__(self, topic, bootstrap=None):
        self.topic = topic
        self.records = []
        self._by_id = defaultdict(list)
        self._reader = TopicReader(topic, bootstrap)

    def close(self):
        self._reader.close()

    def look(self, patience_s=0.05):
        for record in self._reader.poll(patience_s):
            self.records.append(record)
            self._by_id[record.event_id].append(record)

    def await_ids(self, event_ids, patience_s=30.0):
        """The first record of each id, in the order of the ids; all must come."""
        wanted = list(event_ids)
        deadline = time.monotonic() + patience_s
        while missing := [one for one in wanted if one not in self._by_id]:
            assert time.monotonic() < deadline, (
                f"{len(missing)} of {len(wanted)} events did not arrive in {self.topic} within"
                f" {patience_s:g} s, such as {missing[0]}; {len(self.records)} records are there")
            self.look()
        return [self._by_id[one][0] for one in wanted]

    def arrivals(self, event_id):
        """Every record of this id that was read so far."""
        return list(self._by_id.get(event_id, ()))


class Postboxes:
    """Postboxes by topic, opened when first asked for, and closed together."""

    def __init__(self, bootstrap=None):
        self._bootstrap = bootstrap
        self._open = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for postbox in self._open.values():
            postbox.close()

    def __getitem__(self, topic):
        if topic not in self._open:
            wait_until(lambda: topic in topic_names(self._bootstrap), f"topic {topic} exists")
            self._open[topic] = Postbox(topic, self._bootstrap)
        return self._open[topic]
