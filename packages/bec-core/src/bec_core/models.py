"""The value objects that the rooms hand to each other: frozen, without behaviour that needs a service."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import evolve, field, frozen, validators

from bec_core.errors import InvalidMessage

DEFAULT_SOURCE = "bdrc"
"""The archive with manifests: what a message means that names no source."""

FOLDER_SOURCE = "file"
"""Folders of images on this machine: the volume's ``source`` is the folder's ``file://`` URL."""

MARKER_NAME = "success.json"
"""A finished volume's marker, in the folder of its artifacts."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_id(value: object, what: str) -> str:
    """Return ``value`` if it can be part of an object's key, else raise :class:`InvalidMessage`.

    Ids become path components: letters, digits, ``.``, ``_`` and ``-`` only, not starting with a
    punctuation mark, at most 128 characters, never ``..``.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value) or ".." in value:
        raise InvalidMessage(
            f"{what} {_shown(value)} is not an id: use letters, digits, '.', '_' and '-' (at most 128 characters)"
        )
    return value


def _shown(value: object) -> str:
    """A value that a stranger sent, for a message: never long, never deep."""
    return repr(value[:200]) if isinstance(value, str) else f"(a {type(value).__name__})"


class TaskStatus(StrEnum):
    """What a task's row says; the names are the production database's."""

    RUNNING = "running"
    DONE = "done"
    RETRYABLE_FAILED = "retryable_failed"
    TERMINAL_FAILED = "terminal_failed"


class JobStatus(StrEnum):
    """Whether workers take a job's tasks."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@frozen
class VolumeRef:
    """A volume as a message or an operator names it.

    ``source`` is the name of the source that it comes from, then, where the ids alone don't tell which volume it is, a
    colon and what does: ``bdrc``, ``iiif:https://…``, the ``file://`` URL of a folder of images. ``i_version`` is the
    version's name where the source needs one.
    """

    w_id: str
    i_id: str
    source: str = DEFAULT_SOURCE
    i_version: str | None = None

    def __str__(self) -> str:
        return f"{self.w_id}/{self.i_id}"

    @property
    def source_name(self) -> str:
        """The name of the source that it comes from."""
        return self.source.partition(":")[0]

    @property
    def db_w_id(self) -> str:
        """The volume's ``bdrc_w_id`` in the database: other sources are prefixed, so they can't collide."""
        if self.source == DEFAULT_SOURCE:
            return self.w_id
        name, told, _ = self.source.partition(":")
        if told:
            digest = hashlib.sha256(self.source.encode()).hexdigest()[:8]
            name = f"{'folder' if name == FOLDER_SOURCE else name}-{digest}"
        return f"{name}:{self.w_id}"


def tells_source(db_w_id: str) -> bool:
    """Whether a ``bdrc_w_id`` says all of where its volume comes from: else a digest stands for what would."""
    return "-" not in db_w_id.rpartition(":")[0]


@frozen
class Work:
    """What a catalogue says of a work, None where it says nothing.

    Attributes:
        title: one line, controls as escapes, at most 500 characters.
        link: a URL, http or https.
    """

    title: str | None = None
    link: str | None = None


@frozen
class Page:
    """One image of a volume: its place in reading order and what the manifest says of it."""

    index: int
    filename: str
    width: int | None = None
    height: int | None = None


@frozen
class Volume:
    """A volume as its source gives it now: the pages in reading order and the version's identity.

    ``etag`` is 16 bytes (an MD5); ``version`` the artifacts' folder name: the first six hex digits
    of ``etag``, or the source's own version name.
    """

    ref: VolumeRef
    etag: bytes = field(validator=[validators.min_len(16), validators.max_len(16)])
    version: str
    pages: tuple[Page, ...]
    last_modified: datetime | None = None


@frozen
class PageData:
    """A page's bytes as they lie in the source; ``etag`` without quotes, ``uri`` for people."""

    data: bytes
    etag: str
    uri: str


@frozen
class PageFailure:
    """One line of a volume's ``-errors.jsonl``; the field names are the contract's."""

    source_uri: str
    img_filename: str
    source_etag: str | None
    stage: str
    error_type: str
    message: str
    traceback: str | None
    retryable: bool
    attempt: int


@frozen
class Artifact:
    """A file that a task published: its name in the task's folder, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@frozen
class TaskResult:
    """What a job's worker returns for a volume.

    ``page_ms`` is the sum of the time spent on each page (all threads together, milliseconds); ``stage_ms`` splits
    it by step; ``details`` goes into the marker as it is (it must be JSON). Pages are counted by the runtime.
    """

    page_ms: float = 0.0
    stage_ms: Mapping[str, float] = field(factory=dict)
    details: Mapping[str, Any] = field(factory=dict)


@frozen
class Message:
    """A message as a queue delivered it; ``receipt`` is what extends or deletes this delivery."""

    id: str
    body: str
    attributes: Mapping[str, str]
    receipt: str
    receive_count: int = 1
    enqueued_at: datetime | None = None


@frozen
class OutgoingMessage:
    """A message to send."""

    body: str
    attributes: Mapping[str, str] = field(factory=dict)


MESSAGE_KEYS = ("w_id", "i_id", "source", "i_version")
"""What a message may say of its volume, in its body and in its attributes."""

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(:[^\x00-\x1f\x7f\ud800-\udfff]{1,4096})?")


def encode_message(ref: VolumeRef) -> OutgoingMessage:
    """The queue message that asks for ``ref``: the same values in the body and in the attributes."""
    values = {"w_id": ref.w_id, "i_id": ref.i_id}
    if ref.source != DEFAULT_SOURCE:
        values["source"] = ref.source
    if ref.i_version is not None:
        values["i_version"] = ref.i_version
    return OutgoingMessage(json.dumps(values), values)


def decode_message(message: Message | OutgoingMessage) -> VolumeRef:
    """The volume that a message asks for.

    Producers exist that set only the body or only the attributes; the body wins where both speak.

    Raises:
        InvalidMessage: neither names a volume, or an id can't be one.
    """
    values: dict[str, object] = {k: v for k, v in message.attributes.items() if k in MESSAGE_KEYS and v}
    body = message.body.strip()
    if body.startswith("{"):
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(f"the message's body is not JSON: {error}") from None
        values.update({k: v for k, v in parsed.items() if k in MESSAGE_KEYS and v})
    missing = [key for key in ("w_id", "i_id") if key not in values]
    if missing:
        raise InvalidMessage(f"the message names no {' and no '.join(missing)}: {body[:200]!r}")
    source = values.get("source", DEFAULT_SOURCE)
    if not isinstance(source, str) or not _SOURCE.fullmatch(source):
        raise InvalidMessage(f"the message's source is not a name: {_shown(source)}")
    ref = VolumeRef(
        check_id(values["w_id"], "w_id"),
        check_id(values["i_id"], "i_id"),
        source,
    )
    if "i_version" in values:
        ref = evolve(ref, i_version=check_id(values["i_version"], "i_version"))
    return ref


@frozen
class QueueStats:
    """How many messages a queue holds (SQS's figures are approximate)."""

    available: int
    in_flight: int
    delayed: int
    created_at: datetime | None = None
    modified_at: datetime | None = None


@frozen
class Job:
    """A row of ``jobs``."""

    id: int
    name: str
    type: str
    config: Mapping[str, Any]
    config_revision: int
    status: JobStatus
    queue_url: str
    dlq_url: str
    created_at: datetime
    updated_at: datetime
    root: str | None = None
    shares_prefix: bool = False
    brake_reason: str | None = None

    @property
    def artifact_root(self) -> str:
        """The first folder of the job's new artifacts: what its row says, or the config, or its name."""
        return str(self.root or self.config.get("artifact_prefix") or self.name)
