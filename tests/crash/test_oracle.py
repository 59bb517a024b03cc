"""The judge of the crash suite must see each kind of harm; else its verdicts are worth nothing."""

import uuid

import pytest

from support.arrivals import Arrivals
from support.ledger import Ledger
from support.marks import Mark, parse_position
from support.numbered import content, number_of
from support.topic import Record

KEY = b"key-1"
IDS = [uuid.UUID(int=number) for number in range(1, 9)]


@pytest.fixture
def ledger():
    """Eight committed events of one key."""
    ledger = Ledger()
    ledger.commit({KEY.decode(): (1, b"".join(event_id.bytes for event_id in IDS))})
    return ledger


def record(number, offset, event_id=None, epoch=1, lsn=None, key=KEY, value=None, partition=0):
    headers = (("id", str(event_id or IDS[number - 1]).encode()),
               ("position", b"0/%X/1" % (lsn or 100 * number)), ("epoch", b"%d" % epoch))
    value = value or content(KEY, number)
    return Record("t", partition, offset, key, value, headers, 1000 + offset)


def judged(ledger, records, marks=()):
    arrivals = Arrivals(list(marks))
    arrivals.add(records)
    return arrivals.judge(ledger)


def in_order(numbers=range(1, 9), **changed):
    return [record(number, offset, **changed) for offset, number in enumerate(numbers)]


def test_everything_once_and_in_order_is_clean(ledger):
    findings = judged(ledger, in_order())
    assert findings.clean() and (findings.committed, findings.delivered) == (8, 8)
    assert findings.duplicates == 0


@pytest.mark.parametrize("missing", [1, 4, 8])
def test_a_missing_event_is_lost(ledger, missing):
    findings = judged(ledger, in_order([n for n in range(1, 9) if n != missing]))
    assert findings.lost == 1 and findings.out_of_order == 0


def test_a_key_that_never_arrived_is_lost(ledger):
    ledger.commit({"key-2": (1, uuid.uuid4().bytes)})
    assert judged(ledger, in_order()).lost == 1


def test_a_commit_that_was_noted_late_is_expected_all_the_same(ledger):
    late = [uuid.uuid4(), uuid.uuid4()]
    ledger.commit({"key-1": (10, late[1].bytes)})
    ledger.commit({"key-1": (9, late[0].bytes)})
    assert ledger.committed == 10
    last = [record(9, 8, event_id=late[0]), record(10, 9, event_id=late[1])]
    assert judged(ledger, [*in_order(), *last]).clean()
    assert judged(ledger, [*in_order(), *last[::-1]]).out_of_order == 1


def test_events_in_the_wrong_order_are_out_of_order(ledger):
    findings = judged(ledger, in_order([1, 2, 4, 3, 5, 6, 7, 8]))
    assert findings.out_of_order == 1 and findings.lost == 0


def test_a_rolled_back_event_is_a_ghost_although_its_number_was_given_again(ledger):
    rolled_back = record(5, 4, event_id=uuid.uuid4())
    before, after = in_order()[:4], [record(n, n) for n in range(5, 9)]
    findings = judged(ledger, [*before, rolled_back, *after])
    assert findings.ghosts == 1 and findings.lost == 0


def test_a_ghost_instead_of_the_event_is_a_loss_too(ledger):
    records = in_order()
    records[4] = record(5, 4, event_id=uuid.uuid4())
    findings = judged(ledger, records)
    assert (findings.ghosts, findings.lost) == (1, 1)


def test_an_event_beyond_the_last_number_is_a_ghost(ledger):
    stranger = record(9, 8, event_id=uuid.uuid4())
    assert judged(ledger, [*in_order(), stranger]).ghosts == 1


def test_a_repeat_after_a_restart_counts_as_a_duplicate_and_is_clean(ledger):
    again = [record(n, 3 + n, epoch=2) for n in range(3, 9)]
    findings = judged(ledger, [*in_order(range(1, 6)), *again])
    assert findings.clean() and findings.duplicates == 3


def test_a_repeat_of_what_was_saved_before_is_outside_the_window(ledger):
    mark = Mark(settled=(300, 1), end_lsn=300, confirmed_lsn=300, ends={0: 5})
    again = [record(n, 2 + n, epoch=2) for n in range(3, 9)]
    findings = judged(ledger, [*in_order(range(1, 6)), *again], [mark])
    assert findings.outside == 1 and not findings.clean()


def test_a_repeat_of_what_was_not_saved_is_inside_the_window(ledger):
    mark = Mark(settled=(300, 0), end_lsn=200, confirmed_lsn=200, ends={0: 5})
    again = [record(n, 2 + n, epoch=2) for n in range(3, 9)]
    assert judged(ledger, [*in_order(range(1, 6)), *again], [mark]).clean()


def test_a_repeat_that_was_appended_before_the_mark_is_not_judged_by_it(ledger):
    late = Mark(settled=(800, 1), end_lsn=800, confirmed_lsn=800, ends={0: 100})
    again = [record(n, 2 + n, epoch=2) for n in range(3, 9)]
    assert judged(ledger, [*in_order(range(1, 6)), *again], [late]).clean()


def test_repeats_with_a_gap_inside_one_run_are_outside_the_window(ledger):
    again = [record(n, 10 + n, epoch=2) for n in (2, 5, 6, 7, 8)]
    assert judged(ledger, [*in_order(), *again]).outside == 1


def test_repeats_of_an_old_and_a_new_run_may_interleave(ledger):
    both = [record(4, 10, epoch=1), record(3, 11, epoch=2), record(5, 12, epoch=1),
            record(4, 13, epoch=2), record(5, 14, epoch=2)]
    first = in_order(range(1, 4))
    last = [record(n, 20 + n, epoch=2) for n in range(6, 9)]
    assert judged(ledger, [*first, *both, *last]).clean()


def test_other_bytes_under_the_same_id_are_altered(ledger):
    records = in_order()
    records[2] = record(3, 2, value=content(KEY, 3).replace(b"x", b"y", 1))
    assert judged(ledger, records).altered == 1


def test_half_a_value_is_altered(ledger):
    records = in_order()
    records[7] = record(8, 7, value=content(KEY, 8)[:-3])
    findings = judged(ledger, records)
    assert findings.altered == 1 and findings.lost == 1


def test_a_wrong_key_is_altered(ledger):
    records = in_order()
    records[2] = record(3, 2, key=b"key-9")
    assert judged(ledger, records).altered == 1


def test_a_key_in_two_partitions_is_altered(ledger):
    records = in_order()
    records[2] = record(3, 2, partition=1)
    assert judged(ledger, records).altered == 1


def test_a_slot_confirmed_beyond_what_was_saved_breaks_invariant_6():
    assert Mark((0, 0), end_lsn=100, confirmed_lsn=101, ends={}).confirmed_beyond_saved()
    assert not Mark((0, 0), end_lsn=100, confirmed_lsn=100, ends={}).confirmed_beyond_saved()


def test_the_first_new_event_after_a_restart_is_no_repeat(ledger):
    arrivals = Arrivals([])
    arrivals.add(in_order(range(1, 6)))
    arrivals.await_new(since_ms=1005)
    arrivals.add([record(5, 5, epoch=2), record(6, 6, epoch=2)])
    assert arrivals.first_new_ms == 1006


def test_a_position_reads_as_postgres_prints_it():
    assert parse_position("16/B374D848/3") == (0x16B374D848, 3)


def test_content_gives_its_number_back():
    assert number_of(content(b"key-7", 4711)) == 4711
    assert number_of(b'{"n": 1}') is None and number_of(None) is None
