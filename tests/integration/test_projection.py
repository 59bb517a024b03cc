"""The Postgres sink: a table or a function of another database, each event once and in order."""

import json
import re
import threading
import time
from contextlib import closing

import pytest

from logins import login
from outbox import outbox
from projection import (FUNCTION, TABLE, TO_TABLE, apply_inbox, config, projection, route)
from support.database import Database
from support.services import Services
from support.waiting import wait_until


def publish(place, count, keys=5, begin=0):
    """[(id, key, n)] in the order of their commits."""
    made = []
    for n in range(begin, begin + count):
        key = f"k{n % keys}"
        made.append((place.shop.publish(key=key, payload=json.dumps({"n": n})), key, n))
    return made


def by_key(rows):
    order = {}
    for _, key, n in rows:
        order.setdefault(key, []).append(n)
    return order


def assert_once_and_in_order(place, published):
    acted = place.await_acted([one for one, _, _ in published])
    assert len(acted) == len({one for one, _, _ in acted}) == len(published)
    assert by_key(acted) == by_key(published)


def rows(place):
    return dict(place.reports.execute("select aggregate_id, payload ->> 'n' from public.orders"))


@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_the_table_has_the_newest_event_of_each_key_and_no_row_of_a_deleted_one(tmp_path, mode):
    with projection(tmp_path, TO_TABLE, made=TABLE, mode=mode) as place:
        publish(place, 60)
        place.shop.publish(key="k1", payload=None)
        place.shop.publish(key="k2", payload=None)
        newest = place.shop.publish(key="k2", payload='{"n": 100}', event_type="reopened",
                                    headers={"by": "ada"})
        wait_until(lambda: rows(place) == {"k0": "55", "k2": "100", "k3": "58", "k4": "59"},
                   "the table is what the events say")
        assert place.reports.execute(
            "select aggregate_type, event_id::text, event_type, headers,"
            " committed_at > now() - interval '5 min' from public.orders"
            " where aggregate_id = 'k2'") == [("order", newest, "reopened", {"by": "ada"}, True)]
        assert place.reports.value("select count(*) from outbox.inbox where consumer = %s",
                                   [place.pipeline]) == 63
        assert place.letters() == []


def test_each_event_once_and_in_order_while_the_relay_is_killed(tmp_path):
    with projection(tmp_path) as place:
        published = []
        writer = threading.Thread(target=lambda: published.extend(publish(place, 1500)))
        writer.start()
        for _ in range(4):
            seen = len(place.acted())
            wait_until(lambda: len(place.acted()) > seen or not writer.is_alive(), "it goes on")
            place.relay.kill()
            place.relay.start()
            place.relay.wait_ready()
        writer.join()
        assert_once_and_in_order(place, published)
        assert place.letters() == []


def test_each_event_once_and_in_order_while_the_target_is_killed_and_comes_back(tmp_path):
    with Services.private(tmp_path / "target") as server:
        server.start(only="postgres")
        reports = Database(with_schema=False, server_url=server.env()["DATABASE_URL"])
        reports.__enter__()  # dies with its server
        with projection(tmp_path, reports=reports) as place:
            published = []
            writer = threading.Thread(target=lambda: published.extend(publish(place, 1000)))
            writer.start()
            for _ in range(2):
                seen = len(place.acted())
                wait_until(lambda: len(place.acted()) > seen or not writer.is_alive(), "it goes on")
                server.kill("postgres")
                place.await_reason("nothing can be written to public.act")
                server.start(only="postgres")
            writer.join()
            assert_once_and_in_order(place, published)
            assert place.letters() == []


def test_what_the_database_refuses_is_a_dead_letter_with_its_sqlstate_and_costs_no_other(tmp_path):
    with projection(tmp_path) as place:
        good = publish(place, 40)
        broken_check = place.shop.publish(key="k1", payload='{"n": -1}')
        broken_type = place.shop.publish(key="k2", payload='{"n": "many"}')
        no_json = place.shop.publish(key="k3", payload=b"no JSON")
        good += publish(place, 40, begin=40)
        assert_once_and_in_order(place, good)
        wait_until(lambda: len(place.letters()) == 3, "three letters are written")
        assert sorted(place.letters()) == sorted([(broken_check, "dead", "23514"),
                                                  (broken_type, "dead", "22P02"),
                                                  (no_json, "dead", "22P02")])
        detail = place.database.value("select last_detail from outbox.dead_letter"
                                      " where event_id = %s", [broken_check])
        assert "acted_n_check" in detail and "public.act" in detail


def test_an_event_that_always_runs_into_the_time_limit_is_refused_in_the_end(tmp_path):
    """The function says what a statement that was cancelled says, without the ten seconds."""
    made = FUNCTION + """;
        create function slow() returns trigger language plpgsql as $$ begin
          if new.n = 1000 then raise query_canceled; end if; return new;
        end $$;
        create trigger slow before insert on public.acted for each row execute function slow()"""
    with projection(tmp_path, made=made, routes=[route("park")]) as place:
        good = publish(place, 10)
        slow = place.shop.publish(key="slow", payload='{"n": 1000}')
        good += publish(place, 10, begin=10)
        assert_once_and_in_order(place, good)
        assert place.letters() == [(slow, "parked", "57014")]


def test_what_a_function_raises_or_a_deferred_constraint_says_at_commit_is_a_dead_letter(tmp_path):
    made = FUNCTION + """;
        create function late() returns trigger language plpgsql as $$ begin
          if new.n = 1000 then raise 'no thousand' using errcode = 'SH001'; end if; return null;
        end $$;
        create constraint trigger late after insert on acted deferrable initially deferred
        for each row execute function late()"""
    with projection(tmp_path, made=made) as place:
        with place.shop.transaction() as cursor:
            ids = [place.shop.publish(key=f"k{n % 7}", payload=json.dumps({"n": n}), cursor=cursor)
                   for n in range(990, 1020)]
        place.await_acted(ids[:10] + ids[11:])
        wait_until(lambda: place.letters() == [(ids[10], "dead", "SH001")], "the letter is there")
        assert len(place.acted()) == 29


def test_after_the_mend_a_parked_key_is_replayed_in_order_and_once(tmp_path):
    with projection(tmp_path, routes=[route("park")]) as place:
        bad = place.shop.publish(key="a", payload='{"n": -1}')
        behind = [place.shop.publish(key="a", payload=json.dumps({"n": n})) for n in range(10)]
        other = place.shop.publish(key="b", payload='{"n": 1}')
        place.await_acted([other])
        wait_until(lambda: len(place.letters()) == 11, "the key is parked")
        place.reports.execute("alter table public.acted drop constraint acted_n_check")
        job, letters = place.database.execute(
            "select job, letters from outbox.replay_file(%s, 'mended')",
            [json.dumps({"pipeline": place.pipeline})])[0]
        assert letters == 11
        acted = place.await_acted([bad, *behind])
        assert [one for one, key, _ in acted if key == "a"] == [bad, *behind]
        wait_until(lambda: place.database.value(
            "select state from outbox.replay_job where job = %s", [job]) == "done", "it is done")
        assert len(place.acted()) == 12


def test_a_held_key_goes_on_by_itself_after_the_mend(tmp_path):
    held = route("hold", "hold = { first_ms = 20, most_ms = 200 }")
    with projection(tmp_path, routes=[held]) as place:
        bad = place.shop.publish(key="a", payload='{"n": -1}')
        behind = place.shop.publish(key="a", payload='{"n": 1}')
        wait_until(lambda: len(place.letters()) == 2, "the key is held")
        place.reports.execute("alter table public.acted drop constraint acted_n_check")
        acted = place.await_acted([bad, behind])
        assert [one for one, _, _ in acted] == [bad, behind]


def test_a_lock_in_the_target_is_waited_for_and_makes_no_letter(tmp_path):
    with projection(tmp_path) as place:
        with closing(place.reports.connect(autocommit=False)) as busy:
            busy.cursor().execute("lock table public.acted in exclusive mode")
            first = place.shop.publish(key="a", payload='{"n": 1}')
            second = place.shop.publish(key="a", payload='{"n": 2}')
            time.sleep(6)  # past the relay's lock_timeout of 5 s
            assert place.letters() == []
            busy.rollback()
        assert [one for one, _, _ in place.await_acted([first, second])] == [first, second]
        assert place.letters() == []


def doctor(place):
    """(exit code, its findings about the target with their remedies, as text)."""
    done = place.relay.command("doctor", "-o", "json")
    return done.returncode, "\n".join(f"{one['what']}\n{one['fix']}"
                                      for one in json.loads(done.stdout)
                                      if "sink" in one["subject"])


def test_without_inbox_and_table_events_wait_and_doctor_prints_what_makes_them(tmp_path):
    with projection(tmp_path, TO_TABLE, made=None, ready=False) as place:
        event = place.shop.publish(key="a", payload='{"n": 1}')
        place.await_reason("outbox doctor")
        code, text = doctor(place)
        assert code == 1 and "INBOX_MISSING" in text and "V006__inbox.sql" in text
        apply_inbox(place.reports)
        code, text = doctor(place)
        assert code == 1 and "TARGET_MISSING" in text
        place.reports.execute(re.search(r"create table public\.orders .*?\)\);", text).group())
        wait_until(lambda: rows(place) == {"a": "1"}, "the event is there")
        code, text = doctor(place)
        assert "nothing stands in the way of writing to public.orders" in text
        assert place.letters() == []
        assert place.reports.value("select event_id::text from public.orders") == event


def test_a_table_that_is_dropped_under_way_is_waited_for(tmp_path):
    with projection(tmp_path, TO_TABLE, made=TABLE) as place:
        place.shop.publish(key="a", payload='{"n": 1}')
        wait_until(lambda: rows(place) == {"a": "1"}, "the first event is there")
        place.reports.execute("drop table public.orders")
        place.shop.publish(key="b", payload='{"n": 2}')
        place.await_reason("42P01")
        place.reports.execute(TABLE)
        wait_until(lambda: rows(place) == {"b": "2"}, "the second event is there")
        assert place.letters() == []


def test_a_wrong_password_is_named_and_never_shown(tmp_path):
    with Database(with_schema=False) as reports:
        apply_inbox(reports)
        reports.execute(FUNCTION)
        with login(reports, ["outbox_consumer"]) as url:
            name, password = re.search(r"//(\w+):(\w+)@", url).groups()
            reports.execute(f"alter role {name} password 'another one'")
            with projection(tmp_path, made="", reports=reports, url=url,
                            ready=False) as place:
                place.shop.publish(payload='{"n": 1}')
                place.await_reason("password authentication failed")
                code, text = doctor(place)
                assert code == 1 and "password authentication failed" in text
                assert password not in text and password not in place.state()[1]
                assert place.letters() == [] and place.acted() == []


def test_a_login_that_may_not_connect_is_named_and_mended_without_a_restart(tmp_path):
    with Database(with_schema=False) as reports:
        apply_inbox(reports)
        reports.execute(FUNCTION)
        database = reports.value("select current_database()")
        reports.execute(f'revoke connect on database "{database}" from public')
        with login(reports, ["outbox_consumer"]) as url:
            name = re.search(r"//(\w+):", url).group(1)
            reports.execute(f"grant insert on public.acted to {name}")
            reports.execute(f"grant usage on sequence public.acted_place_seq to {name}")
            with projection(tmp_path, made="", reports=reports, url=url, ready=False) as place:
                event = place.shop.publish(payload='{"n": 1}')
                place.await_reason("permission denied for database")
                reports.execute(f'grant connect on database "{database}" to {name}')
                place.await_acted([event])
                assert place.letters() == []


def test_a_missing_right_is_waited_for_and_doctor_prints_the_grant(tmp_path):
    with Database(with_schema=False) as reports:
        apply_inbox(reports)
        reports.execute(TABLE)
        with login(reports) as url:
            with projection(tmp_path, TO_TABLE, made="", reports=reports, url=url,
                            ready=False) as place:
                place.shop.publish(key="a", payload='{"n": 1}')
                place.await_reason("permission denied")
                code, text = doctor(place)
                assert code == 1 and "INBOX_DENIED" in text and "TARGET_DENIED" in text
                for grant in re.findall(r"grant [^;]*;", text):
                    reports.execute(grant)
                wait_until(lambda: rows(place) == {"a": "1"}, "the event is there")
                assert place.letters() == []


def check(folder, target, routes=()):
    file = folder / "relay.toml"
    file.write_text(config(9187, "outbox_shop", "orders", target, routes))
    done = outbox("check", "--config", file, DATABASE_URL="postgresql://a/b",
                  REPORTS_URL="postgresql://a/c")
    return done.code, done.out + done.err


@pytest.mark.parametrize("target, routes, said", [
    (TO_TABLE + '\ncall = "public.act"', (), "names a table and a function to call"),
    ("", (), "names neither a table nor a function to call"),
    ('table = "public.my orders"', (), "is not a schema and a table"),
    ('call = "act"', (), 'call = "act" in [sink.reports] is not a schema and a function'),
    (TO_TABLE + '\nbootstrap_servers = "a:1"', (), "bootstrap_servers"),
    (TO_TABLE, [route(more='topic = "order.events"')], "every event goes to public.orders"),
    (TO_TABLE, [route(more='format = "cloudevents"')], "is for Kafka"),
])
def test_check_refuses_what_makes_no_sense_for_such_a_sink(tmp_path, target, routes, said):
    code, text = check(tmp_path, target, routes)
    assert code == 2 and said in text
    line = int(re.search(r"relay\.toml:(\d+)", text).group(1))
    if routes:
        refused = (tmp_path / "relay.toml").read_text().splitlines()[line - 1]
        assert refused.startswith(("topic = ", "format = "))


def test_check_accepts_a_table_and_a_function(tmp_path):
    for target in (TO_TABLE, 'call = "public.act"'):
        code, text = check(tmp_path, target, [route("park")])
        assert code == 0, text


def test_verify_says_that_it_compares_with_topics_only(tmp_path):
    with projection(tmp_path) as place:
        done = place.relay.command("verify", "--pipeline", place.pipeline)
        assert done.returncode == 3
        assert "Postgres database" in done.stdout + done.stderr
