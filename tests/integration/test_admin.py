"""The admin server: who may ask, what it answers, and what it withstands (6b, API)."""

import json
import socket
import time

import pytest

import config_text
from http_raw import exchange, request
from outbox import outbox
from service.port import free_port
from support.relay import Relay
from support.waiting import wait_until

TOKEN = "a-token-for-the-tests-only-0123456789"
PAGES = ["/metrics", "/healthz", "/readyz", "/status"]
NOWHERE = {"KAFKA_BOOTSTRAP": "127.0.0.1:1"}


class Admin:
    """A relay whose servers are not there: its admin pages work all the same."""

    def __init__(self, folder, more=""):
        self.port = free_port()
        text = config_text.whole(self.port, "some_slot", admin_more=more)
        self.relay = Relay(folder, "postgresql://relay@127.0.0.1:1/none", config=text,
                           admin_port=self.port, environ=NOWHERE)

    def __enter__(self):
        self.relay.start()
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None,
                   "the admin server listens")
        return self

    def __exit__(self, *_):
        assert self.relay.stop() == 0

    def get(self, path, *headers, method="GET", body=b""):
        return request(self.port, path, method, headers, body)

    def still_answers(self):
        started = time.monotonic()
        assert self.get("/healthz").status == 200
        return time.monotonic() - started < 1.0


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    with Admin(tmp_path_factory.mktemp("admin")) as admin:
        yield admin


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    secret = folder / "token"
    secret.write_text(TOKEN + "\n")
    with Admin(folder, f'token = "${{file:{secret}}}"') as guarded:
        yield guarded


# --- pages

def test_healthz_is_200_while_the_loop_turns_though_nothing_is_reachable(admin):
    answer = admin.get("/healthz")
    assert (answer.status, answer.text.strip()) == (200, "ok")


def test_readyz_is_503_with_the_reason_while_a_pipeline_does_not_deliver(admin):
    answer = wait_until(lambda: (a := admin.get("/readyz")).status == 503
                        and "orders" in a.text and "127.0.0.1" in a.text and a, "it says why")
    assert "waiting" in answer.text or "starting" in answer.text


def test_metrics_are_in_prometheus_text_format(admin):
    answer = admin.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# HELP outbox_" in answer.text and "# TYPE outbox_" in answer.text


def test_status_is_json_with_one_object_a_pipeline(admin):
    answer = admin.get("/status")
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/json")
    assert [one["name"] for one in json.loads(answer.text)["pipelines"]] == ["orders"]


@pytest.mark.parametrize("page", PAGES)
def test_head_has_the_head_of_get_and_no_body(admin, page):
    answer = admin.get(page, method="HEAD")
    assert answer.status == admin.get(page).status and answer.body == b""


def test_pages_are_not_cached_and_not_sniffed(admin):
    for page in PAGES:
        headers = admin.get(page).headers
        assert headers.get("cache-control") == "no-store", page
        assert headers.get("x-content-type-options") == "nosniff", page


# --- what is refused

@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/status/../metrics", "//metrics",
                                  "/%2e%2e/etc/passwd", "/../../etc/passwd", "/metrics%00"])
def test_an_unknown_path_is_404(admin, path):
    assert admin.get(path).status == 404


@pytest.mark.parametrize("path", ["/", "/status?verbose=1"])
def test_a_path_that_a_browser_or_a_scraper_may_send_is_answered(admin, path):
    assert admin.get(path).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_any_other_method_is_405_with_allow(admin, method):
    answer = admin.get("/metrics", method=method)
    assert answer.status == 405 and "GET" in answer.headers["allow"]


@pytest.mark.parametrize("length", ["10737418240", "99999999999999999999999"])
def test_a_body_of_10_gb_is_refused_before_it_is_read(admin, length):
    answer = admin.get("/status", f"Content-Length: {length}", method="POST")
    assert answer.status in (400, 405, 413)
    answer = admin.get("/status", f"Content-Length: {length}", method="GET")
    assert answer.status in (400, 413)
    assert admin.still_answers()


def test_a_body_above_the_limit_is_413(admin):
    answer = admin.get("/status", body=b"x" * 1_000_000)
    assert answer.status == 413
    assert admin.still_answers()


@pytest.mark.parametrize("raw", [
    b"\r\n\r\n", b"hello\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n", b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nx\r\n0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, b"\x00" * 4096,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["empty lines", "a word", "no path", "no version", "HTTP 9.9", "header without colon",
         "chunk size -2", "length -1", "two lengths", "TLS hello", "NULs", "HTTP/2"])
def test_a_malformed_request_is_400_or_closed_and_never_answered_as_a_page(admin, raw):
    answer = exchange(admin.port, raw)
    assert answer.status in (400, 405, None)
    assert b"outbox_" not in answer.body
    assert admin.still_answers()


def test_a_header_section_of_1_mb_is_refused(admin):
    raw = b"GET /metrics HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000)
                                                 for n in range(1000)) + b"\r\n"
    answer = exchange(admin.port, raw)
    assert answer.status == 431
    assert admin.still_answers()


def test_a_page_of_another_name_cannot_ask_through_a_browser(admin):
    """DNS rebinding: a stranger's name that points to loopback comes with its own Host."""
    raw = b"GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    answer = exchange(admin.port, raw)
    assert answer.status == 403 and b"orders" not in answer.body


def test_an_error_is_problem_json_with_a_hint(admin):
    answer = admin.get("/metrisc")
    assert answer.status == 404 and answer.headers["content-type"] == "application/problem+json"
    assert 'Did you mean "/metrics"?' in json.loads(answer.text)["hint"]


# --- patience

def test_a_slow_loris_holds_nothing_up_and_is_cut_off(admin):
    """200 connections that send a header byte now and then, and 50 that send nothing."""
    before_mb = admin.relay.resident_mb()
    slow = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(250)]
    started = time.monotonic()
    for connection in slow[:200]:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    assert admin.still_answers()

    def dripped():
        open_ones = 0
        for connection in slow[:200]:
            try:
                connection.sendall(b"x")
                open_ones += 1
            except OSError:
                pass
        assert admin.still_answers()
        return open_ones == 0
    wait_until(dripped, "every slow connection was cut off", 30, pause_s=0.5)
    for connection in slow[200:]:
        connection.settimeout(max(1, 30 - (time.monotonic() - started)))
        assert connection.recv(1) == b"", "an idle connection must be closed too"
    for connection in slow:
        connection.close()
    assert admin.relay.resident_mb() - before_mb < 20


def test_a_reader_that_takes_nothing_is_cut_off_and_holds_nothing_up(admin):
    readers = []
    for _ in range(50):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.connect(("127.0.0.1", admin.port))
        reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        readers.append(reader)
    assert admin.still_answers()
    for reader in readers:
        reader.close()
    assert admin.still_answers()


# --- the token

def test_without_a_token_configured_every_page_is_open_on_loopback(admin):
    assert all(admin.get(page).status in (200, 503) for page in PAGES)


@pytest.mark.parametrize("page", [*PAGES, "/", "/none"])
def test_with_a_token_configured_a_page_needs_it(guarded, page):
    refused = guarded.get(page)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].lower().startswith("bearer")
    assert "outbox_" not in refused.text and "orders" not in refused.text
    assert guarded.get(page, f"Authorization: Bearer {TOKEN}").status in (200, 404, 503)


@pytest.mark.parametrize("header", [
    "Authorization: Bearer wrong-token-of-some-length-0123456789", "Authorization: Bearer ",
    f"Authorization: Bearer {TOKEN}x", f"Authorization: Bearer {TOKEN[:-1]}",
    f"Authorization: Basic {TOKEN}", f"Authorization: {TOKEN}", f"X-Token: {TOKEN}",
    f"Authorization: Bearer {TOKEN.upper()}"])
def test_anything_but_the_token_is_401(guarded, header):
    answer = guarded.get("/status", header)
    assert answer.status == 401 and TOKEN not in answer.text


def test_a_token_in_the_query_is_no_token(guarded):
    assert guarded.get(f"/status?token={TOKEN}").status == 401


def test_status_sends_the_token_of_its_config(guarded):
    done = guarded.relay.command("status")
    assert done.returncode in (0, 1) and "orders" in done.stdout, done.stderr


def test_off_loopback_without_a_token_is_refused_before_anything_listens(tmp_path):
    port = free_port()
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(port, "some_slot").replace("127.0.0.1:", "0.0.0.0:"))
    done = outbox("run", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x", **NOWHERE)
    assert done.code == 2 and "no token" in done.err
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_off_loopback_with_a_token_listens_and_asks_for_it(tmp_path):
    port = free_port()
    text = config_text.whole(port, "some_slot", admin_more=f'token = "{TOKEN}"')
    relay = Relay(tmp_path, "postgresql://127.0.0.1:1/x", admin_port=port, environ=NOWHERE,
                  config=text.replace("127.0.0.1:", "0.0.0.0:"))
    relay.start()
    wait_until(lambda: request(port, "/status").status == 401, "it asks for the token")
    assert request(port, "/status", headers=[f"Authorization: Bearer {TOKEN}"]).status == 200
    assert relay.stop() == 0


def test_ipv6_loopback_works(tmp_path):
    port = free_port()
    text = config_text.whole(port, "some_slot").replace("127.0.0.1:", "[::1]:")
    relay = Relay(tmp_path, "postgresql://127.0.0.1:1/x", admin_port=port, environ=NOWHERE,
                  config=text)
    relay.start()
    wait_until(lambda: request(port, "/healthz", host="::1").status == 200, "it answers on ::1")
    assert relay.command("status").returncode in (0, 1)
    assert relay.stop() == 0
