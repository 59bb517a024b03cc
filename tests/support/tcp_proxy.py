"""A TCP proxy that does harm: resets, cuts in the middle of a message, delays, silence, refusal.

What it draws at random comes from its seed. It runs on a thread of its own; its switches may be
turned from any.
"""

import asyncio
import random
import socket
import struct
import threading
import time
from urllib.parse import urlsplit, urlunsplit

_PIECE = 16 * 1024
_RESET = struct.pack("ii", 1, 0)  # linger for zero seconds: close sends RST


class TcpProxy:
    """`with TcpProxy(host, port) as proxy:` listens on `proxy.port` of 127.0.0.1."""

    def __init__(self, host, port, seed=1):
        self.accepted = []        # monotonic time of each connection attempt
        self.cuts = 0             # connections cut by cut_after
        self.refusing = False     # new connections are reset at once
        self.delay_s = 0.0        # before each piece, both ways
        self.cut_after = None     # (least, most): each new connection is reset after so many bytes
                                  # from the server, drawn evenly
        self._target = host, port
        self._draw = random.Random(seed)
        self._open = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._flowing = None

    @classmethod
    def before(cls, url, seed=1):
        """In front of the server that the URL names."""
        parts = urlsplit(url)
        return cls(parts.hostname, parts.port, seed)

    def url(self, url):
        """The same URL by way of this proxy."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    def __enter__(self):
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset_all(self):
        """RST to both ends of every open connection; how many there were."""
        return self._call(self._reset_all())

    def freeze(self):
        """Nothing passes any more, and nobody is told."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self):
        self._loop.call_soon_threadsafe(self._flowing.set)

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        self._server.close()
        await self._reset_all()
        await asyncio.sleep(0)

    async def _reset_all(self):
        open_now = list(self._open)
        for connection in open_now:
            _reset(connection)
        return len(open_now) // 2

    async def _accept(self, client_reader, client):
        self.accepted.append(time.monotonic())
        if self.refusing:
            _reset(client)
            return
        try:
            server_reader, server = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(client)
            return
        both = {client, server}
        self._open |= both
        limit = self._draw.randint(*self.cut_after) if self.cut_after else None
        up = asyncio.ensure_future(self._pump(client_reader, server, None))
        down = asyncio.ensure_future(self._pump(server_reader, client, limit))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        down.cancel()
        self._open -= both
        for connection in both:
            _reset(connection)

    async def _pump(self, reader, writer, limit):
        """Ends at the end of the stream, at an error, or at the limit."""
        try:
            while piece := await reader.read(_PIECE):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flowing.wait()
                if limit is not None and len(piece) >= limit:
                    await self._cut(writer, piece[:limit])
                    return
                limit = limit and limit - len(piece)
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass

    async def _cut(self, writer, last):
        """The peer gets everything up to the limit before the reset, or the cut would fall where
        the last message ended."""
        writer.write(last)
        await writer.drain()
        await asyncio.sleep(0.02)
        self.cuts += 1


def _reset(stream):
    raw = stream.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    stream.transport.abort()
