"""Held and parked keys while relay and Postgres are killed: after the mend every event comes, each
key in order (invariants 1, 3, 6 and 8). Each key has one writer, so its order is known."""

import json
import os
import random
import threading
import time
from collections import defaultdict
from contextlib import closing

import psycopg2
import pytest

from support.topic import configure_topic
from support.waiting import wait_until
from test_letters import LIMIT, file, stage_of, states, verified

WRITERS = 4
KEYS_EACH = 10
SECONDS = float(os.environ.get("OUTBOX_LETTERS_STRESS_SECONDS", "12"))
KILLS = int(os.environ.get("OUTBOX_LETTERS_STRESS_KILLS", "3"))
POISON = 0.03
# A server that refuses to write for a moment, in the middle of a batch.
FLAKY = """
create function flaky() returns trigger language plpgsql as $$
begin
  if random() < 0.002 then
    raise exception using errcode = 'serialization_failure', message = 'not now';
  end if;
  return new;
end
$$;
create trigger flaky before insert on outbox.dead_letter for each row execute function flaky()"""


class Writer(threading.Thread):
    """Publishes numbered events of its own keys; what becomes of a commit that a crash
    interrupted, the table says."""

    def __init__(self, database, number, stop):
        super().__init__(daemon=True)
        self._database = database
        self._keys = [f"{number}-{key}" for key in range(KEYS_EACH)]
        self._draw = random.Random(number)
        self._stop_it = stop
        self._next = 0

    def run(self):
        while not self._stop_it.is_set():
            try:
                with closing(self._database.connect(autocommit=False)) as connection, \
                        connection.cursor() as cursor:
                    while not self._stop_it.is_set():
                        for _ in range(self._draw.randint(1, 5)):
                            self._publish(cursor)
                        connection.commit()
                        time.sleep(self._draw.uniform(0, 0.02))
            except psycopg2.OperationalError:
                time.sleep(0.1)  # Postgres was killed

    def _publish(self, cursor):
        self._next += 1
        padding = LIMIT if self._draw.random() < POISON else 0
        cursor.execute("select outbox.publish('order', %s, 'changed', %s::bytea)",
                       [self._draw.choice(self._keys), b"%d " % self._next + b"x" * padding])


@pytest.mark.parametrize("on_failure, mode", [("park", "wal"), ("park", "poll"), ("hold", "wal")])
def test_every_event_comes_and_each_key_in_order(tmp_path, services, on_failure, mode):
    stop = threading.Event()
    with stage_of(tmp_path, on_failure, mode) as stage:
        stage.database.execute(FLAKY)
        writers = [Writer(stage.database, number, stop) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for number in range(KILLS):
            time.sleep(SECONDS / KILLS / 2)
            stage.relay.kill()
            if number % 2:
                services.kill("postgres")
                services.start("postgres")
            stage.relay.start()
            time.sleep(SECONDS / KILLS / 2)
            if on_failure == "park":
                file(stage, failures_max=5)  # in vain, for most
        stop.set()
        for writer in writers:
            writer.join(30)
        stage.database.execute("drop trigger flaky on outbox.dead_letter")
        configure_topic(stage.topic)
        bring_back(stage, on_failure)
        judge(stage)


def bring_back(stage, on_failure):
    """What waits is replayed, with a kill in the middle."""
    def open_letters():
        return stage.database.value("select count(*) from outbox.lane") > 0

    last = stage.database.value("select max(seq) from outbox.event")
    wait_until(lambda: (stage.database.value("select delivered_seq from outbox.progress") or 0)
               >= last, f"seq {last} is settled", 60)
    if on_failure == "park":
        file(stage)
    stage.relay.kill()
    stage.relay.start()

    def all_back():
        if on_failure == "park":
            file(stage)  # what one of the jobs in vain gave back meanwhile
        return not open_letters()

    wait_until(all_back, "no letter is open", 90)
    assert set(states(stage)) == {"delivered"}


def first_difference(arrived, committed):
    """What came, and what should have come."""
    at = next(n for n, (one, other) in enumerate(zip(arrived, committed)) if one != other)
    return arrived[at], committed[at]


def judge(stage):
    committed = defaultdict(list)
    for key, event_id in stage.database.execute("select aggregate_id, id::text from outbox.event"
                                                " order by seq"):
        committed[key].append(event_id)
    postbox = stage.topics[stage.topic]
    postbox.await_ids([one for ids in committed.values() for one in ids], 60)
    arrived = defaultdict(dict)
    for record in sorted(postbox.records, key=lambda one: one.offset):
        arrived[record.key.decode()].setdefault(record.event_id)
    wrong = {key: first_difference(list(arrived[key]), ids) for key, ids in committed.items()
             if list(arrived[key]) != ids}
    assert not wrong and arrived.keys() == committed.keys()
    code, summary = verified(stage)
    assert code == 0, json.dumps(summary)
    print(f"{sum(map(len, committed.values()))} events, {len(states(stage))} letters,"
          f" {summary['duplicates']} duplicates")
