"""AWS beside its queues and buckets: region, credentials, and whether our clock is theirs."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bec_core.admin.doctor.check import Check, ok, trouble, warning
from bec_core.settings import Settings
from bec_core.words import ago

_SOON_S = 3600.0
_ANSWER_S = 5.0
_CLOCK_S = (30.0, 300.0)  # a signature is refused from fifteen minutes on


def uses_aws(settings: Settings) -> bool:
    """Whether anything of AWS's (or of what speaks its protocols) is asked at all."""
    places = [settings.source_location] if not settings.is_local else []
    dest = settings.dest_url or (f"s3://{settings.dest_s3_bucket}" if settings.dest_s3_bucket else "")
    return settings.queue_kind == "sqs" or any(one.startswith("s3://") for one in (*places, dest))


def region(settings: Settings) -> Iterator[Check]:
    """Is the region told?"""
    if settings.region:
        yield ok("region", settings.region)
    else:
        yield warning("region", "BEC_REGION is not set: AWS's own configuration decides", "set BEC_REGION")


def credentials() -> Iterator[Check]:
    """Are there credentials, whose, and until when?"""
    import botocore.session
    from botocore.credentials import RefreshableCredentials
    from botocore.exceptions import BotoCoreError

    try:
        found = botocore.session.Session().get_credentials()
        key = found.get_frozen_credentials() if found else None
    except BotoCoreError as error:
        yield trouble("credentials", str(error), "log in again (aws sso login), or give the machine a role")
        return
    if found is None or key is None or not key.access_key:
        yield trouble(
            "credentials",
            "AWS's tools find none",
            "give the machine a role (docs/iam), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
        return
    whose = f"{key.access_key[:4]}…{key.access_key[-4:]}, from {found.method}"
    expires: datetime | None = getattr(found, "_expiry_time", None)
    if isinstance(found, RefreshableCredentials) and expires is not None:
        left = (expires - datetime.now(UTC)).total_seconds()
        renewed = found.method in _RENEWED
        text = f"{whose}, good for {ago(left)}" + (", then renewed" if renewed else "")
        if left <= 0 or (left < _SOON_S and not renewed):
            yield warning("credentials", text, "log in again before the run, or give the machine a role")
        else:
            yield ok("credentials", text)
    elif key.token:
        yield warning(
            "credentials",
            f"{whose}: a session's, which ends some time",
            "for long runs give the machine a role",
        )
    else:
        yield ok("credentials", whose)


_RENEWED = frozenset({"iam-role", "container-role", "assume-role", "assume-role-with-web-identity"})
"""Where a new key can be had without anybody being asked."""


def clock(settings: Settings) -> Iterator[Check]:
    """Does our clock show what the service's shows?"""
    url = settings.s3_endpoint_url or settings.endpoint_url
    url = url or f"https://s3.{settings.region or 'us-east-1'}.amazonaws.com/"
    began = time.time()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_ANSWER_S) as answer:
            said = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        said = error.headers.get("Date")  # a refusal has the time, too
    except (OSError, ValueError) as error:
        yield trouble(
            "clock", f"{url} does not answer: {error}", "look at the network, the region and AWS_ENDPOINT_URL"
        )
        return
    if not said:
        yield warning("clock", f"{url} says no time")
        return
    off = (began + time.time()) / 2 - parsedate_to_datetime(said).timestamp() - 0.5  # it says whole seconds
    text = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {url}"
    remedy = "set the clock: timedatectl set-ntp true"
    if abs(off) > _CLOCK_S[1]:
        yield trouble("clock", f"{text}: requests are refused from 15 min on", remedy)
    elif abs(off) > _CLOCK_S[0]:
        yield warning("clock", text, remedy)
    else:
        yield ok("clock", f"as {url} has it")
