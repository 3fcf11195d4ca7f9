"""``bec serve``: jobs, failures and workers in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from bec_cli.common import note, session_of
from bec_cli.exits import Exit
from bec_cli.printing import say

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. Off loopback every page needs a token.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8420, show_default=True, help="0: any free one."
)
@click.option(
    "--host-name",
    "host_names",
    metavar="NAME",
    multiple=True,
    help="A name that browsers call this server by, besides this machine's own; may be given often.",
)
@click.option("--allow-actions", is_flag=True, help="Whoever has the token for it may redrive failures.")
@click.option("--allow-marks", is_flag=True, help="Whoever has the token for it may mark pages.")
@click.option(
    "--hourly-price",
    type=click.FloatRange(0),
    help="What one worker costs an hour: adds the costs so far and left.",
)
@click.option("--certificate", type=_FILE, help="For TLS: the certificate, in PEM.")
@click.option("--key", type=_FILE, help="For TLS: its key, in PEM.")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    host_names: tuple[str, ...],
    allow_actions: bool,
    allow_marks: bool,
    hourly_price: float | None,
    certificate: Path | None,
    key: Path | None,
) -> int:
    """Show jobs, failures and workers in a browser, until Ctrl-C.

    Everybody on this machine may look, and nobody else, unless --host says otherwise. Tokens for looking off loopback
    (BEC_SERVE_TOKEN), for acting (BEC_SERVE_ACT_TOKEN) and for marking (BEC_SERVE_MARK_TOKEN) come from the settings;
    one that is not there is made anew at every start, and printed.

    \b
    Examples:
      bec serve
      bec serve --allow-actions --hourly-price 0.53
      bec serve --host 0.0.0.0 --host-name bec.example.org --certificate cert.pem --key key.pem
    """
    try:
        from bec_serve.running import Options
        from bec_serve.running import serve as run_server
        from bec_serve.serving import READERS
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "bec_core":
            raise
        note(
            f'bec serve needs packages of its own ({missing.name} is not here): pip install "bec-cli[serve]"'
        )
        return Exit.NOT_FOUND
    from bec_cli.signals import interrupting_on_signals

    options = Options(
        host=host, port=port, host_names=host_names, allow_marks=allow_marks, allow_actions=allow_actions,
        hourly_price=hourly_price, certificate=certificate, key=key,
    )  # fmt: skip
    session = session_of(ctx, connections=READERS + 1)
    with interrupting_on_signals():
        run_server(session, options, say)
    return Exit.OK
