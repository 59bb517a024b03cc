"""Polling by status: what cannot be delivered is marked FAIL, with its cause, and can be sent
again."""

import pytest

import config_text
from config_text import route
from one_place import slot_name
from postbox import Postboxes
from service.port import free_port
from status_place import COLUMNS, StatusPlace, status_relay
from support.relay import Relay
from support.waiting import wait_until

TOO_LARGE = {"note": "x" * 3_000_000}


@pytest.fixture
def place():
    with StatusPlace() as place:
        yield place


def cause(place, event_id):
    return place.database.value("select cause from public.outbox where id = %s", [event_id])


def await_status(place, event_id, status):
    wait_until(lambda: place.counter.status(event_id) == status, f"the row is {status}")


def test_a_refused_event_becomes_a_dead_letter_first_and_its_row_fail_with_the_cause(
        tmp_path, place):
    with status_relay(tmp_path, place), Postboxes() as boxes:
        refused = place.counter.insert(payload=TOO_LARGE)
        behind = place.counter.insert()
        place.arriving.await_ids([behind])
        await_status(place, refused, "FAIL")
        await_status(place, behind, "SENT")
        assert "MSG_SIZE_TOO_LARGE" in cause(place, refused)
        letter = boxes[place.topic + ".dead-letter"].await_ids([refused])[0]
        assert dict(letter.headers)["outbox.error.code"] == b"MSG_SIZE_TOO_LARGE"
        assert not place.arriving.arrivals(refused)


def test_a_refused_row_set_to_ready_again_is_sent_again(tmp_path, place):
    with status_relay(tmp_path, place):
        event_id = place.counter.insert(payload=TOO_LARGE)
        await_status(place, event_id, "FAIL")
        place.database.execute("update public.outbox set status = 'READY', payload = '{}'"
                               " where id = %s", [event_id])
        place.arriving.await_ids([event_id])
        await_status(place, event_id, "SENT")


def test_a_skipped_event_is_fail_with_its_cause_and_no_dead_letter(tmp_path, place):
    with relay_with_route(tmp_path, place, route(place.topic, on_failure="skip")):
        event_id = place.counter.insert(payload=TOO_LARGE)
        await_status(place, event_id, "FAIL")
        assert "MSG_SIZE_TOO_LARGE" in cause(place, event_id)


def test_an_event_without_a_route_is_fail(tmp_path, place):
    with relay_with_route(tmp_path, place, route(place.topic, aggregate_type="order")):
        event_id = place.counter.insert(aggregate_type="stranger")
        sent = place.counter.insert()
        await_status(place, event_id, "FAIL")
        assert "NO_ROUTE" in cause(place, event_id)
        await_status(place, sent, "SENT")


def test_without_a_cause_column_the_row_is_fail_all_the_same(tmp_path, place):
    with status_relay(tmp_path, place, columns='status = "status", order = "seq"'):
        event_id = place.counter.insert(payload=TOO_LARGE)
        await_status(place, event_id, "FAIL")
        assert cause(place, event_id) is None


def relay_with_route(folder, place, routes):
    port, name = free_port(), slot_name()
    text = config_text.whole(port, name, [routes], name=name, mode="poll",
                             source_more=f'table = "public.outbox"\ncolumns = {{ {COLUMNS} }}')
    return Relay(folder, place.database.url, slot=name, pipeline=name, config=text,
                 admin_port=port)


@pytest.mark.parametrize("does", ["return null", "new.status := 'READY'; return new"],
                         ids=["passes over the row", "takes the mark back"])
def test_a_row_that_cannot_be_marked_stops_the_relay_and_is_not_sent_for_ever(
        tmp_path, place, does):
    place.database.execute(
        f"create function public.keep() returns trigger language plpgsql as 'begin {does}; end'"
        .replace("'READY'", "''READY''"))
    place.database.execute("create trigger keep before update on public.outbox"
                           " for each row execute function public.keep()")
    event_id = place.counter.insert()
    relay = status_relay(tmp_path, place)
    relay.start()
    assert relay.wait(30) == 1
    assert "MARK_WITHOUT_EFFECT" in relay.log_tail() and event_id in relay.log_tail()
    place.arriving.await_ids([event_id])
    assert len(place.arriving.arrivals(event_id)) == 1


def test_a_row_that_somebody_deletes_before_it_is_marked_stops_nobody(tmp_path, place):
    """A row lock holds the mark up until the row is gone."""
    with status_relay(tmp_path, place):
        with place.counter.transaction() as cursor:
            event_id = place.counter.insert()
            cursor.execute("select 1 from public.outbox where id = %s for update", [event_id])
            place.arriving.await_ids([event_id])
            cursor.execute("delete from public.outbox where id = %s", [event_id])
        behind = place.counter.insert()
        place.arriving.await_ids([behind])
        await_status(place, behind, "SENT")
