"""The operator's price file: what instances are and cost, what storage and requests cost. No price is known here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core.errors import SettingsError


@frozen
class Instance:
    """An instance type, as the file has it; prices by the hour.

    ``workers`` run on it side by side. ``pages_per_s``: what the operator measured on it, of the whole instance, by job
    or job type.
    """

    name: str
    cores: int
    hourly: float
    gpus: int = 0
    spot_hourly: float | None = None
    workers: int = 1
    pages_per_s: Mapping[str, float] = field(factory=dict)


@frozen
class RequestPrices:
    """What a thousand requests cost, of each kind; None: the file does not say."""

    get: float | None = None
    put: float | None = None
    list: float | None = None
    sqs: float | None = None


@frozen
class Prices:
    """A price file; ``currency`` is a word to print."""

    path: str
    currency: str
    instances: tuple[Instance, ...]
    gib_month: float | None = None
    requests: RequestPrices = RequestPrices()


_TOP = ("currency", "instances", "storage", "requests")
_OF_INSTANCE = ("cores", "gpus", "hourly", "spot_hourly", "workers", "pages_per_s")
_OF_REQUESTS = ("get", "put", "list", "sqs")


def read_prices(path: Path) -> Prices:
    """Read a price file.

    Raises:
        SettingsError: it can't be read, or is not what docs/reference.md says; all that is wrong is named.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the price file {path} can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the price file {path} is not TOML: {error}") from None
    reader = _Reader()
    prices = reader.prices(str(path), data)
    if reader.problems:
        raise SettingsError(
            f"the price file {path}: {'; '.join(reader.problems)} (its format: docs/reference.md, The price file)"
        )
    return prices


class _Reader:
    """Reads values out of tables, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def prices(self, path: str, data: Mapping[str, Any]) -> Prices:
        self._known(data, _TOP, "")
        currency = data.get("currency", "")
        if not isinstance(currency, str) or not currency.strip():
            self.problems.append('currency is missing: a word, such as "EUR"')
        named = self._table(data, "instances", "")
        if not named:
            self.problems.append('it has no instance: [instances."NAME"] with cores and hourly')
        storage, requests = self._table(data, "storage", ""), self._table(data, "requests", "")
        self._known(storage, ("gib_month",), "storage.")
        self._known(requests, _OF_REQUESTS, "requests.")
        return Prices(
            path,
            str(currency),
            tuple(self._instance(name, self._table(named, name, "instances.")) for name in named),
            self._number(storage, "gib_month", "storage."),
            RequestPrices(*(self._number(requests, name, "requests.") for name in _OF_REQUESTS)),
        )

    def _instance(self, name: str, table: Mapping[str, Any]) -> Instance:
        where = f"instances.{name}."
        self._known(table, _OF_INSTANCE, where)
        measured = self._table(table, "pages_per_s", where)
        rates = {
            job: self._number(measured, job, f"{where}pages_per_s.", above_zero=True) or 1.0
            for job in measured
        }
        return Instance(
            name,
            self._whole(table, "cores", where, least=1, default=None),
            self._number(table, "hourly", where, required=True) or 0.0,
            self._whole(table, "gpus", where, least=0, default=0),
            self._number(table, "spot_hourly", where),
            self._whole(table, "workers", where, least=1, default=1),
            rates,
        )

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
        self.problems += [
            f"{where}{name} is unknown (known: {', '.join(names)})" for name in table if name not in names
        ]

    def _table(self, table: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
        found = table.get(name, {})
        if not isinstance(found, dict):
            self.problems.append(f"{where}{name} is no table")
            return {}
        return found

    def _number(
        self,
        table: Mapping[str, Any],
        name: str,
        where: str,
        *,
        required: bool = False,
        above_zero: bool = False,
    ) -> float | None:
        value = table.get(name)
        if value is None:
            if required:
                self.problems.append(f"{where}{name} is missing")
            return None
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")
        if not fits or (above_zero and not value):
            self.problems.append(
                f"{where}{name} is {value!r}, not a number {'above' if above_zero else 'from'} 0"
            )
            return None
        return float(value)

    def _whole(
        self, table: Mapping[str, Any], name: str, where: str, *, least: int, default: int | None
    ) -> int:
        value = table.get(name, default)
        if value is None:
            self.problems.append(f"{where}{name} is missing")
        elif not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.problems.append(f"{where}{name} is {value!r}, not a whole number from {least}")
        else:
            return value
        return least
