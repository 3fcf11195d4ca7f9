"""When Python's collector of reference cycles begins: imports make many objects that stay, and no garbage.

While torch is imported, the collector would look at a growing heap again and again (0.3 s of a short ``bec run``).
"""

from __future__ import annotations

import gc


def begin_without() -> None:
    """Collect nothing until :func:`collect_again`; for a process that is bec's own."""
    gc.disable()


def collect_again() -> None:
    """Collect from now on, without what is there by now; nothing where :func:`begin_without` was not called."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
