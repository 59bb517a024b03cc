"""Rows 6 and 7: Postgres crashes, restarts, or ends the walsender."""

import signal
import threading
import time

import psycopg2
import pytest

from support import environment
from support.database import connect
from support.tcp_proxy import TcpProxy
from support.waiting import wait_until

_RECONNECT_MS = 1000


def crash(services):
    """kill -9 of the postmaster, and recovery."""
    services.kill("postgres")
    services.start("postgres")


def waiting_commits(stage, ours):
    """Backends that have committed on disk and wait for a standby that does not exist."""
    return stage.database.value(
        "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        " and datname = current_database() and application_name like 'outbox%%' = %s", [ours])


@pytest.mark.fault_row(6)
def test_commits_and_saves_in_doubt_that_did_happen_are_settled_by_reading(
        on_stage, services, postgres_settings):
    """Every commit is on disk, its answer is held back, then the server dies: business commits and
    the relay's own save alike."""
    with on_stage() as stage:
        for _ in range(20 if environment.soaking() else 2):
            in_doubt = stage.writers.in_doubt
            time.sleep(1)
            postgres_settings(synchronous_standby_names="nobody")
            wait_until(lambda: waiting_commits(stage, False) and waiting_commits(stage, True),
                       "a business commit and a save of ours are under way")
            crash(services)
            postgres_settings(synchronous_standby_names="")
            stage.watcher.wait_new(int(time.time() * 1000))
            assert stage.writers.in_doubt > in_doubt
            stage.mark()
        stage.rest()


@pytest.mark.fault_row(6)
def test_a_save_in_doubt_that_did_not_happen_is_repeated_and_never_believed(on_stage, services):
    """A lock holds the save of progress up, then the server dies: what was delivered meanwhile was
    not confirmed. The relay lives on, so nothing is repeated either."""
    with on_stage() as stage:
        for _ in range(20 if environment.soaking() else 2):
            time.sleep(1)
            blocker = stage.database.connect(autocommit=False)
            blocker.cursor().execute("select from outbox.progress for update")
            wait_until(lambda: stage.database.value(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                " and application_name like 'outbox%%'"), "a save of ours is under way")
            delivered = stage.arrivals.delivered
            wait_until(lambda: stage.arrivals.delivered > delivered + 1000,
                       "events are delivered though no save gets through")
            crash(services)
            stage.watcher.wait_new(int(time.time() * 1000))
            stage.mark()
        stage.rest()


@pytest.mark.fault_row(6)
def test_postgres_crashes_at_random_under_load_and_nothing_is_lost(on_stage, services):
    with on_stage(connections=6, pause_s=0.005) as stage:
        for number in range(50 if environment.soaking() else 3):
            time.sleep(0.3 + number % 7 / 10)
            crash(services)
            stage.watcher.wait_new(int(time.time() * 1000))
            stage.mark()
        stage.rest()


@pytest.mark.fault_row(6)
def test_a_server_that_forgot_what_was_confirmed_does_not_send_it_all_again(on_stage, services):
    """Before version 17 a slot's confirmed_flush is on disk only when its restart_lsn moved; the
    relay's own progress says where to go on."""
    with on_stage() as stage:
        wait_until(lambda: stage.writers.transactions > 600, "hundreds of transactions")
        stage.rest()
        crash(services)
        stage.writers.go_on()
        stage.watcher.wait_new(int(time.time() * 1000))
        sent = wait_until(lambda: sent_by_the_slot(stage), "the server has counted")
        assert sent < 300, f"{sent} transactions, though what was saved as delivered is over"
        stage.rest()


@pytest.mark.fault_row(7)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_after_a_restart_of_postgres_events_flow_again_within_a_second(on_stage, services, how):
    with TcpProxy.before(environment.database_url()) as proxy:
        with on_stage(relay_url=proxy.url) as stage:
            for _ in range(20 if environment.soaking() else 2):
                time.sleep(1)
                services.send("postgres", how)
                wait_until(lambda: not answers(), "Postgres is down")
                attempts = len(proxy.accepted)
                time.sleep(3)
                assert_no_storm(len(proxy.accepted) - attempts, 3)
                start = threading.Thread(target=services.start, args=("postgres",))
                start.start()
                wait_until(answers, "Postgres answers", pause_s=0.01)
                up_ms = int(time.time() * 1000)
                assert stage.watcher.wait_new(up_ms) < _RECONNECT_MS
                start.join()
                stage.mark()
            stage.rest()


@pytest.mark.fault_row(7)
def test_a_walsender_ended_again_and_again_is_replaced_within_a_second_without_a_storm(on_stage):
    times = 200 if environment.soaking() else 15
    with TcpProxy.before(environment.database_url()) as proxy:
        with on_stage(relay_url=proxy.url) as stage:
            attempts = len(proxy.accepted)
            ended = set()
            for _ in range(times):
                pid = wait_until(lambda: walsender(stage, ended), "a new walsender", 2.0)
                ended.add(pid)
                stage.database.execute("select pg_terminate_backend(%s)", [pid])
                since_ms = int(time.time() * 1000)
                assert stage.watcher.wait_new(since_ms + 100) < _RECONNECT_MS
            assert len(proxy.accepted) - attempts <= 3 * times
            stage.rest()


def answers():
    try:
        connect(environment.database_url()).close()
        return True
    except psycopg2.OperationalError:
        return False


def sent_by_the_slot(stage):
    """How many transactions the output plugin was given since the server's crash."""
    return stage.database.value(
        "select total_txns from pg_stat_replication_slots where slot_name = %s",
        [stage.relay.slot])


def walsender(stage, but):
    rows = stage.database.execute("select active_pid from pg_replication_slots"
                                  " where slot_name = %s and active", [stage.relay.slot])
    return next((pid for pid, in rows if pid not in but), None)


def assert_no_storm(attempts, seconds):
    """A few a second for each of the relay's connections, with jitter; and it does try."""
    assert 1 <= attempts <= 20 * seconds, f"{attempts} connection attempts in {seconds} s"
