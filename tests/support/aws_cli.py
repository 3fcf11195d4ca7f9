"""``aws`` for a page's shell blocks: each call becomes the call of boto3 that AWS's own program would make.

Options and their values are read by botocore's model of the operation, so one that does not exist is an error, as is a
value that does not fit. Only what our pages use is understood.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape

from support.http_server import QuietServer

_PROGRAM = """#!{python} -S
import http.client, json, os, sys
asked = http.client.HTTPConnection("127.0.0.1", {port})
asked.request("POST", "/", json.dumps([os.getcwd(), sys.argv[1:]]))
status, out, err = json.loads(asked.getresponse().read())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""
_GLOBAL = ("query", "output", "region")


@functools.cache
def _services() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_available_services())


class Misspelt(Exception):
    """AWS's program would refuse the command."""


def call(client: Callable[[str], Any], folder: Path, words: list[str]) -> str:
    """What a command prints.

    Raises:
        Misspelt: there is no such service, command or option, or a value does not fit.
        ClientError: the service refuses.
    """
    if words[0] == "s3":
        return _s3(client("s3"), folder, words[1:])
    service, command, rest = words[0].replace("s3api", "s3"), words[1], words[2:]
    if service not in _services():
        raise Misspelt(f"no service {service}")
    model = client(service).meta.service_model
    if command == "wait":
        return _wait(client(service), rest)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in names:
        raise Misspelt(f"{service} has no command {command}")
    shape = model.operation_model(names[command]).input_shape
    given, ours = _options(folder, shape, rest)
    answer = getattr(client(service), xform_name(names[command]))(**given)
    answer.pop("ResponseMetadata", None)
    found = jmespath.search(ours["query"], answer) if "query" in ours else answer
    return _text(found) if ours.get("output") == "text" else json.dumps(found, default=str) + "\n"


def _options(folder: Path, shape: Shape | None, words: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The operation's arguments, and the options that are the program's own."""
    members: dict[str, Any] = getattr(shape, "members", {})
    known = {xform_name(name, "-"): name for name in members}
    given: dict[str, Any] = {}
    ours: dict[str, str] = {}
    groups: list[list[str]] = []
    for word in words:
        if word.startswith("--"):
            groups.append([word[2:]])
        elif groups:
            groups[-1].append(word)
        else:
            raise Misspelt(f"what is {word}?")
    for name, *values in groups:
        if name in _GLOBAL:
            (ours[name],) = values
        elif name in known:
            given[known[name]] = _value(folder, members[known[name]], values)
        elif name.startswith("no-") and name[3:] in known and members[known[name[3:]]].type_name == "boolean":
            given[known[name[3:]]] = False
        else:
            raise Misspelt(f"no option --{name}")
    return given, ours


def _value(folder: Path, shape: Any, words: list[str]) -> Any:
    kind = shape.type_name
    if kind == "boolean":
        if words:
            raise Misspelt(f"a switch takes no value: {words}")
        return True
    if not words:
        raise Misspelt("a value is missing")
    if words[0].startswith("file://"):
        text = (folder / words[0].removeprefix("file://")).read_text()
        return text if kind == "string" else json.loads(text)
    if kind in ("list", "structure") and words[0][0] in "[{":
        return json.loads(" ".join(words))
    if kind == "list":
        return [_single(shape.member, word) for word in words]
    (word,) = words
    return _single(shape, word)


def _single(shape: Any, word: str) -> Any:
    """One value; a structure in AWS's shorthand, ``Name=a,Values=b``."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        return int(word)
    if kind == "boolean":
        return {"true": True, "false": False}[word]
    if kind != "structure":
        return word
    value = {}
    for part in word.split(","):
        name, equals, text = part.partition("=")
        if not equals or name not in shape.members:
            raise Misspelt(f"no member {name} in {word}")
        member = shape.members[name]
        value[name] = [text] if member.type_name == "list" else _single(member, text)
    return value


def _wait(client: Any, words: list[str]) -> str:
    name, rest = words[0], words[1:]
    if xform_name(name) not in {xform_name(one) for one in client.waiter_names}:
        one = name.replace("-", "_")
        if one not in client.waiter_names:
            raise Misspelt(f"nothing waits for {name}")
    waiter = client.get_waiter(name.replace("-", "_"))
    operation = client.meta.service_model.operation_model(waiter.config.operation)
    given, _ = _options(Path(), operation.input_shape, rest)
    waiter.wait(**given, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    return ""


def _s3(client: Any, folder: Path, words: list[str]) -> str:
    """``cp --recursive FOLDER s3://…/`` and ``rm --recursive s3://…``."""
    command, *rest = words
    places = [word for word in rest if not word.startswith("--")]
    if [word for word in rest if word.startswith("--")] != ["--recursive"]:
        raise Misspelt(f"s3 {command}: only --recursive is understood here")
    bucket, _, key = places[-1].removeprefix("s3://").partition("/")
    if command == "cp":
        for path in sorted((folder / places[0]).rglob("*")):
            if path.is_file():
                name = path.relative_to(folder / places[0]).as_posix()
                client.put_object(Bucket=bucket, Key=f"{key}{name}", Body=path.read_bytes())
    elif command == "rm":
        for entry in client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])
    else:
        raise Misspelt(f"s3 {command} is not understood here")
    return ""


def _text(found: Any) -> str:
    """As ``--output text`` shows values: lists of values in a line, lists of lists in lines."""
    if not isinstance(found, list):
        return f"{found}\n"
    rows = found if found and isinstance(found[0], list) else [found]
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


@contextlib.contextmanager
def aws_program(client: Callable[[str], Any], folder: Path) -> Iterator[list[list[str]]]:
    """A program ``aws`` in ``folder``, whose calls go to ``client``; yields the calls that were made so far."""
    seen: list[list[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            place, words = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(words)
            try:
                answer = (0, call(client, Path(place), words), "")
            except (Misspelt, ClientError, BotoCoreError) as error:
                answer = (254, "", f"aws {' '.join(words)}: {error}\n")
            except Exception as error:  # noqa: BLE001 - whatever it is, the block's reader is told
                answer = (255, "", f"aws {' '.join(words)}: {type(error).__name__}: {error}\n")
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    program = folder / "aws"
    program.write_text(_PROGRAM.format(python=sys.executable, port=server.server_port))
    program.chmod(0o755)
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
