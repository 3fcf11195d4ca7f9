"""How fast line detection (or recognition) is here: the real worker, its two bounds, where the time goes. One command.

    python bench/speed.py [--pages 60] [--distinct 12] [--from FOLDER] [--json FILE]
    python bench/speed.py --job ocrv1 …                  of recognition, over the lines that ldv1 found before
    python bench/speed.py --against REV [--pairs 5]      pair by pair against another commit: ratios only
    python bench/speed.py --processes [N …] [--pairs 3]  pages in threads (0) against N processes (default: one a core)
    python bench/speed.py --gpu [--model FILE]           the bounds on a GPU, half precision, batch by batch

The volume is drawn (pechas, portraits, wide bilevel scans; or FOLDER's pages are taken) and repeated up to the number
of pages. Bounds: the network's forward pass alone over what the pages ask of it, and everything else alone (read,
decode, prepare, outlines, lines, record, Parquet), each on all cores. Both want the same cores, so the most that can be
had on a processor is both in turn, 1 / (1/network + 1/rest); what the run takes beyond both in processor time ("by
CPU-s") shows on a busy machine, too. Times by stage are processor time of one thread. Compare
figures of one call only, or use --against: what other work the machine does is in all of them. With --processes all
are started first, so what starts cost is in no figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import asdict
from loguru import logger
from measuring import gpu
from measuring.against import checked_out, in_pairs, ratios
from measuring.bounds import Bounds, measure_bounds
from measuring.command import JOBS, Run, environment_of, run
from measuring.machine import cores, describe, load
from measuring.pages import distinct_pages, make_volume
from measuring.recognition import recognition_bounds
from measuring.ways import in_words, measure_ways

ROOT = Path(__file__).resolve().parents[1]
NO_GPU = 2
GPU_PAGES = 100
UNITS = {"ldv1": "tile", "ocrv1": "line"}


def main() -> None:
    """Read the options, draw, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, help=f"of the volume; default: 60, with --gpu {GPU_PAGES}")
    parser.add_argument("--job", choices=sorted(JOBS), default="ldv1")
    parser.add_argument("--distinct", type=int, default=12, help="how many of them differ")
    parser.add_argument(
        "--from", dest="source", type=Path, help="a folder of real pages, in place of drawn ones"
    )
    parser.add_argument("--against", metavar="REV", help="a commit to compare with")
    parser.add_argument("--config-text", default="", metavar="JSON", help="with --against: the job's config")
    parser.add_argument("--pairs", type=int, default=5, help="so many rounds, with --against or --processes")
    parser.add_argument(
        "--processes", type=int, nargs="*", metavar="N", help="compare threads with so many processes"
    )
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--model", type=Path, help="with --gpu: a checkpoint; default: the model in the box")
    parser.add_argument("--json", type=Path, help="write the figures there, too (for bench/fleet_paper.py)")
    options = parser.parse_args()
    logger.remove()
    if options.config_text and not options.against:
        parser.error("--config-text is for the runs of --against")
    if options.gpu and options.job != "ldv1":
        parser.error("--gpu measures line detection")
    if options.gpu and gpu.card() is None:
        print("no GPU: torch finds none here, so nothing was measured", file=sys.stderr)
        sys.exit(NO_GPU)
    pages = options.pages or (GPU_PAGES if options.gpu else 60)
    with tempfile.TemporaryDirectory(prefix="bec-speed-") as scratch:
        place = Path(scratch)
        place.chmod(0o755)
        distinct = distinct_pages(place, options.source, min(options.distinct, pages))
        pages = max(1, round(pages / len(distinct))) * len(distinct)
        volume = place / "volume"
        make_volume(volume, distinct, pages)
        of_what = f"from {options.source.name}" if options.source else "drawn"
        print(f"{pages} pages, {len(distinct)} of them different, {of_what}")
        print(describe(), flush=True)
        if options.processes is not None:
            numbers = [0, *(options.processes or [cores()])]
            processes(numbers, volume, options.pairs)
        elif options.gpu:
            print(f"card               {gpu.card()}")
            gpu.report(distinct, pages, options.model, volume, environment_of(ROOT))
        elif options.against:
            compare(options.against, volume, options.pairs, options.job, options.config_text)
        else:
            alone(options.job, volume, distinct, of_what, place, options.json)


def line_detection_bounds(distinct: Sequence[Path], pages: int, threads: int) -> tuple[str, Bounds]:
    """The model's name and its bounds."""
    from bec_ldv1.network.setup import start_engine

    with start_engine() as engine:
        model = f"{engine.model.name} in {engine.model.precision.value}"
        return model, measure_bounds(engine, distinct, pages, threads)


def alone(
    job: str, volume: Path, distinct: list[Path], of_what: str, place: Path, json_file: Path | None
) -> None:
    """Measure and print this tree's figures."""
    pages = sum(1 for _ in volume.iterdir())
    measure = {"ldv1": line_detection_bounds, "ocrv1": recognition_bounds}[job]
    began_at = load()
    model, bounds = measure(distinct, pages, cores() + 2)
    one_page = place / "one"
    make_volume(one_page, distinct[:1], 1)
    environment = environment_of(ROOT)
    start, whole = run(one_page, environment, job), run(volume, environment, job)
    cpu_s = (whole.cpu_s - start.cpu_s) / max(1, pages - 1)
    _print(f"{model}, {bounds.asked:.1f} {UNITS[job]}s a page", UNITS[job], bounds, start, whole, cpu_s)
    if json_file is not None:
        figures = {
            "job": job, "machine": describe(), "cores": cores(), "load": [began_at, load()], "pages": pages,
            "of_what": f"{len(distinct)} different, {of_what}", "model": model, "cpu_s": cpu_s,
            "in_turn": bounds.in_turn, "bounds": asdict(bounds), "start": asdict(start), "run": asdict(whole),
        }  # fmt: skip
        json_file.write_text(json.dumps(figures, indent=1) + "\n")


def _print(network_is: str, unit: str, bounds: Bounds, start: Run, whole: Run, cpu_s: float) -> None:
    network, rest = bounds.network, bounds.rest
    each_ms = 1000 / network.pages_per_s / max(bounds.asked, 1e-9)
    print(f"network            {network_is}, {each_ms:.1f} ms a {unit} on all cores")
    print()
    print(f"network alone      {network.pages_per_s:8.2f} pages/s  {network.cpu_s:7.3f} CPU-s a page")
    print(f"the rest alone     {rest.pages_per_s:8.2f} pages/s  {rest.cpu_s:7.3f} CPU-s a page")
    print(f"both in turn       {bounds.in_turn:8.2f} pages/s")
    print(f"bec run            {whole.pages_per_s:8.2f} pages/s  {cpu_s:7.3f} CPU-s a page")
    print(f"  of both in turn  {whole.pages_per_s / bounds.in_turn:8.0%}")
    print(f"  of the tighter   {whole.pages_per_s / min(network.pages_per_s, rest.pages_per_s):8.0%}")
    print(f"  of both by CPU-s {(network.cpu_s + rest.cpu_s) / max(cpu_s, 1e-9):8.0%}")
    print(f"  peak memory      {whole.peak_mib:8,.0f} MiB")
    print(
        f"  start to end     {whole.wall_s:8.1f} s; of one page {start.wall_s:.1f} s, {start.cpu_s:.1f} CPU-s"
    )
    print()
    total = network.cpu_s + sum(bounds.stages.values())
    for name, seconds in {"network": network.cpu_s, **bounds.stages}.items():
        print(f"{name:27}{1000 * seconds:8.1f} CPU-ms a page {seconds / total:5.0%}")
    print(f"load after         {load():8.1f}")


def processes(numbers: Sequence[int], volume: Path, rounds: int) -> None:
    """Run this tree by each number of processes in turn and print what a page takes."""
    ways = measure_ways(numbers, volume, environment_of(ROOT), rounds)
    print()
    for way in ways:
        print(in_words(way))
    for way in ways[1:]:
        share = way.own_s / way.cpu_s
        print(
            f"{way.processes} processes: {way.pages_per_s / ways[0].pages_per_s:.2f} times the pages/s of threads; "
            f"the worker's own process would be full with {1 / max(share, 1e-9):.0f} cores"
        )
    print(f"load after {load():.1f}")


def compare(revision: str, volume: Path, pairs: int, job: str, config: str) -> None:
    """Run both trees in turn and print how they compare."""
    with checked_out(ROOT, revision) as other:
        found = ratios(in_pairs(ROOT, other, volume, pairs, job, config))
    print(f"this tree over {revision}, {pairs} pairs in turn:  median (lowest to highest)")
    for name, (middle, lowest, highest) in found.items():
        print(f"{name:32}{middle:7.3f}  ({lowest:.3f} to {highest:.3f})")
    print(f"load after {load():.1f}")


if __name__ == "__main__":
    main()
