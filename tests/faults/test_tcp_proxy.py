"""The proxy must do the harm that the tests beside it rely on."""

import socket
import threading
import time

import pytest

from support.tcp_proxy import TcpProxy
from support.waiting import wait_until

_SENT = bytes(range(256)) * 1000


@pytest.fixture
def server():
    """Sends _SENT to whoever connects, then waits for the other to close."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection):
        with connection:
            try:
                connection.sendall(_SENT)
                connection.recv(1)
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


@pytest.fixture
def proxy(server):
    with TcpProxy(*server, seed=3) as proxy:
        yield proxy


def read(connection, enough=len(_SENT)):
    """What comes until it is enough, and the error that ended it before."""
    got = b""
    try:
        while len(got) < enough:
            piece = connection.recv(65536)
            if not piece:
                break
            got += piece
    except OSError as error:
        return got, error
    return got, None


def call(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_without_harm_every_byte_passes(proxy):
    with call(proxy) as connection:
        assert read(connection) == (_SENT, None)
    assert len(proxy.accepted) == 1


def test_a_stream_is_cut_after_exactly_the_bytes_that_were_drawn_and_by_a_reset(proxy):
    proxy.cut_after = (70_001, 70_001)
    with call(proxy) as connection:
        got, error = read(connection)
    assert got == _SENT[:70_001] and isinstance(error, ConnectionResetError)
    assert proxy.cuts == 1


def test_reset_all_ends_open_connections_by_a_reset(proxy):
    with call(proxy) as connection:
        assert read(connection) == (_SENT, None)
        assert proxy.reset_all() == 1
        assert isinstance(read(connection, 1)[1], ConnectionResetError)


def test_refused_connections_are_counted_and_reset(proxy):
    proxy.refusing = True
    with pytest.raises(ConnectionResetError):  # sometimes before connect() returned
        with call(proxy) as connection:
            raise read(connection, 1)[1]
    wait_until(lambda: len(proxy.accepted) == 1, "the refused one is counted")


def test_a_delay_holds_pieces_up(proxy):
    proxy.delay_s = 0.2
    with call(proxy) as connection:
        begun = time.monotonic()
        read(connection, 1)
        assert time.monotonic() - begun >= 0.2


def test_what_is_frozen_passes_later_and_is_not_lost(proxy):
    proxy.freeze()
    with call(proxy) as connection:
        connection.settimeout(0.3)
        assert isinstance(read(connection, 1)[1], TimeoutError)
        proxy.flow()
        connection.settimeout(5)
        assert read(connection) == (_SENT, None)


def test_a_url_leads_by_way_of_the_proxy_with_its_user_and_database(proxy):
    assert proxy.url("postgresql://u:p@[::1]:1/db") == f"postgresql://u:p@127.0.0.1:{proxy.port}/db"
