"""outbox.progress: the epoch fences old relays (invariant 8), marks never go back (invariant 6)."""

import threading

import pytest

TAKE = "select * from outbox.progress_take(%s, %s, %s, %s)"
SAVE = "select outbox.progress_save(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
MARKS = ("select end_lsn::text, commit_lsn::text, ordinal, delivered_seq, system_id, timeline,"
         " epoch from outbox.progress where pipeline = %s")


class Pipeline:
    """What the relay does with its row, as the relay's login."""

    def __init__(self, schema, name):
        self.schema = schema
        self.name = name

    def take(self, system_id="7", timeline=1, slot="slot"):
        return self.schema.execute(TAKE, [self.name, system_id, timeline, slot], role="relay")[0]

    def save(self, epoch, end_lsn, commit_lsn="0/0", ordinal=0, delivered_seq=None, system_id="7",
             timeline=1):
        return self.schema.value(SAVE, [self.name, epoch, system_id, timeline, "slot", end_lsn,
                                        commit_lsn, ordinal, delivered_seq], role="relay")

    def marks(self):
        return self.schema.execute(MARKS, [self.name])[0]


@pytest.fixture
def pipeline(shared, request):
    return Pipeline(shared, request.node.name)


def test_the_first_take_makes_the_row_with_epoch_1_and_zero_marks(pipeline):
    row = pipeline.take("18446744073709551615", 3, "outbox_shop")
    assert row[:9] == (pipeline.name, "18446744073709551615", 3, "outbox_shop", "0/0", "0/0", 0,
                       None, 1)


def test_each_take_raises_the_epoch_and_gives_back_what_was_saved(pipeline):
    pipeline.take()
    assert pipeline.save(1, "0/100", "0/200", 5, 42) is True
    row = pipeline.take("8", 2, "other")
    assert row[1:9] == ("7", 1, "slot", "0/100", "0/200", 5, 42, 2)
    assert pipeline.take()[8] == 3


def test_a_save_with_an_old_epoch_is_refused_and_changes_nothing(pipeline):
    pipeline.take()
    assert pipeline.save(1, "0/100") is True
    pipeline.take()
    before = pipeline.marks()
    assert pipeline.save(1, "0/900", "0/900", 9, 9) is False
    assert pipeline.marks() == before
    assert pipeline.save(2, "0/200") is True


def test_a_save_with_an_epoch_of_the_future_or_no_row_is_refused(pipeline):
    assert pipeline.save(1, "0/100") is False
    pipeline.take()
    assert pipeline.save(2, "0/100") is False


def test_a_save_that_waited_for_a_take_is_fenced_by_it(pipeline):
    pipeline.take()
    outcome = []
    with pipeline.schema.as_role("relay", autocommit=False) as taker:
        taker.execute(TAKE, [pipeline.name, "7", 1, "slot"])
        zombie = threading.Thread(target=lambda: outcome.append(pipeline.save(1, "0/999")))
        zombie.start()
        zombie.join(0.3)
        assert not outcome
        taker.connection.commit()
        zombie.join()
    assert outcome == [False]
    assert pipeline.marks()[0] == "0/0"


def test_two_takes_at_once_get_two_epochs(pipeline):
    epochs = []
    threads = [threading.Thread(target=lambda: epochs.append(pipeline.take()[8]))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(epochs) == list(range(1, 9))


def test_a_mark_below_the_stored_one_leaves_it_as_it_is(pipeline):
    pipeline.take()
    assert pipeline.save(1, "0/100", "0/200", 5, 42)
    assert pipeline.save(1, "0/50", "0/200", 4, 41)
    assert pipeline.marks()[:4] == ("0/100", "0/200", 5, 42)
    assert pipeline.save(1, "0/300", "0/0", 0)
    assert pipeline.marks()[:4] == ("0/300", "0/200", 5, 42)
    assert pipeline.save(1, "0/0", "0/400", 1, 50)
    assert pipeline.marks()[:4] == ("0/300", "0/400", 1, 50)


def test_lsns_are_compared_as_numbers_not_as_text(pipeline):
    pipeline.take()
    assert pipeline.save(1, "9/FFFFFFFF")
    assert pipeline.save(1, "10/0")
    assert pipeline.marks()[0] == "10/0"


def test_on_another_timeline_the_marks_are_what_the_relay_says(pipeline):
    pipeline.take()
    assert pipeline.save(1, "0/900", "0/900", 9, 42)
    assert pipeline.save(1, "0/800", "0/0", 0, timeline=2)
    assert pipeline.marks()[:6] == ("0/800", "0/0", 0, 42, "7", 2)


@pytest.mark.parametrize("change", [
    "end_lsn = '0/99'", "commit_lsn = '0/99'", "ordinal = 4", "delivered_seq = 41",
    "delivered_seq = null", "epoch = 0", "commit_lsn = '0/1', ordinal = 100"])
def test_by_plain_sql_too_nothing_moves_back(pipeline, change):
    pipeline.take()
    assert pipeline.save(1, "0/100", "0/200", 5, 42)
    for role in ("relay", "superuser"):
        diag = pipeline.schema.refusal(
            f"update outbox.progress set {change} where pipeline = %s", [pipeline.name], role)
        assert diag.sqlstate == "55000" and "would move back" in diag.message_primary
    assert pipeline.marks()[:4] == ("0/100", "0/200", 5, 42)


@pytest.mark.parametrize("arguments", [
    ["", "7", 1, "s"], ["p" * 201, "7", 1, "s"], ["p", "seven", 1, "s"], ["p", "7", 0, "s"],
    ["p", None, 1, "s"], ["p", "7", 1, None]])
def test_senseless_progress_is_refused(shared, arguments):
    assert shared.refusal(TAKE, arguments, role="relay").sqlstate in ("23514", "23502")


def test_saving_touches_one_page_again_and_again(schema):
    """The row is updated many times a second: updates must be heap-only, without index growth."""
    pipeline = Pipeline(schema, "orders")
    pipeline.take()
    with schema.as_role("relay") as cursor:
        for number in range(500):
            cursor.execute(SAVE, ["orders", 1, "7", 1, "slot", f"0/{number:X}", "0/0", 0, None])
    assert schema.value("select pg_relation_size('outbox.progress')") <= 3 * 8192
