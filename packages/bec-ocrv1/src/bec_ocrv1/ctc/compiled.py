"""Compiling a function with numba, its machine code kept where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]


def compiled(function: Function) -> Function:
    """Compile a function at its first call.

    The code is kept beside the module or in the user's cache, so that only a machine's first process compiles. Where
    neither can be written, each process compiles for itself.
    """
    try:
        done: Function = numba.njit(cache=True)(function)
    except RuntimeError:  # numba: no place to keep the code
        done = numba.njit(function)
    return done
