"""Dead letters in SQL: what the relay writes, what operators ask for, and who may do what
(V004__dead_letters.sql)."""

import json
import uuid

import psycopg2
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
            cursor.execute("select outbox.letters_fence(%s, %s, %s, 1, 'slot', '0/0', %s, %s, null)",
                           [PIPELINE, self.epoch, system, commit, ordinal])
            cursor.execute(sql, list(arguments))
            rows = cursor.fetchall()
            cursor.connection.commit()
            return rows

    def write(self, state="parked", key="k", event_id=None, payload=b"p", code="TOO_LARGE",
              event_type="E", retry_in="1 hour", give_up_in="1 day", saved=None, headers="{}",
              topic="order.events"):
        """True: an earlier relay had written it."""
        return self.call(
            "select outbox.letter_write(%s, %s, %s, %s, 'order', %s, %s, %s, 'bytes', %s, null,"
            " '{}', '2026-01-02', 7, '0/1/2', %s, %s, 'why', 0, 'relay', %s, %s)",
            [PIPELINE, self.epoch, state, str(event_id or uuid.uuid4()), key, event_type, payload,
             headers, topic, code, retry_in, give_up_in], saved)[0][0]

    def jobs(self):
        return [job for job, _ in self.call("select * from outbox.replay_jobs(%s)", [PIPELINE])]

    def page(self, job=0, after=(0, 0), letters=100, size=10**6):
        return [(lane, place, letter) for lane, place, letter in self.call(
            "select coalesce(lane, 0), place, letter from outbox.replay_page(%s, %s, %s, %s, %s, %s)",
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


@pytest.fixture
def relay(schema):
    return Relay(schema)


def states(schema):
    return [state for state, in schema.execute(
        "select state from outbox.dead_letter order by letter")]


def file(schema, role="operator", dry_run=False, rate=None, failures_max=None, reason="mended",
         **chosen):
    """(job, letters, behind, taken)"""
    return schema.execute("select * from outbox.replay_file(%s, %s, %s, %s, %s)",
                          [json.dumps({"pipeline": PIPELINE, **chosen}), reason, rate, failures_max,
                           dry_run], role)[0]


def discard(schema, role="operator", reason="known", dry_run=False, **chosen):
    return schema.execute("select * from outbox.letters_discard(%s, %s, %s)",
                          [json.dumps({"pipeline": PIPELINE, **chosen}), reason, dry_run], role)[0]


def audit(schema):
    return [(action, letter) for action, letter in schema.execute(
        "select action, letter from outbox.audit order by entry")]


# --- what the relay writes

def test_a_letter_is_kept_as_it_was(schema, relay):
    event_id = uuid.uuid4()
    relay.write(event_id=event_id, payload=b"\x00\xff", headers='{"b": "1", "a": null}')
    assert schema.execute(
        "select state, event_id::text, aggregate_type, aggregate_id, event_type, payload::bytea,"
        " headers::text, source_position, topic, first_code, last_code, seq"
        " from outbox.dead_letter")[0][:5] == ("parked", str(event_id), "order", "k", "E")
    payload, headers = schema.execute("select payload, headers::text from outbox.dead_letter")[0]
    assert (bytes(payload), headers) == (b"\x00\xff", '{"b": "1", "a": null}')


def test_the_same_event_again_is_one_letter_and_an_earlier_relay_s_is_known(schema, relay):
    event_id = uuid.uuid4()
    assert relay.write(event_id=event_id) is False
    assert relay.write(event_id=event_id) is False, "asked again after a lost answer"
    successor = Relay(schema)
    assert successor.write(event_id=event_id) is True
    assert states(schema) == ["parked"]


def test_another_content_under_the_same_id_is_another_letter(schema, relay):
    event_id = uuid.uuid4()
    assert relay.write(event_id=event_id, payload=b"one") is False
    assert relay.write(event_id=event_id, payload=b"two") is False
    assert relay.write(event_id=event_id, payload=None) is False
    assert relay.write(event_id=event_id, payload=b"") is False
    assert states(schema) == ["parked"] * 4


def test_a_letter_that_was_delivered_and_comes_again_is_known_and_not_open_again(schema, relay):
    event_id = uuid.uuid4()
    relay.write(event_id=event_id)
    job = file(schema)[0]
    relay.delivered(*relay.letters_of(job))
    assert Relay(schema).write(event_id=event_id) is True
    assert states(schema) == ["delivered"]
    assert schema.value("select count(*) from outbox.lane") == 0


def test_a_dead_letter_whose_route_parks_now_blocks_its_key(schema, relay):
    event_id = uuid.uuid4()
    relay.write("dead", event_id=event_id)
    assert schema.value("select count(*) from outbox.lane") == 0
    assert Relay(schema).write("parked", event_id=event_id) is False
    assert states(schema) == ["parked"]
    assert schema.value("select count(*) from outbox.lane") == 1


def test_letters_of_a_key_share_a_lane_and_those_without_a_key_have_one_each(schema, relay):
    for key in ("a", "a", "b", None, None):
        relay.write(key=key)
    assert schema.value("select count(*) from outbox.lane") == 4
    assert schema.execute("select * from outbox.blocked_keys(%s) order by 2", [PIPELINE],
                          "relay") == [("order", "a", "E", 2), ("order", "b", "E", 1)]


def test_a_relay_that_was_taken_over_writes_nothing(schema, relay):
    Relay(schema)
    with pytest.raises(psycopg2.Error) as refused:
        relay.write()
    assert refused.value.pgcode == "OB001" and "took pipeline 'orders' over" in str(refused.value)
    assert states(schema) == []


def test_a_parked_letter_saves_progress_in_the_same_transaction(schema, relay):
    relay.write(saved=("0/500", 3))
    assert schema.execute("select commit_lsn, ordinal from outbox.progress") == [("0/500", 3)]
    relay.write("dead")
    assert schema.execute("select commit_lsn, ordinal from outbox.progress") == [("0/500", 3)]


# --- held

def test_a_held_lane_is_due_when_its_time_has_come_whole_and_in_order(schema, relay):
    relay.write("held", key="later", retry_in="1 hour")
    relay.write("held", key="now", retry_in="0")
    relay.write("held", key="now", code=None)
    assert relay.jobs() == [0]
    assert relay.letters_of() == [2, 3]


def test_a_held_lane_that_is_refused_again_waits_longer_and_is_parked_in_the_end(schema, relay):
    relay.write("held", retry_in="0")
    relay.write("held", code=None)
    for attempt in (1, 2):
        assert relay.jobs() == [0]
        relay.refused(1, first="0", attempts=3)
        assert schema.execute("select state, attempts, job from outbox.lane") == [
            ("held", attempt, None)]
    assert relay.jobs() == [0]
    relay.refused(1, first="0", attempts=3)
    assert states(schema) == ["parked", "parked"]
    assert schema.execute("select state, job, next_attempt_at from outbox.lane") == [
        ("parked", None, None)]
    assert ("given up", 1) in audit(schema)
    assert relay.jobs() == []


def test_a_held_lane_past_its_deadline_is_parked(schema, relay):
    relay.write("held", retry_in="0", give_up_in="0")
    relay.jobs()
    relay.refused(1)
    assert states(schema) == ["parked"]


def test_waits_grow_and_are_drawn_below_the_limit(schema, relay):
    relay.write("held", retry_in="0")
    waits = []
    for _ in range(12):
        relay.jobs()
        schema.execute("update outbox.lane set job = 0")
        relay.refused(1, first="1 s", most="1 min", attempts=1000)
        waits.append(schema.value("select extract(epoch from next_attempt_at - now())::float"
                                  " from outbox.lane"))
        schema.execute("update outbox.lane set next_attempt_at = now()")
    assert all(wait < min(60, 2 ** (n + 1)) for n, wait in enumerate(waits))
    assert max(waits) > 4


# --- replay

def test_a_dry_run_counts_what_the_replay_then_takes_and_changes_nothing(schema, relay):
    for key in ("a", "a", "b"):
        relay.write(key=key)
    relay.write("dead", key="c")
    assert file(schema, dry_run=True) == (None, 4, 0, 0)
    assert schema.value("select count(*) from outbox.replay_job") == 0
    job, letters, behind, taken = file(schema)
    assert (letters, behind, taken) == (4, 0, 0)
    assert relay.jobs() == [job]
    assert relay.letters_of(job) == [4, 1, 2, 3]


def test_followers_go_with_the_first_of_their_key_also_those_that_come_later(schema, relay):
    relay.write(key="a", code="TOO_LARGE")
    relay.write(key="a", code=None)
    job = file(schema, cause="TOO_LARGE")[0]
    relay.write(key="a", code=None)
    assert relay.letters_of(job) == [1, 2, 3]


def test_a_follower_alone_is_not_taken_out_of_its_order(schema, relay):
    relay.write(key="a", code="TOO_LARGE")
    relay.write(key="a", code="OTHER")
    assert file(schema, cause="OTHER") == (None, 0, 1, 0)
    assert file(schema, cause="TOO_LARGE", dry_run=True)[1] == 2


def test_filters_choose(schema, relay):
    wanted = uuid.uuid4()
    relay.write("dead", key="a", code="X", event_id=wanted, event_type="Made", topic="t")
    relay.write("dead", key="b", code="Y")
    relay.write("dead", key=None, code="Y")
    for chosen in ({"key": "a"}, {"cause": "X"}, {"id": str(wanted)}, {"type": "Made"},
                   {"topic": "t"}, {"letter": 1}):
        assert file(schema, dry_run=True, **chosen)[1] == 1, chosen
    assert file(schema, dry_run=True, aggregate="order")[1] == 3
    assert file(schema, dry_run=True, since="2020-01-01")[1] == 3
    assert file(schema, dry_run=True, until="2020-01-01")[1] == 0
    assert file(schema, dry_run=True, key="' or true --")[1] == 0


@pytest.mark.parametrize("chosen, what", [
    ({"kee": "a"}, "has no 'kee'"), ({"id": "x"}, "invalid input syntax for type uuid")])
def test_a_senseless_filter_is_refused(schema, relay, chosen, what):
    diag = schema.refusal("select outbox.replay_file(%s, 'r')",
                          [json.dumps({"pipeline": PIPELINE, **chosen})], role="operator")
    assert what in diag.message_primary


def test_a_replay_names_its_pipeline_and_its_reason(schema, relay):
    relay.write()
    diag = schema.refusal("select outbox.replay_file('{}', 'r')", role="operator")
    assert "the filter names none" in diag.message_primary
    for reason in ("", None):
        schema.refusal("select outbox.replay_file(%s, %s)",
                       [json.dumps({"pipeline": PIPELINE}), reason], role="operator")


def test_a_letter_belongs_to_one_job(schema, relay):
    relay.write(key="a")
    relay.write("dead", key="b")
    assert file(schema, key="a")[1] == 1
    assert file(schema) != (None, 0, 0, 2)
    assert file(schema) == (None, 0, 0, 2)


def test_a_job_is_done_when_all_of_it_is_delivered(schema, relay):
    relay.write(key="a")
    relay.write("dead", key="b")
    job = file(schema)[0]
    relay.delivered(2)
    relay.passed(job)
    assert schema.value("select state from outbox.replay_job") == "open"
    relay.delivered(1)
    relay.passed(job)
    assert schema.execute("select state, selected, delivered, refused from outbox.replay_job") == [
        ("done", 2, 2, 0)]
    assert schema.value("select count(*) from outbox.lane") == 0
    assert [entry for entry in audit(schema) if entry[0] == "delivered"] == [
        ("delivered", 2), ("delivered", 1)]


def test_a_refused_lane_leaves_its_job_and_the_rest_goes_on(schema, relay):
    for key in ("a", "a", "b"):
        relay.write(key=key)
    job = file(schema)[0]
    relay.refused(1)
    assert relay.letters_of(job) == [3]
    relay.delivered(3)
    relay.passed(job)
    assert schema.execute("select state, delivered, refused from outbox.replay_job") == [
        ("done", 1, 1)]
    assert states(schema) == ["parked", "parked", "delivered"]
    assert schema.execute("select last_code, first_code, replays from outbox.dead_letter"
                          " where letter = 1") == [("AGAIN", "TOO_LARGE", 1)]


def test_a_job_stops_at_its_most_failures(schema, relay):
    for _ in range(5):
        relay.write("dead")
    job = file(schema, failures_max=2)[0]
    relay.refused(1)
    relay.refused(2)
    assert schema.value("select state from outbox.replay_job") == "stopped"
    assert relay.jobs() == [] and relay.letters_of(job) == []
    assert file(schema, dry_run=True)[1] == 5


def test_pages_go_on_behind_the_last_and_keep_their_bounds(schema, relay):
    for key in ("a", "b", "a", "b"):
        relay.write(key=key, payload=b"x" * 1000)
    relay.write("dead", key="c", payload=b"x" * 1000)
    job = file(schema)[0]
    seen, after = [], (0, 0)
    while page := relay.page(job, after, letters=2):
        assert len(page) <= 2
        seen += [letter for _, _, letter in page]
        after = page[-1][:2]
    assert seen == [5, 1, 3, 2, 4]
    assert len(relay.page(job, size=1500)) == 1
    assert len(relay.page(job, size=1)) == 1, "one always"


def test_pause_resume_and_end(schema, relay):
    relay.write("dead")
    job = file(schema)[0]

    def control(act):
        return schema.execute("select outbox.replay_control(%s, %s, 'because')", [job, act],
                              "operator")

    control("pause")
    assert relay.jobs() == [] and relay.letters_of(job) == []
    control("resume")
    assert relay.jobs() == [job]
    control("end")
    assert relay.jobs() == [] and file(schema, dry_run=True)[1] == 1
    diag = schema.refusal("select outbox.replay_control(%s, 'resume', 'r')", [job], "operator")
    assert "is over: stopped" in diag.message_primary


# --- discard and edit

def test_a_discarded_letter_of_a_lane_is_told_to_the_relay_until_it_has_heard(schema, relay):
    for key in ("a", "a"):
        relay.write(key=key)
    assert discard(schema, letter=1) == (1, 0)
    assert states(schema) == ["discarded", "parked"]
    gone = "select letter, aggregate_id from outbox.letters_gone(%s, %s::bigint[])"
    for _ in range(2):
        assert relay.call(gone, [PIPELINE, []]) == [(1, "a")]
    assert relay.call(gone, [PIPELINE, [1]]) == []
    assert relay.call(gone, [PIPELINE, []]) == []


def test_a_relay_that_starts_counts_what_is_left(schema, relay):
    for key in ("a", "a", "b"):
        relay.write(key=key)
    discard(schema, letter=1)
    discard(schema, key="b")
    assert relay.call("select aggregate_id, letters from outbox.blocked_keys(%s)",
                      [PIPELINE]) == [("a", 1)]
    assert relay.call("select * from outbox.letters_gone(%s, '{}')", [PIPELINE]) == []


def test_what_is_being_replayed_is_not_discarded(schema, relay):
    relay.write(key="a")
    relay.write("dead", key="b")
    file(schema)
    assert discard(schema) == (0, 2)
    assert states(schema) == ["parked", "dead"]


def test_who_discards_says_why(schema, relay):
    relay.write()
    diag = schema.refusal("select outbox.letters_discard('{\"pipeline\": \"orders\"}', '')",
                          role="operator")
    assert "says why" in diag.message_primary


def edit(schema, letter, payload=None, headers=None):
    return schema.execute("select * from outbox.letter_edit(%s, %s, %s, 'typo')",
                          [letter, payload, headers], "operator")[0]


def test_an_edited_letter_is_a_new_event_in_the_place_of_the_old_one(schema, relay):
    event_id = uuid.uuid4()
    relay.write(key="a", event_id=event_id, headers='{"tenant": "x"}')
    relay.write(key="a", code=None)
    letter, new_id = edit(schema, 1, payload=b"mended")
    assert letter == 3 and new_id != event_id
    assert states(schema) == ["replaced", "parked", "parked"]
    job = file(schema)[0]
    assert relay.letters_of(job) == [3, 2], "it goes where the old one stood"
    payload, headers, replaces = schema.execute(
        "select payload, headers, replaces from outbox.dead_letter where letter = 3")[0]
    assert bytes(payload) == b"mended" and replaces == 1
    assert headers == {"tenant": "x", "replaces": str(event_id)}
    assert ("edited", 1) in audit(schema)


def test_an_edit_of_headers_is_checked_as_published_ones_are(schema, relay):
    relay.write()
    diag = schema.refusal("select outbox.letter_edit(1, null, '{\"id\": \"x\"}', 'r')",
                          role="operator")
    assert "reserved name" in diag.message_primary


# --- rights

def test_the_audit_is_append_only_for_its_owner_too(schema, relay):
    relay.write("dead")
    discard(schema)
    for sql in ("update outbox.audit set who = 'me'", "delete from outbox.audit",
                "truncate outbox.audit"):
        diag = schema.refusal(sql, role="superuser")
        assert "append-only" in diag.message_primary


def test_who_did_it_is_the_session_s_user(schema, relay):
    relay.write("dead")
    file(schema)
    assert schema.value("select who from outbox.audit where action = 'replay asked for'") == \
        schema.logins["operator"]
    assert schema.value("select asked_by from outbox.replay_job") == schema.logins["operator"]


@pytest.mark.parametrize("role, sql", [
    ("reader", "select payload from outbox.dead_letter"),
    ("reader", "select headers from outbox.dead_letter"),
    ("relay", "delete from outbox.dead_letter"),
    ("operator", "update outbox.dead_letter set state = 'dead'"),
    ("operator", "insert into outbox.audit (action, pipeline) values ('x', 'y')"),
    ("reader", "select * from outbox.replay_file('{}', 'r')"),
    ("writer", "select count(*) from outbox.dead_letter"),
    ("relay", "select * from outbox.letters_discard('{}', 'r')"),
    ("operator", "select outbox.letters_delivered('orders', '{1}')")])
def test_what_a_role_may_not_do(schema, relay, role, sql):
    assert schema.refusal(sql, role=role).sqlstate == "42501"


def test_a_reader_sees_causes_and_no_payload(schema, relay):
    relay.write("dead", code="X")
    assert schema.execute("select code, letters from outbox.dead_letter_cause", role="reader") == [
        ("X", 1)]
    assert schema.value("select last_detail from outbox.dead_letter", role="reader") == "why"
