"""What is delivered is what was committed, in commit order (invariants 1, 2, 3)."""

import threading
import time

import pytest

from config_text import route
from stage import Stage
from support.publisher import Publisher
from support.topic import create_topic, delete_topic, unique_name
from support.verdict import judge
from support.waiting import wait_until


@pytest.fixture(scope="module")
def topic():
    name = create_topic(unique_name("commits"), partitions=3)
    yield name
    delete_topic(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topic):
    with Stage(tmp_path_factory.mktemp("commits"), [route(topic)]) as stage:
        yield stage


class Undo(Exception):
    """Rolls a transaction back."""


def never_came(stage, topic, event_ids):
    """The log has one order: what was written before a record that came, and did not come itself,
    will not come."""
    stage.topics[topic].await_ids([stage.shop.publish(key=str(n)) for n in range(12)])
    return not any(stage.topics[topic].arrivals(one) for one in event_ids)


def test_what_is_rolled_back_never_comes(stage, topic):
    ids = []
    with pytest.raises(Undo), stage.shop.transaction() as cursor:
        ids += [stage.shop.publish(key=str(n), cursor=cursor) for n in range(100)]
        raise Undo
    assert never_came(stage, topic, ids)


def test_what_a_savepoint_undid_never_comes_and_the_rest_does_in_order(stage, topic):
    kept, undone = [], []
    with stage.shop.transaction() as cursor:
        for number in range(30):
            cursor.execute("savepoint s")
            event_id = stage.shop.publish(key="savepoints", cursor=cursor)
            if number % 3 == 0:
                cursor.execute("rollback to savepoint s")
                undone.append(event_id)
            else:
                cursor.execute("release savepoint s")
                kept.append(event_id)
    stage.topics[topic].await_ids(kept)
    assert [r.event_id for r in stage.topics[topic].records if r.key == b"savepoints"] == kept
    assert never_came(stage, topic, undone)


@pytest.mark.fault_row(21)
def test_a_prepared_transaction_comes_only_once_it_is_committed(stage, topic):
    gid = f"{stage.slot}_kept"
    with stage.shop.transaction() as cursor:
        event_id = stage.shop.publish(key="prepared", cursor=cursor)
        cursor.execute("prepare transaction %s", [gid])
    assert never_came(stage, topic, [event_id])
    stage.database.execute("commit prepared %s", [gid])
    stage.arrival(topic, event_id)


def test_a_prepared_transaction_that_is_rolled_back_never_comes(stage, topic):
    gid = f"{stage.slot}_dropped"
    with stage.shop.transaction() as cursor:
        event_id = stage.shop.publish(key="prepared", cursor=cursor)
        cursor.execute("prepare transaction %s", [gid])
    stage.database.execute("rollback prepared %s", [gid])
    assert never_came(stage, topic, [event_id])


def test_asynchronous_commits_come(stage, topic):
    ids = []
    for number in range(20):
        with stage.shop.transaction() as cursor:
            cursor.execute("set local synchronous_commit = off")
            ids.append(stage.shop.publish(key="async", cursor=cursor))
    stage.topics[topic].await_ids(ids)
    assert [r.event_id for r in stage.topics[topic].records if r.key == b"async"] == ids


def test_a_transaction_comes_at_its_commit_and_not_before_though_younger_ones_went_out(
        stage, topic):
    """Transactions overlap on the slot; each goes out whole, at its own commit (cdc trap)."""
    with stage.shop.transaction() as cursor:
        early = [stage.shop.publish(key="overlap", cursor=cursor) for _ in range(3)]
        younger = [stage.shop.publish(key="overlap") for _ in range(3)]
        stage.topics[topic].await_ids(younger)
        late = stage.shop.publish(key="overlap", cursor=cursor)
    stage.topics[topic].await_ids([*early, late])
    assert [r.event_id for r in stage.topics[topic].records if r.key == b"overlap"] == [
        *younger, *early, late]


def test_truncate_update_and_delete_of_the_table_are_not_events(stage, topic):
    """Only inserts are events; a retention job must not send anything."""
    old = stage.shop.publish(key="housekeeping")
    stage.arrival(topic, old)
    count = len(stage.topics[topic].records)
    with stage.shop.transaction() as cursor:
        cursor.execute("set local role outbox_owner")
        cursor.execute("update outbox.event set event_type = 'edited' where id = %s", [old])
        cursor.execute("delete from outbox.event where id = %s", [old])
    with stage.shop.transaction() as cursor:
        cursor.execute("set local role outbox_owner")
        cursor.execute("truncate outbox.event")
    stage.arrival(topic, stage.shop.publish(key="housekeeping"))
    assert len(stage.topics[topic].records) == count + 1


def test_other_tables_in_the_transaction_do_not_disturb(stage, topic):
    stage.database.execute("create table if not exists orders (id int primary key, note text)")
    with stage.shop.transaction() as cursor:
        cursor.execute("insert into orders select n, repeat('x', 3000)"
                       " from generate_series(1, 500) n")
        event_id = stage.shop.publish(key="orders", cursor=cursor)
        cursor.execute("update orders set note = 'y'")
        cursor.execute("delete from orders")
    stage.arrival(topic, event_id)


def test_order_per_key_holds_over_eight_concurrent_writers_with_rollbacks(stage, topic):
    publishers = [Publisher(stage.database, keys=20, prefix=f"writer{n}", seed=n)
                  for n in range(8)]

    def write(publisher, number):
        for turn in range(60):
            publisher.publish(events=1 + (turn + number) % 7, rollback=turn % 9 == 4)

    threads = [threading.Thread(target=write, args=(p, n)) for n, p in enumerate(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committed = [event for publisher in publishers for event in publisher.committed]
    stage.topics[topic].await_ids([event.id for event in committed])
    ours = {event.id for event in committed}
    never = [event.id for publisher in publishers for event in publisher.rolled_back]
    assert never_came(stage, topic, never)
    verdict = judge(committed, [r for r in stage.topics[topic].records if r.event_id in ours])
    assert verdict.clean() and not verdict.duplicates, str(verdict)
    for publisher in publishers:
        publisher.close()


def test_writers_that_take_turns_on_one_key_are_delivered_in_commit_order(stage, topic):
    """Invariant 3 over connections: B is published after A's commit was visible."""
    turn = threading.Lock()
    committed = []

    def write():
        for _ in range(40):
            with turn:
                committed.append(stage_publish())

    def stage_publish():
        with stage.shop.transaction() as cursor:
            return stage.shop.publish(key="turns", cursor=cursor)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.topics[topic].await_ids(committed)
    assert [r.event_id for r in stage.topics[topic].records if r.key == b"turns"] == committed


def test_a_transaction_of_100_000_rows_goes_out_while_the_relay_stays_small(stage, topic):
    """Larger than the window by far: rows go out as they come (invariant 7)."""
    with stage.shop.transaction() as cursor:
        cursor.execute("insert into outbox.event"
                       " (aggregate_type, aggregate_id, event_type, payload)"
                       " select 'order', 'big', 'changed',"
                       " to_jsonb(repeat('x', 300))"
                       " from generate_series(1, 100000)")
        last = stage.shop.publish(key="big", cursor=cursor)
    peak = 0.0
    deadline = time.monotonic() + 60
    while not stage.topics[topic].arrivals(last):
        assert time.monotonic() < deadline
        peak = max(peak, stage.relay.resident_mb())
        stage.topics[topic].look()
    assert sum(1 for r in stage.topics[topic].records if r.key == b"big") == 100_001
    assert peak < 64, f"{peak:.0f} MB resident"
    wait_until(lambda: stage.relay.status()["lag"]["events"] == 0, "no lag is left")
