"""A session: the settings and whatever of the services a command needs, opened when first asked for.

The services' libraries (psycopg, boto3, obstore) are imported with the first use of each, so that a command
pays only for what it needs.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bec_core.settings import Settings

if TYPE_CHECKING:
    from bec_core.archive.sources import Sources
    from bec_core.catalogue import Catalogue
    from bec_core.db import Database
    from bec_core.plugins import Plugins
    from bec_core.queues import SqsClients, SqsOptions, TaskQueue
    from bec_core.storage import S3Options, Store


class Session:
    """Opens services on demand; leaving the ``with`` block closes what was opened.

    Args:
        settings: what the environment says.
        connections: how many connections to the database may be open at once.
        through: what the operator acts through, if that is no command line: kept with what is done.
    """

    def __init__(self, settings: Settings, *, connections: int = 4, through: str = "") -> None:
        self.settings = settings
        self.through = through
        self._connections = connections
        self._stack = ExitStack()
        self._opening: Future[Database] | None = None
        self._queues: dict[str, TaskQueue] = {}
        self._queues_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opening is not None:
            wait([self._opening])  # what it has opened is closed too
        self._stack.close()

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins of this environment."""
        from bec_core.plugins import load_plugins

        return load_plugins(strict=self.settings.strict_plugins)

    @cached_property
    def database(self) -> Database:
        """The database; the embedded one is started if need be."""
        return self._open_database() if self._opening is None else self._opening.result()

    def open_database_aside(self) -> None:
        """Begin to open the database in a thread of its own; :attr:`database` waits for it, and raises its error."""
        aside = ThreadPoolExecutor(1, thread_name_prefix="bec-database")
        self._opening = aside.submit(self._open_database)
        aside.shutdown(wait=False)

    def _open_database(self) -> Database:
        from bec_core.db import open_database

        return self._stack.enter_context(open_database(self.settings, max_size=self._connections))

    @cached_property
    def s3(self) -> S3Options:
        """How to reach S3."""
        from bec_core.storage import S3Options

        return S3Options(
            region=self.settings.region,
            endpoint_url=self.settings.s3_endpoint_url or self.settings.endpoint_url,
        )

    @cached_property
    def sqs(self) -> SqsOptions:
        """How to reach SQS."""
        from bec_core.queues import SqsOptions

        return SqsOptions(
            region=self.settings.region,
            endpoint_url=self.settings.sqs_endpoint_url or self.settings.endpoint_url,
        )

    @cached_property
    def artifacts(self) -> Store:
        """The store of the artifacts."""
        from bec_core.storage import open_store

        return open_store(self.settings.dest_location, s3=self.s3)

    @cached_property
    def sources(self) -> Sources:
        """Where volumes come from."""
        from bec_core.archive.sources import open_sources

        return open_sources(self.plugins.source_types.values(), self.settings, s3=self.s3)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The works' titles and links, where a catalogue is configured."""
        from bec_core.catalogue import load_catalogue

        return load_catalogue(self.settings.catalogue, self.settings.catalogue_link)

    @cached_property
    def _sqs_clients(self) -> SqsClients:
        from bec_core.queues import SqsClients

        clients = SqsClients(self.sqs)
        self._stack.callback(clients.close)
        return clients

    def queue(self, url: str) -> TaskQueue:
        """The queue of this URL, always the same object; closed with the session."""
        from bec_core.queues import open_queue

        in_postgres = url.startswith("postgres:")
        database = self.database if in_postgres else None
        with self._queues_lock:
            if url not in self._queues:
                self._queues[url] = queue = open_queue(url, database=database, sqs=self._sqs_clients)
                self._stack.callback(queue.close)
            return self._queues[url]
