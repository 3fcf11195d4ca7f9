"""Compiling a function with numba, its machine code kept where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]


def compiled(function: Function) -> Function:
    """Compile a function at its first call; it lets other threads run meanwhile.

    The code is kept beside the module or in the user's cache, so that only a machine's first process compiles. Where
    neither can be written, each process compiles for itself.
    """
    try:
        done: Function = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no place to keep the code
        done = numba.njit(nogil=True)(function)
    return done
