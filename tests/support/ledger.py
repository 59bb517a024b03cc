"""What the writers committed: per key the ids of its events, in the order of their numbers.

Sixteen bytes an event, so that millions fit. Any thread may write; a later number of a key may be
noted before an earlier one, since another connection can be quicker to tell.
"""

import threading

ID_BYTES = 16
NO_ID = bytes(ID_BYTES)


class Ledger:
    def __init__(self):
        self.committed = 0
        self._ids = {}
        self._lock = threading.Lock()

    def commit(self, runs):
        """Adds what is known to be committed: {key: (first number, ids one behind the other)}."""
        with self._lock:
            for key, (first, ids) in runs.items():
                put(self._ids.setdefault(key.encode(), bytearray()), first, ids)
                self.committed += len(ids) // ID_BYTES

    def keys(self):
        with self._lock:
            return list(self._ids)

    def ids(self, key):
        """All ids of a key; a number that is not known yet reads as NO_ID."""
        with self._lock:
            return bytes(self._ids.get(key, b""))


def put(ids, number, event_id):
    """Writes at the place of `number`; what is skipped stays NO_ID."""
    start = (number - 1) * ID_BYTES
    if len(ids) < start:
        ids.extend(bytes(start - len(ids)))
    ids[start:start + len(event_id)] = event_id
