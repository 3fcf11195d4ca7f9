"""Tell Callgrind, from within the program that it watches, when to count.

Valgrind's client requests are a sequence of instructions that do nothing on a processor and are seen by Valgrind
(valgrind.h, callgrind.h): written here as machine code, so that no compiler is needed. x86-64 only.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable

_CODE = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request and its arguments
    "31d2"  # xor edx, edx: the answer where nobody watches
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61 and 51: 128 in all, so nothing
    "4887db"  # xchg rbx, rbx
    "4889d0 c3"  # mov rax, rdx; ret
)
_BASE = (ord("C") << 24) | (ord("T") << 16)
_DUMP, _START, _STOP = _BASE, _BASE + 4, _BASE + 5


class Switch:
    """Counts what is called through it, and nothing else of the process (which runs with ``--instr-atstart=no``).

    Raises:
        OSError: this is no x86-64.
    """

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            raise OSError(f"Callgrind is told what to count on x86_64 only, and this is {platform.machine()}")
        self._memory = mmap.mmap(-1, len(_CODE), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._memory.write(_CODE)
        place = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._ask = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.POINTER(ctypes.c_ulong * 6))(place)

    def counted(self, work: Callable[[], object]) -> None:
        """Call it; every thread's instructions meanwhile are counted."""
        self._request(_START)
        try:
            work()
        finally:
            self._request(_DUMP)  # into a file of its own: stopping forgets
            self._request(_STOP)

    def _request(self, what: int) -> None:
        self._ask(ctypes.byref((ctypes.c_ulong * 6)(what)))
