"""What only the WAL tells, changes of a business table and emitted events, under what makes relays
lose rows (stress_writers.py); Postgres and relay killed in between. Each change raises its row's
version under the row's lock, and notes it in the same transaction: so the versions that arrive must
be 1, 2, 3 to the last one, for each key."""

import json
import time
from collections import defaultdict

from capture_place import CapturePlace, capture
from stress_writers import KEYS, KILLS, SECONDS, StressWriter, StressWriters
from support.waiting import wait_until

TABLES = [
    "create table shop.item (id int primary key, version int not null, note uuid)",
    f"insert into shop.item select g, 0 from generate_series(0, {KEYS - 1}) g",
    "create table shop.history (key int, version int, note uuid, emitted uuid)"]
CHANGE = """
with changed as (update shop.item set version = version + 1, note = gen_random_uuid()
                 where id = %s returning *)
insert into shop.history
select id, version, note,
       outbox.emit('order', id::text, 'emitted', jsonb_build_object('version', version))
from changed"""


class Changer(StressWriter):
    def write(self, cursor, key):
        cursor.execute(CHANGE, [key])


def test_lost_0_ghosts_0_and_in_order(tmp_path, services):
    with CapturePlace(tmp_path, TABLES, [capture("shop.item", update='"changed"')]) as place:
        place.start()
        with StressWriters(place.database,
                           lambda number, stop: Changer(place.database, number, stop)) as writers:
            for _ in range(KILLS):
                time.sleep(SECONDS / (KILLS + 1) / 2)
                place.relay.kill()
                place.relay.start()
                time.sleep(SECONDS / (KILLS + 1) / 2)
                services.kill("postgres")
                services.start("postgres")
                writers.end_orphans()
            time.sleep(SECONDS / (KILLS + 1))
        judge(place, writers)


def judge(place, writers):
    transactions = writers.transactions()
    history = place.database.execute("select key, version, note::text, emitted::text"
                                     " from shop.history order by key, version")
    wait_until(lambda: place.arriving.look() or len(arrivals(place)) >= 2 * len(history),
               f"{2 * len(history)} events arrive", 60)
    committed = defaultdict(list)
    for key, version, note, emitted in history:
        committed[key, "changed"].append((version, note))
        committed[key, "emitted"].append((version, emitted))
    arrived = defaultdict(list)
    for record in arrivals(place):
        kind = record.header("type")
        value = json.loads(record.value)
        fact = ((value["after"]["version"], value["after"]["note"]) if kind == "changed"
                else (value["version"], record.event_id))
        arrived[int(record.key), kind].append(fact)
    assert arrived == committed
    assert all([version for version, _ in facts] == list(range(1, len(facts) + 1))
               for facts in committed.values())
    print(f"{transactions} transactions, {len(history)} changes,"
          f" {len(place.arriving.records) - 2 * len(history)} duplicates")


def arrivals(place):
    """The first arrival of each event, in the order of each key's."""
    first = {}
    for record in sorted(place.arriving.records, key=lambda one: (one.partition, one.offset)):
        first.setdefault(record.event_id, record)
    return first.values()
