"""What a page's function returns, as bytes and back: an attrs class (as JSON), or bytes as they are.

It is the only place that does so. What goes through here can be kept and read again by another process.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast, get_origin

import attrs
from cattrs.preconf.json import make_converter

from bec_core.errors import TerminalTaskError

R = TypeVar("R")

_converter = make_converter()


def _is_array(kind: Any) -> bool:
    """Whether it is numpy's array, or one of a declared kind; without importing numpy."""
    kind = get_origin(kind) or kind
    return getattr(kind, "__module__", None) == "numpy" and getattr(kind, "__name__", None) == "ndarray"


def _array_to_text(array: Any) -> str:
    import numpy as np

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return base64.b85encode(file.getvalue()).decode()


def _text_to_array(text: str, _: object) -> Any:
    import numpy as np

    return np.load(io.BytesIO(base64.b85decode(text)), allow_pickle=False)


def _scalar(value: Any) -> Any:
    """A number of numpy's, as Python's."""
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} can't be kept: {value!r:.100}")


_converter.register_unstructure_hook_func(_is_array, _array_to_text)
_converter.register_structure_hook_func(_is_array, _text_to_array)


@attrs.frozen(eq=False)
class Made(Generic[R]):
    """What a page's function returned, and what makes the bytes of it that are kept (which may raise anything)."""

    value: R
    to_keep: Callable[[], bytes]


class PageValues(Generic[R]):
    """The values of one ``map_pages``.

    Raises:
        TypeError: ``returns`` is neither an attrs class nor ``bytes``.
    """

    def __init__(self, returns: type[R]) -> None:
        if returns is not bytes and not attrs.has(returns):
            raise TypeError(f"map_pages(returns=…) takes an attrs class or bytes, not {returns!r}")
        self.returns = returns

    def check(self, value: object, where: str) -> R:
        """The value, if it is what was declared.

        Raises:
            TerminalTaskError: it is something else; ``where`` says of which page.
        """
        if not isinstance(value, self.returns):
            raise TerminalTaskError(
                f"map_pages was told that its function returns {self.returns.__name__}, but of {where} it returned a"
                f" {type(value).__name__}: {value!r:.100}"
            )
        return value

    def to_bytes(self, value: R) -> bytes:
        """The value as bytes.

        Raises:
            TypeError: a field holds what can't be kept.
        """
        if self.returns is bytes:
            return cast(bytes, value)
        text = json.dumps(_converter.unstructure(value, self.returns), ensure_ascii=False, default=_scalar)
        return text.encode("utf-8", "surrogatepass")

    def from_bytes(self, data: bytes) -> R:
        """The value of these bytes."""
        if self.returns is bytes:
            return cast(R, data)
        return _converter.structure(json.loads(data.decode("utf-8", "surrogatepass")), self.returns)
