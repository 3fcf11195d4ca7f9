#!/usr/bin/env python3
"""Fuzz what strangers send: messages, manifests, images. Each must give a value or its named error.

    python tests/crash/fuzz.py [--cases 20000] [--seed 1] [--only message|manifest|image]

Cases are made by breaking valid ones (bits, cuts, repeats, foreign parts) and by growing nonsense; the seed makes
them the same again. Printed: cases, how many were accepted, which errors, the slowest case, the most memory the
process ever had. Exit status 1 if anything else was raised, with the case in a file.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bec_core.archive.manifest import parse_manifest
from bec_core.archive.paths import volume_folder
from bec_core.errors import InvalidMessage, ManifestInvalid
from bec_core.models import Message, decode_message
from bec_core.storage import check_key
from bec_ldv1.errors import PageProblem
from bec_ldv1.page.decode import MAX_PIXELS, decode
from support.tiff_files import Picture, tiff_file

BAD_TEXTS = ["../..", "/etc/passwd", "a/b", "W1'; DROP TABLE jobs; --", "${jndi:ldap://x}", "\x00", "\ud800",
             "é" * 300, "W" * 5000, "", " ", ".", "..", "-rf", "%2e%2e", "C:\\x", "\u202e", "{}", "null",
             "I0001.jpg\n", "~"]  # fmt: skip


def main() -> int:
    """Run the cases that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000, help="of each kind (of images a tenth)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(KINDS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns of every second case
    failed = 0
    for kind, (make, check) in KINDS.items():
        if arguments.only in (None, kind):
            cases = arguments.cases // 10 if kind == "image" else arguments.cases
            failed += fuzz(kind, make, check, cases, random.Random(arguments.seed))
    return 1 if failed else 0


def fuzz(
    kind: str,
    make: Callable[[random.Random], Any],
    check: Callable[[Any], str],
    cases: int,
    chance: random.Random,
) -> int:
    """Run the cases of one kind, print what became of them; how many failed."""
    outcomes: Counter[str] = Counter()
    slowest, failed = 0.0, 0
    for number in range(cases):
        case = make(chance)
        started = time.perf_counter()
        try:
            outcomes[check(case)] += 1
        except Exception as error:  # noqa: BLE001 - anything that is not a named error is what is looked for
            failed += 1
            place = Path(tempfile.gettempdir()) / f"bec-fuzz-{kind}-{number}"
            place.write_bytes(
                case if isinstance(case, bytes) else repr(case).encode("utf-8", "backslashreplace")
            )
            print(f"FAILED {kind} {number}: {type(error).__name__}: {str(error)[:200]} (see {place})")
        slowest = max(slowest, time.perf_counter() - started)
    # not getrusage's: that one remembers the process that started this one
    status = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[0]) / 1024
    shares = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
    print(
        f"{kind}: {cases} cases, {failed} failed; {shares}; slowest {1000 * slowest:.0f} ms;"
        f" memory at most {peak:.0f} MiB"
    )
    return failed


def told(error: Exception) -> str:
    """The name of an error that says what is wrong in a sentence, however long what was sent is."""
    if not 10 < len(str(error)) < 1000:
        raise ValueError(f"an error of {len(str(error))} characters") from error
    return type(error).__name__


# -- messages ---------------------------------------------------------------------------------------------


def make_message(chance: random.Random) -> Message:
    """A message whose body or attributes are more or less broken."""
    values: dict[str, Any] = {"w_id": "W22084", "i_id": "I0886"}
    for key in ("w_id", "i_id", "source", "i_version"):
        if chance.random() < 0.3:
            values[key] = nonsense(chance, 0)
    body = json.dumps(values)
    attributes = {}
    if chance.random() < 0.3:
        names = ["w_id", "i_id", "source", "i_version", "x"]
        attributes = {name: str(nonsense(chance, 3)) for name in chance.sample(names, 2)}
    shape = chance.random()
    if shape < 0.2:
        body = broken(body.encode(), chance).decode("utf-8", "surrogateescape")
    elif shape < 0.25:
        body = chance.choice(["[" * 5000, '{"a":' * 3000, "", "[]", "null", "\ufeff{}", "{" * 100_000])
    elif shape < 0.3:
        body = json.dumps({"w_id": deep(chance.randrange(2000)), "i_id": "I1"})
    return Message("1", body, attributes, "receipt")


def check_message(message: Message) -> str:
    """A message names a volume whose folder lies below the root, or it is an InvalidMessage."""
    try:
        ref = decode_message(message)
    except InvalidMessage as error:
        return told(error)
    folder = check_key(volume_folder(ref.w_id, ref.i_id))
    assert folder.startswith("Works/")
    assert folder.count("/") == 4
    ref.db_w_id.encode()
    return "accepted"


# -- manifests --------------------------------------------------------------------------------------------


def make_manifest(chance: random.Random) -> bytes:
    """A manifest that is more or less broken."""
    entries: Any = [
        {"filename": f"I0886{n:04}.jpg", "width": 2550, "height": 3300} for n in range(chance.randrange(8))
    ]
    for entry in entries:
        if chance.random() < 0.2:
            entry[chance.choice(["filename", "width", "height", "x"])] = nonsense(chance, 0)
    if chance.random() < 0.1:
        entries = nonsense(chance, 0)
    text = json.dumps(entries).encode()
    if chance.random() < 0.3:
        text = broken(text, chance)
    if chance.random() < 0.02:
        text = b" " * chance.randrange(80_000_000)  # a bomb
    data = gzip.compress(text, 1) if chance.random() < 0.8 else text
    return broken(data, chance) if chance.random() < 0.3 else data


def check_manifest(data: bytes) -> str:
    """A manifest gives pages whose names stay in their folder, or it is a ManifestInvalid."""
    try:
        pages = parse_manifest(data)
    except ManifestInvalid as error:
        return told(error)
    assert [page.index for page in pages] == list(range(len(pages)))
    for page in pages:
        assert "/" not in page.filename
        check_key(page.filename)
    return "accepted"


# -- images -----------------------------------------------------------------------------------------------


def image_seeds() -> list[bytes]:
    """Small valid images of every kind and mode."""
    base = Image.linear_gradient("L").resize((96, 64))
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("JPEG", "L", {}), ("JPEG", "RGB", {"progressive": True}), ("JPEG", "CMYK", {}), ("PNG", "RGBA", {}),
        ("PNG", "P", {}), ("PNG", "I;16", {}), ("TIFF", "1", {"compression": "group4"}), ("TIFF", "RGB", {}),
        ("TIFF", "L", {"compression": "tiff_lzw"}), ("TIFF", "L", {"compression": "jpeg"}),
        ("JPEG2000", "L", {}), ("GIF", "P", {}), ("BMP", "RGB", {}), ("WEBP", "RGB", {}),
    ]  # fmt: skip
    seeds = []
    for kind, mode, options in wanted:
        file = io.BytesIO()
        picture = base.convert("I").convert(mode) if mode == "I;16" else base.convert(mode)
        picture.save(file, kind, **options)
        seeds.append(file.getvalue())
    frames = io.BytesIO()
    base.save(frames, "TIFF", save_all=True, append_images=[base, base])
    exif = Image.Exif()
    exif[274] = 6
    turned = io.BytesIO()
    base.save(turned, "JPEG", exif=exif)
    grey = np.asarray(base).astype(np.uint16) << 4
    colour = np.stack([grey] * 3, axis=-1)
    layouts = [
        tiff_file(Picture(grey, 12)), tiff_file(Picture(grey, 16)), tiff_file(Picture(colour, 16, separate=True)),
        tiff_file(Picture(colour, 16, tile=32), Picture(grey, 16), big=True),
    ]  # fmt: skip
    return [*seeds, frames.getvalue(), turned.getvalue(), *layouts]


SEEDS = image_seeds()


def make_image(chance: random.Random) -> bytes:
    """An image that is more or less broken."""
    return broken(chance.choice(SEEDS), chance)


def check_image(data: bytes) -> str:
    """An image gives a plane within the bounds, or it is a PageProblem of stage decode."""
    try:
        page = decode(data)
    except PageProblem as error:
        return told(error)
    assert 0 < page.width * page.height <= MAX_PIXELS
    return "accepted"


# -- breaking ---------------------------------------------------------------------------------------------


def nonsense(chance: random.Random, depth: int) -> Any:
    """Any JSON value, some of them nasty."""
    kind = chance.randrange(8)
    if kind < 3:
        return chance.choice(BAD_TEXTS)
    if kind == 3:
        return chance.choice([None, True, -1, 0, 1e308, 2**70, 0.5])
    if kind == 4 and depth < 3:
        return [nonsense(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 5 and depth < 3:
        return {chance.choice(BAD_TEXTS): nonsense(chance, depth + 1) for _ in range(chance.randrange(4))}
    return "".join(
        chr(chance.choice([*range(0x20, 0x7F), 0, 10, 0x200B, 0xFFFF])) for _ in range(chance.randrange(40))
    )


def deep(depth: int) -> Any:
    """A list in a list in a list …"""
    value: Any = "x"
    for _ in range(min(depth, 900)):
        value = [value]
    return value


NUMBERS = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\x7f\xff"]
"""Four bytes that a length or a size may be misread as."""


def broken(data: bytes, chance: random.Random) -> bytes:
    """The data with some damage."""
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        place = (
            chance.randrange(len(out) + 1)
            if chance.random() < 0.5
            else chance.randrange(min(len(out), 64) + 1)
        )
        how = chance.randrange(6)
        if how == 0 and out:
            out[place % len(out)] ^= 1 << chance.randrange(8)
        elif how == 1:
            del out[place:]
        elif how == 2:
            out[place:place] = chance.randbytes(chance.randrange(16))
        elif how == 3:
            del out[place : place + chance.randrange(32)]
        elif how == 4:
            out[place : place + 4] = chance.choice(NUMBERS)
        else:
            out[place:place] = out[:place] * chance.randrange(3)
    return bytes(out[: 4 * len(data) + 64])


KINDS: dict[str, tuple[Callable[[random.Random], Any], Callable[[Any], str]]] = {
    "message": (make_message, check_message),
    "manifest": (make_manifest, check_manifest),
    "image": (make_image, check_image),
}

if __name__ == "__main__":
    sys.exit(main())
