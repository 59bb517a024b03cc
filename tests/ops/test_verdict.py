"""The verdict that every server suite relies on must see each kind of harm."""

from support.publisher import Expected
from support.topic import Record
from support.verdict import judge

EXPECTED = [Expected(f"id{n}", b"a" if n % 2 else b"b", b"%d" % n) for n in range(6)]


def record(n, offset, **changed):
    event = EXPECTED[n]
    return Record(topic="t", partition=changed.get("partition", 0), offset=offset, key=event.key,
                  value=changed.get("value", event.value),
                  headers=(("id", changed.get("id", event.id).encode()),), timestamp_ms=0)


def all_records():
    return [record(n, n) for n in range(6)]


def test_what_arrived_once_and_in_order_is_clean():
    verdict = judge(EXPECTED, all_records())
    assert verdict.clean() and verdict.delivered == 6 and not verdict.duplicates


def test_a_missing_event_is_lost():
    verdict = judge(EXPECTED, all_records()[:-1])
    assert verdict.lost == ["id5"] and not verdict.clean()


def test_an_event_nobody_committed_is_a_ghost():
    verdict = judge(EXPECTED, [*all_records(), record(0, 9, id="stranger")])
    assert verdict.ghosts == ["stranger"] and not verdict.clean()


def test_a_repeat_is_a_duplicate_and_not_a_disorder():
    verdict = judge(EXPECTED, [*all_records(), record(2, 9)])
    assert verdict.duplicates == ["id2"] and verdict.clean()


def test_a_younger_event_of_the_key_that_came_first_is_out_of_order():
    records = [record(n, o) for o, n in enumerate([2, 0, 1, 3, 4, 5])]
    verdict = judge(EXPECTED, records)
    assert verdict.out_of_order == [("id0", "id2")] and not verdict.clean()


def test_another_order_between_keys_is_clean():
    records = [record(n, o) for o, n in enumerate([1, 3, 5, 0, 2, 4])]
    assert judge(EXPECTED, records).clean()


def test_other_bytes_are_altered():
    verdict = judge(EXPECTED, [*all_records()[:-1], record(5, 5, value=b"other")])
    assert verdict.altered == ["id5"] and not verdict.clean()


def test_a_key_in_two_partitions_is_split():
    verdict = judge(EXPECTED, [*all_records()[:-1], record(5, 0, partition=1)])
    assert verdict.split_keys == [b"a"] and not verdict.clean()
