"""Free TCP ports on the loopback address."""

import random
import socket
import time

# Below the range that the kernel hands to outgoing connections (32768 and up). A client that keeps
# reconnecting to a dead server inside that range can be given the very port it calls, and then
# talks to itself while the server cannot come back.
_LOWEST = 15000
_HIGHEST = 31999


def is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def becomes_free(port, patience_s=10.0):
    """A server killed a moment ago may hold its port until the kernel has taken it apart."""
    deadline = time.monotonic() + patience_s
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def free_port(taken=()):
    """A port nobody listens on, and none of `taken`."""
    for _ in range(1000):
        port = random.randint(_LOWEST, _HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST} on 127.0.0.1")
