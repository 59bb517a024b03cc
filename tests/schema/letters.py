"""One relay's calls of the functions for dead letters, and an operator's."""

import json
import uuid

import pytest

PIPELINE = "orders"


class Relay:
    """The calls of a relay, each with its fence, as one of some epoch."""

    def __init__(self, schema, epoch=None):
        self._schema = schema
        self.epoch = epoch or schema.value(
            "select epoch from outbox.progress_take(%s, '7', 1, 'slot')", [PIPELINE], role="relay")

    def call(self, sql, arguments=(), saved=None):
        with self._schema.as_role("relay", autocommit=False) as cursor:
            system, commit, ordinal = ("7", *saved) if saved else (None, None, None)
            cursor.execute("select outbox.letters_fence(%s, %s, %s, 1, 'slot', '0/0', %s, %s,"
                           " null)", [PIPELINE, self.epoch, system, commit, ordinal])
            cursor.execute(sql, list(arguments))
            rows = cursor.fetchall()
            cursor.connection.commit()
            return rows

    def write(self, state="parked", key="k", event_id=None, payload=b"p", code="TOO_LARGE",
              event_type="E", retry_in="1 hour", give_up_in="1 day", saved=None, headers="{}",
              topic="order.events", route=None):
        """True: an earlier relay had written it."""
        return self.call(
            "select outbox.letter_write(%s, %s, %s, %s, 'order', %s, %s, %s, 'bytes', %s, null,"
            " '{}', '2026-01-02', 7, '0/1/2', %s, %s, 'why', 0, 'relay', %s, %s, %s)",
            [PIPELINE, self.epoch, state, str(event_id or uuid.uuid4()), key, event_type, payload,
             headers, topic, code, retry_in, give_up_in, route], saved)[0][0]

    def rates(self, retries=1000):
        return self.call("select * from outbox.replay_jobs(%s, %s)", [PIPELINE, retries])

    def jobs(self, retries=1000):
        return [job for job, _ in self.rates(retries)]

    def policies(self, *routes):
        self.call("select outbox.replay_policies(%s, %s)", [PIPELINE, json.dumps(
            [{"approval": False, "replays_max": 10, **route} for route in routes])])

    def page(self, job=0, after=(0, 0), letters=100, size=10**6):
        return [(lane, place, letter) for lane, place, letter in self.call(
            "select coalesce(lane, 0), place, letter"
            " from outbox.replay_page(%s, %s, %s, %s, %s, %s)",
            [PIPELINE, job, *after, letters, size])]

    def letters_of(self, job=0):
        return [letter for _, _, letter in self.page(job)]

    def delivered(self, *letters):
        self.call("select outbox.letters_delivered(%s, %s::bigint[])", [PIPELINE, list(letters)])

    def refused(self, letter, first="1 hour", most="1 day", attempts=10):
        self.call("select outbox.letter_refused(%s, %s, 'AGAIN', 'why', %s, %s, %s)",
                  [PIPELINE, letter, first, most, attempts])

    def passed(self, job):
        self.call("select outbox.replay_passed(%s, %s)", [PIPELINE, job])


# Letters that are open in one table only, or for another cause in one than in the other.
_APART = """
select letter, l.state, o.state from
  (select * from outbox.dead_letter where state in ('dead', 'held', 'parked')) l
full join outbox.open_dead_letter o using (letter)
where (l.pipeline, l.state, l.last_code, l.topic, l.route, l.aggregate_type, l.aggregate_id,
       l.event_type, l.written_at)
  is distinct from (o.pipeline, o.state, o.last_code, o.topic, o.route, o.aggregate_type,
                    o.aggregate_id, o.event_type, o.written_at)"""


@pytest.fixture
def relay(schema):
    yield Relay(schema)
    assert schema.execute(_APART) == []


def states(schema):
    return [state for state, in schema.execute(
        "select state from outbox.dead_letter order by letter")]


def file(schema, role="operator", dry_run=False, rate=None, failures_max=None, reason="mended",
         request=None, ask="usual", **chosen):
    """(job, letters, behind, taken)"""
    return schema.execute("select job, letters, behind, taken"
                          " from outbox.replay_file(%s, %s, %s, %s, %s, %s, %s)",
                          [json.dumps({"pipeline": PIPELINE, **chosen}), reason, rate, failures_max,
                           dry_run, request, ask], role)[0]


def discard(schema, role="operator", reason="known", dry_run=False, **chosen):
    return schema.execute("select * from outbox.letters_discard(%s, %s, %s)",
                          [json.dumps({"pipeline": PIPELINE, **chosen}), reason, dry_run], role)[0]


def audit(schema):
    return [(action, letter) for action, letter in schema.execute(
        "select action, each.letter from outbox.audit a"
        " cross join lateral unnest(coalesce(a.letters, array[a.letter])) each(letter)"
        " order by entry, each.letter")]


def edit(schema, letter, payload=None, headers=None):
    return schema.execute("select * from outbox.letter_edit(%s, %s, %s, 'typo')",
                          [letter, payload, headers], "operator")[0]
