"""Stops one thread of another process by ptrace, and lets it go on; the others run."""

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ANY_THREAD = 0x40000000  # __WALL


def threads(pid):
    """{thread id: name}"""
    return {int(task.name): (task / "comm").read_text().strip()
            for task in Path(f"/proc/{pid}/task").iterdir()}


@contextmanager
def stopped(thread_id):
    """The thread stands still inside the block."""
    _ptrace(_SEIZE, thread_id)
    _ptrace(_INTERRUPT, thread_id)
    os.waitpid(thread_id, _ANY_THREAD)
    try:
        yield
    finally:
        _ptrace(_DETACH, thread_id)


def _ptrace(request, thread_id):
    if _libc.ptrace(request, thread_id, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")
