"""HTTP by hand, for requests that no client library would send."""

import socket
import time


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if raw.startswith(b"HTTP/1.") else None
        self.headers = {name.strip().lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:])}

    @property
    def text(self):
        return self.body.decode()


def exchange(port, raw, patience_s=15.0, host="127.0.0.1"):
    """Sends the bytes, reads until the other side closes or has answered; `status` is None for a
    connection that was closed without an answer."""
    with socket.create_connection((host, port), timeout=patience_s) as connection:
        try:
            connection.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent; the answer may still be there
        return Answer(_read(connection, time.monotonic() + patience_s))


def request(port, path="/", method="GET", headers=(), body=b"", host="127.0.0.1"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return exchange(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, host=host)


def _read(connection, deadline):
    received = b""
    while True:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return received
        except TimeoutError:
            raise AssertionError(f"the answer does not end; so far {received[:200]!r}") from None
        if not chunk:
            return received
        received += chunk
