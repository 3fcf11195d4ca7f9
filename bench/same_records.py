"""Whether two trees make the same of pages, to the last bit, and what they take besides the network.

    python bench/same_records.py REV FOLDER... [--every 1]

Every page in the folders is carried from bytes to record by this tree and by another commit's, as the model in the
box wants its pages and as a contract checkpoint does; the whole Parquet file of each record must be equal. The
network's answers are remembered by what it was shown, so both trees see the same ones; how often one shows it
something else is told. Prints each page that differs, and the processor time of either without the network; ends 1 if
any differs.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring.against import checked_out
from measuring.command import environment_of

ROOT = Path(__file__).resolve().parents[1]

Made = dict[tuple[str, str], bytes]


class Remembering:
    """A network that is asked once for each plane; ``spent_s`` is what asking took of the thread's processor time."""

    def __init__(self, engine: Any, preparation: Any, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self.preparation, self.postprocess = preparation, engine.postprocess
        self.spent_s, self.unknown = 0.0, 0

    def infer(self, ink: Any) -> Any:
        """The probabilities of this plane."""
        import numpy as np

        began = time.thread_time()
        name = hashlib.sha256(repr(ink.shape).encode() + np.ascontiguousarray(ink).tobytes()).hexdigest()
        file = self._folder / f"{name}.npy"
        if not file.exists():
            self.unknown += 1
            np.save(file, self._engine.infer(ink))
        answer = np.load(file)
        self.spent_s += time.thread_time() - began
        return answer


def make(pages: list[str], answers: Path, out: Path) -> None:
    """Carry the pages through the tree that this process imports; write what it made, and its seconds a page."""
    from loguru import logger

    from bec_ldv1.errors import PageProblem
    from bec_ldv1.network.setup import start_engine
    from bec_ldv1.page.detect import detect_page
    from bec_ldv1.page.prepare import Preparation
    from bec_ldv1.record.make import page_record
    from bec_ldv1.record.records import to_parquet

    logger.remove()
    made: Made = {}
    with start_engine() as engine:
        ways = {"box": engine.preparation, "contract": Preparation()}
        networks = {way: Remembering(engine, wanted, answers) for way, wanted in ways.items()}
        began = time.thread_time()
        for page in pages:
            data = Path(page).read_bytes()
            for way, network in networks.items():
                try:
                    made[page, way] = to_parquet([page_record("page", "0" * 32, detect_page(data, network))])
                except PageProblem as problem:
                    made[page, way] = str(problem).encode()
        spent = time.thread_time() - began - sum(one.spent_s for one in networks.values())
        unknown = sum(one.unknown for one in networks.values())
    out.write_bytes(pickle.dumps((made, spent / max(1, len(made)), unknown)))


def main() -> None:
    """Run both trees, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="REV")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, help="take one page in so many")
    parser.add_argument("--make", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    from bec_core.archive import is_image_name

    found = sorted(
        str(path.resolve())
        for folder in options.folders
        for path in folder.rglob("*")
        if is_image_name(path.name)
    )
    pages = found[:: options.every]
    if options.make:
        make(pages, *options.make)
        return
    with tempfile.TemporaryDirectory() as scratch, checked_out(ROOT, options.revision) as other:
        results = {}
        for name, tree in ((options.revision, other), ("this tree", ROOT)):
            out = Path(scratch) / "made"
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--make", scratch, out],
                env=environment_of(tree),
                check=True,
            )
            results[name] = pickle.loads(out.read_bytes())
    before, now = (made for made, _, _ in results.values())
    for name, (made, spent, unknown) in results.items():
        print(f"{name}: {len(made)} records, {1000 * spent:.1f} ms each, {unknown} planes not seen before")
    different = [key for key in before if before[key] != now[key]]
    for page, way in different:
        print(f"different: {page} ({way})")
    print(f"{len(different)} of {len(before)} records differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
