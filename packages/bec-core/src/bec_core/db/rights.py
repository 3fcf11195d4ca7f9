"""Saying which right in PostgreSQL is missing, and how to grant it."""

from __future__ import annotations

import re

import psycopg

_OBJECT = re.compile(r"permission denied for (?:(table|sequence|schema|database|view|function) )?(\S+)")
_RIGHTS = {
    "table": "SELECT, INSERT, UPDATE, DELETE",
    "view": "SELECT",
    "sequence": "USAGE",
    "schema": "USAGE",
    "database": "CONNECT",
    "function": "EXECUTE",
}


def denied(error: psycopg.errors.InsufficientPrivilege, user: str) -> str:
    """The server's words with what to grant; not a table's owner must ask its owner."""
    said = str(error).strip().split("\n", 1)[0]
    found = _OBJECT.search(said)
    if not found:
        return f"{said}: let the owner do it, or grant it to {user}"
    kind, name = found[1] or "table", found[2]
    place = name if kind == "table" else f"{kind.upper()} {name}"
    return f'{said}: let its owner run GRANT {_RIGHTS[kind]} ON {place} TO "{user}"'
