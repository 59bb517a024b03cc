"""Replay, discard and edit of dead letters in SQL (V005__replay.sql)."""

import json
import uuid

import pytest

from letters import PIPELINE, audit, discard, edit, file, relay, states


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


def test_a_request_that_is_asked_again_is_the_job_that_was_filed(schema, relay):
    relay.write(key="a")
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    filed = file(schema, request=one)
    assert filed[1] == 1 and file(schema, request=one) == filed
    assert file(schema, request=other) == (None, 0, 0, 1)
    assert schema.value("select count(*) from outbox.replay_job") == 1


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


