"""An HTTP server of a test, in a thread: a client that goes away in the middle is no news."""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """A server whose threads never print and never outlive the program.

    ``handle_error`` of the base class writes a traceback to standard error from a thread that may still be at it when
    another test looks at what is printed.
    """

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about."""
