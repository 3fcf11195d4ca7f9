"""The instance metadata service, version 2: a token first, then plain reads. Never through a proxy."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from bec_core.errors import BecError, SettingsError

TOKEN_S = 21600
"""For how long a token is asked: the most that there is."""

_DMI = Path("/sys/devices/virtual/dmi/id")
_MOST_BYTES = 64 * 1024


class MetadataSilent(BecError):
    """The metadata service does not answer, or not as it should."""


def is_instance(dmi: Path = _DMI) -> bool:
    """Whether this machine is an EC2 instance, as its firmware says. Asks nobody."""
    for name in ("sys_vendor", "board_vendor", "bios_vendor", "bios_version"):
        try:
            said = (dmi / name).read_text(errors="replace").strip()
            if said == "Amazon EC2" or (name == "bios_version" and said.endswith(".amazon")):
                return True
        except OSError:
            continue
    return False


class Imds:
    """Reads metadata; used by one thread.

    Args:
        url: where it answers.
        timeout_s: for how long one request waits.

    Raises:
        SettingsError: the URL is none.
    """

    def __init__(self, url: str, *, timeout_s: float = 1.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SettingsError(f"BEC_IMDS_URL={url!r} is no http:// URL")
        self._host, self._port = parts.hostname, parts.port or 80
        self._base = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """What ``/latest/meta-data/{path}`` says; None: there is no such thing now.

        Raises:
            MetadataSilent: nothing answers, or not as it should.
        """
        for _ in range(2):
            token = self._token or self._new_token()
            status, text = self._ask("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token})
            if status == 200:
                return text
            if status == 404:
                return None
            self._token = None  # 401: it is over
            if status != 401:
                break
        raise MetadataSilent(f"the instance's metadata service answers {status} for {path}")

    def _new_token(self) -> str:
        status, text = self._ask(
            "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
        )
        if status != 200 or not text:
            raise MetadataSilent(f"the instance's metadata service gives no token: {status}")
        self._token = text
        return text

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, self._base + path, headers=headers)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES).decode("utf-8", "replace").strip()
        except (OSError, HTTPException) as error:
            raise MetadataSilent(
                f"the instance's metadata service does not answer: {type(error).__name__}: {error}"
            ) from error
        finally:
            connection.close()
