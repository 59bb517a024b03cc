"""Dead letters in SQL: what the relay writes, held keys, and who may do what
(V004__dead_letters.sql)."""

import uuid

import psycopg2
import pytest

from letters import PIPELINE, Relay, audit, discard, file, relay, states


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
