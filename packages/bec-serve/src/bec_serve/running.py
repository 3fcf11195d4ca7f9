"""Running the application: where it listens, what it says at the start, the server itself."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from attrs import frozen

from bec_core import Secret, SettingsError
from bec_core.admin.session import Session
from bec_serve.app import make_app
from bec_serve.drawings import Drawings
from bec_serve.hosts import Hosts, is_loopback, own_names
from bec_serve.live import Live
from bec_serve.rights import Access, Right, new_token
from bec_serve.serving import Serving
from bec_serve.visitors import Visitors

_LAST_WORDS_S = 1


@frozen(kw_only=True)
class Options:
    """What the operator says.

    Attributes:
        host: the address to listen on; off loopback a token is needed for everything.
        port: 0: any that is free.
        host_names: names that browsers may call this server by, besides this machine's.
        allow_marks, allow_actions: whether anybody may mark, or act.
        hourly_price: what one worker costs an hour.
        certificate, key: files in PEM, for TLS.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    host_names: Sequence[str] = ()
    allow_marks: bool = False
    allow_actions: bool = False
    hourly_price: float | None = None
    certificate: Path | None = None
    key: Path | None = None


def make_serving(session: Session, options: Options) -> tuple[Serving, dict[Right, str]]:
    """The services, and the tokens that were made because the settings have none."""
    settings = session.settings
    known: dict[Right, Secret | None] = {}
    alone = is_loopback(options.host)
    if not alone or settings.serve_token is not None:
        known[Right.LOOK] = settings.serve_token
    if options.allow_marks:
        known[Right.MARK] = settings.serve_mark_token
    if options.allow_actions:
        known[Right.ACT] = settings.serve_act_token
    made = {right: new_token() for right, token in known.items() if token is None}
    tokens = {right: token or Secret(made[right]) for right, token in known.items()}
    access = Access(tokens, frozenset() if Right.LOOK in known else frozenset({Right.LOOK}))
    names = [*options.host_names, *(() if alone else own_names())]
    serving = Serving(
        session=session,
        access=access,
        hosts=Hosts(names),
        visitors=Visitors(access, f"bec-{options.port}"),
        hourly_price=options.hourly_price,
        drawings=Drawings(session),
    )
    return serving, made


def serve(session: Session, options: Options, say: Callable[[str], None]) -> None:
    """Serve until a signal comes; ``say`` is told where, and by what one gets in.

    Raises:
        SettingsError: it can't listen there, or a token is too short.
    """
    if (options.certificate is None) != (options.key is None):
        raise SettingsError("TLS needs both: --certificate FILE and --key FILE")
    serving, made = make_serving(session, options)
    listening = _listen(options)
    for line in _said_at_start(serving, options, made, listening.getsockname()[1]):
        say(line)
    app = make_app(serving)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_LAST_WORDS_S,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )
    with listening:
        _Server(config, app.state.live).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends the streams before it waits for the connections that are left: a stream ends by itself never."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, with the streams first."""
        await self._live.end()
        await super().shutdown(sockets)


def _listen(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"bec serve can't listen on {options.host} port {options.port}: {error.strerror or error};"
            " choose others with --host and --port"
        ) from error


def _said_at_start(serving: Serving, options: Options, made: dict[Right, str], port: int) -> list[str]:
    scheme = "https" if options.certificate else "http"
    everywhere = options.host in ("0.0.0.0", "::")
    name = socket.gethostname() if everywhere else options.host
    address = f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}/"
    said = [f"bec serve: {address}"]
    for right in Right:
        if right in serving.access.tokens:
            link = serving.links.issue(serving.access.proven_by(serving.access.tokens[right].reveal()))
            said.append(f"to {right.value}, once, within an hour: {address}?token={link}")
        if right in made:
            said.append(f"to {right.value}, until this ends, the token {made[right]}")
    if not is_loopback(options.host) and scheme == "http":
        said.append(
            "warning: without TLS everybody on the way can read pages and tokens: --certificate and --key, or a"
            " proxy that ends TLS"
        )
    return said
