"""outbox.receive(): a consumer acts on an event once; and how the inbox is emptied."""

import threading
import uuid

import psycopg2
import pytest

from support.waiting import wait_until

RECEIVE = "select outbox.receive(%s, %s)"


def new_id():
    return str(uuid.uuid4())


def receive(schema, consumer, event):
    return schema.value(RECEIVE, [consumer, event], role="consumer")


def waits_for_a_lock(schema, pid):
    return schema.value("select wait_event_type = 'Lock' from pg_stat_activity where pid = %s",
                        [pid])


class Worker:
    """A transaction of a consumer in a thread: it receives, waits to be told, and commits."""

    def __init__(self, schema, consumer, event, isolation="read committed"):
        self.answer = None
        self.error = None
        self._opened = schema.as_role("consumer", autocommit=False)
        self.cursor = self._opened.__enter__()
        self.cursor.execute(f"set transaction isolation level {isolation}")
        self.cursor.execute("select pg_backend_pid()")
        self.pid, = self.cursor.fetchone()
        self._arguments = [consumer, event]
        self._thread = threading.Thread(target=self._receive)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._opened.__exit__(None, None, None)

    def begin(self):
        self._thread.start()

    def await_answer(self):
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _receive(self):
        try:
            self.cursor.execute(RECEIVE, self._arguments)
            self.answer, = self.cursor.fetchone()
        except psycopg2.Error as error:
            self.error = error


def test_an_event_is_received_once_and_its_repeat_is_told(schema):
    event = new_id()
    assert receive(schema, "mailer", event) is True
    assert receive(schema, "mailer", event) is False
    assert receive(schema, "mailer", new_id()) is True
    assert schema.execute("select consumer, count(*) from outbox.inbox group by 1") == [
        ("mailer", 2)]


def test_two_consumers_in_one_database_both_act(schema):
    event = new_id()
    assert receive(schema, "mailer", event) is True
    assert receive(schema, "billing", event) is True
    assert receive(schema, "mailer", event) is False
    assert receive(schema, "billing", event) is False


def test_what_is_rolled_back_was_not_received(schema):
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as cursor:
        cursor.execute(RECEIVE, ["mailer", event])
        assert cursor.fetchone() == (True,)
        cursor.connection.rollback()
        cursor.execute("savepoint s")
        cursor.execute(RECEIVE, ["mailer", event])
        cursor.execute("rollback to s")
        cursor.connection.commit()
    assert receive(schema, "mailer", event) is True


def test_twice_in_one_transaction_it_is_received_once(schema):
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as cursor:
        cursor.execute("select outbox.receive('mailer', %s), outbox.receive('mailer', %s)",
                       [event, event])
        assert cursor.fetchone() == (True, False)


@pytest.mark.parametrize("ending, second_acts", [("commit", False), ("rollback", True)])
def test_the_second_of_two_workers_waits_for_the_first_and_acts_only_if_it_rolled_back(
        schema, ending, second_acts):
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as first, \
            Worker(schema, "mailer", event) as second:
        first.execute(RECEIVE, ["mailer", event])
        assert first.fetchone() == (True,)
        second.begin()
        wait_until(lambda: waits_for_a_lock(schema, second.pid), "the second worker waits")
        assert second.answer is None
        first.execute(ending)
        second.await_answer()
        assert (second.answer, second.error) == (second_acts, None)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_with_an_older_snapshot_the_second_worker_repeats_its_transaction(schema, isolation):
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as first, \
            Worker(schema, "mailer", event, isolation) as second:
        first.execute(RECEIVE, ["mailer", event])
        second.begin()
        wait_until(lambda: waits_for_a_lock(schema, second.pid), "the second worker waits")
        first.execute("commit")
        second.await_answer()
        assert second.answer is None and second.error.pgcode == "40001"
        second.cursor.connection.rollback()
        second.cursor.execute(f"set transaction isolation level {isolation}")
        second.cursor.execute(RECEIVE, ["mailer", event])
        assert second.cursor.fetchone() == (False,)


def test_of_many_workers_with_the_same_events_one_acts_on_each(schema):
    schema.execute("create table acted (event uuid)")
    schema.execute("grant insert on acted to public")
    events = [new_id() for _ in range(50)]

    def work(order):
        with schema.as_role("consumer", autocommit=False) as cursor:
            for event in order:
                cursor.execute("insert into acted select %s where outbox.receive('mailer', %s)",
                               [event, event])
                cursor.connection.commit()

    threads = [threading.Thread(target=work, args=[events[n:] + events[:n]]) for n in range(8)]
    threads += [threading.Thread(target=work, args=[events]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        turn_over(schema)
    for thread in threads:
        thread.join()
    assert schema.execute("select count(*), count(distinct event) from acted") == [(50, 50)]


def test_a_consumer_without_a_name_and_an_event_without_an_id_are_refused(schema):
    nameless = schema.refusal(RECEIVE, ["", new_id()], role="consumer")
    assert nameless.sqlstate == "22023" and "1 to 200 bytes" in nameless.message_primary
    without_id = schema.refusal(RECEIVE, ["mailer", None], role="consumer")
    assert without_id.sqlstate == "22004"
    assert "without an id" in without_id.message_primary and '"id"' in without_id.message_hint


def test_a_callers_temporary_table_and_path_do_not_stand_in_for_the_inbox(schema):
    event = new_id()
    with schema.as_role("consumer") as cursor:
        cursor.execute("create temporary table inbox (consumer text, id uuid, turn smallint)")
        cursor.execute("set search_path = pg_temp, outbox")
        cursor.execute(RECEIVE, ["mailer", event])
        cursor.execute("select count(*) from pg_temp.inbox")
        assert cursor.fetchone() == (0,)
    assert receive(schema, "mailer", event) is False


# ---- Retention


def age(schema, how_long):
    """As if so much time had gone by since the turns began."""
    schema.execute("update outbox.inbox_turn set since = since - %s::interval", [how_long])


class Round:
    def __init__(self, schema, older_than="30 days", replayable_since=None):
        self.emptied, self.freed_bytes, self.kept_since, self.held_by = schema.execute(
            "select * from outbox.inbox_retain(%s, %s)", [older_than, replayable_since],
            role="operator")[0]


def turn_over(schema):
    age(schema, "10 days")
    return Round(schema)


def test_rows_are_kept_for_the_asked_time_and_go_soon_after(schema):
    """Thirty days: a turn is ten, and what was received in the first one goes on day 40."""
    old = new_id()
    receive(schema, "mailer", old)
    for day in (10, 20, 30):
        age(schema, "9 days")
        assert Round(schema).emptied is False
        age(schema, "1 day")
        done = Round(schema)
        assert done.emptied is True and done.held_by is None, day
        assert receive(schema, "mailer", old) is False
    age(schema, "10 days")
    done = Round(schema)
    assert done.emptied is True and done.freed_bytes > 0 and done.kept_since is not None
    assert receive(schema, "mailer", old) is True


def test_nothing_is_deleted_row_by_row_and_no_dead_row_stays(schema):
    for _ in range(5):
        schema.execute("select outbox.receive('mailer', gen_random_uuid())"
                       " from generate_series(1, 500)", role="consumer")
        turn_over(schema)
    assert schema.value("select count(*) from outbox.inbox") == 1500
    schema.execute("select pg_stat_force_next_flush()")
    assert schema.value("select sum(n_tup_del) from pg_stat_user_tables"
                        " where relname ~ '^inbox_[0-3]$'") == 0


def test_what_may_still_be_replayed_stays_whatever_its_age(schema):
    receive(schema, "mailer", new_id())
    for _ in range(3):
        turn_over(schema)
    age(schema, "100 days")
    done = Round(schema, replayable_since="-infinity")
    assert done.emptied is False and "may be replayed" in done.held_by
    assert schema.value("select count(*) from outbox.inbox") == 1
    assert Round(schema, replayable_since="2999-01-01").emptied is True
    assert schema.value("select count(*) from outbox.inbox") == 0


def test_a_transaction_that_has_received_something_is_waited_for_briefly_and_named(schema):
    age(schema, "10 days")
    with schema.as_role("consumer", autocommit=False) as busy:
        busy.execute("set application_name = 'slow mailer'")
        busy.execute(RECEIVE, ["mailer", new_id()])
        done = Round(schema)
        assert done.emptied is False and "slow mailer" in done.held_by
        busy.connection.commit()
    assert Round(schema).emptied is True


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_the_turn_changed_receives_nothing(schema, isolation):
    """Else it would overlook what was received since, in another partition."""
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as late:
        late.execute(f"set transaction isolation level {isolation}")
        late.execute("select 1")
        assert receive(schema, "mailer", event) is True
        assert turn_over(schema).emptied is True
        with pytest.raises(psycopg2.Error) as refused:
            late.execute(RECEIVE, ["mailer", event])
        assert refused.value.pgcode == "40001"


def test_an_event_of_an_older_turn_is_known_to_a_transaction_that_began_before(schema):
    """In READ COMMITTED the snapshot is that of the statement."""
    event = new_id()
    with schema.as_role("consumer", autocommit=False) as late:
        late.execute("select 1")
        assert receive(schema, "mailer", event) is True
        assert turn_over(schema).emptied is True
        late.execute(RECEIVE, ["mailer", event])
        assert late.fetchone() == (False,)


@pytest.mark.parametrize("interval", ["0", "-1 day", None])
def test_a_time_to_keep_that_is_none_is_refused(schema, interval):
    diag = schema.refusal("select * from outbox.inbox_retain(%s)", [interval], role="operator")
    assert diag.sqlstate == "22023" and "more than 0" in diag.message_primary
