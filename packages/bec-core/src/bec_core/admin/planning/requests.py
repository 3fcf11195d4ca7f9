"""What a volume asks of the services, from the code that asks: a test counts a worker's real calls against it."""

from __future__ import annotations

from attrs import asdict, frozen

from bec_core.worker.options import WorkerOptions

_BATCH = 10  # messages that SQS takes in one call
_RENEWALS = 3  # of a lease in its length
_PART_S = 60.0  # finished pages are kept about so often


@frozen
class Requests:
    """How many of each kind; ``get`` are S3's GET and HEAD, ``list`` its LIST."""

    get: float = 0.0
    put: float = 0.0
    list: float = 0.0
    sqs: float = 0.0

    def __add__(self, other: Requests) -> Requests:
        """Both together."""
        mine, theirs = asdict(self), asdict(other)
        return Requests(**{name: mine[name] + theirs[name] for name in mine})

    def times(self, volumes: float) -> Requests:
        """Of so many volumes."""
        return Requests(**{name: value * volumes for name, value in asdict(self).items()})


def of_volume(
    *,
    pages: float,
    artifacts: int,
    seconds: float,
    inputs: tuple[int, ...] = (),
    options: WorkerOptions | None = None,
) -> Requests:
    """What one volume takes that is done at the first attempt.

    Args:
        pages: how many it has.
        artifacts: how many its job writes.
        seconds: how long it takes.
        inputs: of each input, how many artifacts are read.
        options: the worker's; default: as it is started without any.
    """
    lease_s = (options or WorkerOptions()).lease_s
    read = sum(2 + number for number in inputs)  # the marker before and after, and what is read
    looks = 3  # the manifest, and the marker at the start and before it is published
    return Requests(
        get=looks
        + pages
        + read
        + artifacts
        + 1,  # each artifact is looked for before it is written; an old error file
        put=artifacts + 1 + seconds // _PART_S,
        list=2,  # of kept pages, at the start and at the end
        sqs=1 / _BATCH + 1 + 1 + seconds // (lease_s / _RENEWALS),  # sent, received, deleted, hidden longer
    )
