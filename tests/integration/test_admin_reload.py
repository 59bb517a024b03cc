"""SIGHUP and [admin]: a token changes without a restart; an open address never loses its own."""

import os
import signal

import pytest

import config_text
from http_raw import request
from service.port import free_port
from support.relay import Relay
from support.waiting import wait_until

OLD = "the-old-token-0123456789"
NEW = "the-new-token-0123456789"


class Guarded:
    """A relay that reaches nothing; its admin pages ask for a token."""

    def __init__(self, folder, listen):
        self.port = free_port()
        self.listen = listen
        self.relay = Relay(folder, "postgresql://relay@127.0.0.1:1/none", admin_port=self.port,
                           config=self.text(OLD))

    def text(self, token, listen=None):
        line = f'token = "{token}"' if token else ""
        text = config_text.whole(self.port, "some_slot", admin_more=line)
        return text.replace("127.0.0.1", listen or self.listen, 1)

    def status(self, token):
        return request(self.port, "/status", headers=[f"Authorization: Bearer {token}"]).status

    def reload(self, text):
        self.relay.config_file.write_text(text)
        os.kill(self.relay.process.pid, signal.SIGHUP)


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def guarded(request, tmp_path):
    guarded = Guarded(tmp_path, request.param)
    guarded.relay.start()
    try:
        wait_until(lambda: guarded.status(OLD) == 200, "the old token is taken")
        yield guarded
    finally:
        guarded.relay.stop()


def test_a_new_token_counts_after_sighup_and_the_old_one_no_more(guarded):
    guarded.reload(guarded.text(NEW))
    wait_until(lambda: guarded.status(NEW) == 200, "the new token is taken")
    assert guarded.status(OLD) == 401


def test_a_config_with_a_bad_token_leaves_the_old_one_in_force(guarded):
    guarded.reload(guarded.text("short"))
    wait_until(lambda: "stays in force" in guarded.relay.log_tail(), "the log says so")
    assert guarded.status(OLD) == 200
    assert "short" not in guarded.relay.log_tail().replace(str(guarded.relay.folder), "")


def test_another_address_needs_a_restart_and_the_token_stays(guarded):
    """The new config would need no token; the address that is still open does."""
    guarded.reload(guarded.text(None, listen="127.0.0.2"))
    wait_until(lambda: "needs a restart" in guarded.relay.log_tail(), "the log says so")
    assert request(guarded.port, "/status").status == 401
    assert guarded.status(OLD) == 200
