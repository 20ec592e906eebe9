"""What came home in a demo, checked against what went in."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flight.product.errors import WireError
from flight.product.journal import Step
from flight.product.part import ProductKind
from flight.product.values import SensorKind
from flight.relay.endpoint import parse_endpoint
from flight.relay.node.labels import priority_of
from ground.archive import RAW_FOLDER, Archive, open_archive
from ground.library import Library
from ground.raw import raw_files, scan
from ground.rows import Filter, Row
from tools import datasets
from tools.sim.__main__ import frame as simulated_frame
from tools.trio import LANDER, Sky, Trio

ROOT = Path(__file__).parents[1]


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


def summarise(trio: Trio, lander: dict[str, Any], source: str, sky: Sky) -> dict[str, Any]:
    """Check what came home and return the figures; ``lander`` is its status at the end."""
    with ThreadPoolExecutor() as pool:
        report = pool.submit(ground, "report", trio, "--out", str(trio.folder / "report.html"))
        pictures = pool.submit(draw, trio)
        replay = ground("replay", trio, "--json")
        report.result()
        pictures.result()
    with open_archive(trio.archive) as archive:
        library = Library(archive)
        rows = [row for row in library.rows() if row.header.kind is not ProductKind.LINK]
        entries = library.logbook.entries.get(LANDER, {})
        frames = [row for row in rows if row.header.kind is ProductKind.FRAME]
        checked = [matches_input(library, row, trio.folder, source, sky.seed) for row in frames]
        order, inversions = arrivals(archive, 4 * (sky.near_ms + sky.far_ms) + 2000)
        repeated = archive.catalogue.tally().repeated
    raw_bytes = sum(
        int(np.prod(entry.step.frame.shape)) * entry.step.sample_bytes for entry in entries.values()
    )
    sent_bytes = lander["node"]["links"][0]["bytes_sent"]
    made, received = lander["craft"]["products_made"], sum(row.complete for row in rows)
    return {
        "frames_in": lander["craft"]["steps_made"],
        "decisions": len(entries),
        "products_sent": made,
        "products_received": received,
        "products_by_priority": [sum(row.priority == p for row in rows) for p in range(4)],
        "lost": made - received,
        "duplicated": repeated,
        "raw_bytes": raw_bytes,
        "sent_bytes": sent_bytes,
        "reduction": round(raw_bytes / sent_bytes, 2),
        "priority_inversions": inversions,
        "arrival_order": order,
        "replay_identical": replay is not None and bool(replay["identical"]),
        "lossless_identical": bool(checked) and all(checked),
        "lossless_frames": len(checked),
        "source": source,
    }


def draw(trio: Trio) -> None:
    """Draw maps, spectra and whole frames; thumbnails stand in the report."""
    kinds = (
        ProductKind.HAZARD_MAP,
        ProductKind.CLASS_MAP,
        ProductKind.XRAY_SPECTRUM,
        ProductKind.TELEMETRY,
    )
    with open_archive(trio.archive) as archive:
        chosen = Filter(kinds=frozenset((*kinds, ProductKind.FRAME)))
        products = [str(row.header.id) for row in archive.products(chosen)]
    if products:
        ground("show", trio, "--out", str(trio.folder / "pictures"), *products)


def matches_input(library: Library, row: Row, folder: Path, source: str, seed: int) -> bool:
    """Return whether a whole frame that came home is the input, by the SHA-256 of its samples."""
    try:
        came = library.read(row.header.id).array
    except WireError:
        return False
    entry = library.entry_of(row.header)
    if came is None or entry is None or not came.complete:
        return False
    digest = hashlib.sha256(came.samples.tobytes()).digest()
    return digest == hashlib.sha256(input_samples(entry.step, folder, source, seed)).digest()


def input_samples(step: Step, folder: Path, source: str, seed: int) -> bytes:
    """Return a frame's samples from where the sensor took them; no reader of flight's is used."""
    if source == "simulated" or step.kind is SensorKind.SAMPLE:
        kind = step.kind.name.lower()
        array = simulated_frame(kind, seed, step.frame_number)
        if kind == "cube":
            array = np.rint(array.astype(np.float64) * datasets.REFLECTANCE_COUNTS)
        return array.astype(f"<u{step.sample_bytes}").tobytes()
    path = folder / "frames" / step.sensor / step.frame_name
    if path.suffix == ".png":
        return np.asarray(Image.open(path)).tobytes()
    return path.with_suffix(".img").read_bytes()


def arrivals(archive: Archive, repair_ms: int) -> tuple[list[float], int]:
    """Return the mean place of each priority in the order of arrival, and how many were overtaken.

    Places go from 0, the first bundle, to 1. A bundle counts as overtaken when one of a lower
    priority, made later, came more than ``repair_ms`` before it: less than that is a lost
    segment on its way again.
    """
    found = [
        pair[1]
        for path in raw_files(archive.folder / RAW_FOLDER)
        for pair in scan(path)
        if isinstance(pair, tuple)
    ]
    priorities = [priority_of(parse_endpoint(bundle.destination)) for bundle in found]
    places: list[list[float]] = [[], [], [], []]
    overtaken = 0
    for place, (bundle, priority) in enumerate(zip(found, priorities, strict=True)):
        places[priority].append(place / max(len(found) - 1, 1))
        overtaken += any(
            priorities[earlier] > priority
            and found[earlier].created_ms > bundle.created_ms
            and found[earlier].received_ms + repair_ms < bundle.received_ms
            for earlier in range(place)
        )
    return [round(sum(p) / len(p), 3) if p else 0.0 for p in places], overtaken


def ground(command: str, trio: Trio, *arguments: str) -> dict[str, Any] | None:
    """Run a ground command on the archive; return its JSON where it was asked for some."""
    line = [sys.executable, "-m", "ground", command, "--archive", str(trio.archive), *arguments]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise DemoError(f"ground {command}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout)) if "--json" in arguments else None


def print_table(summary: dict[str, Any], out: Path) -> None:
    """Print what came of it."""
    counts = summary["products_by_priority"]
    order = summary["arrival_order"]
    names = ("decisions, faults", "pictures, maps", "evidence", "whole frames")
    frames = {"shared": "measured", "fetched": "measured, fetched", "simulated": "simulated"}
    yes = {True: "yes", False: "NO"}
    rows = [
        ("frames seen", f"{summary['frames_in']} ({frames[summary['source']]})"),
        ("decisions", str(summary["decisions"])),
        *(
            (f"priority {p} products", f"{counts[p]:4d}  {names[p]}; arrived at {order[p]:.2f}")
            for p in range(4)
        ),
        ("raw bytes", f"{summary['raw_bytes']:,}"),
        ("bytes sent, all overhead", f"{summary['sent_bytes']:,}"),
        ("reduction factor", f"{summary['reduction']}"),
        ("overtaken by a lower priority", str(summary["priority_inversions"])),
        ("lost / duplicated", f"{summary['lost']} / {summary['duplicated']}"),
        ("replay identical, bit for bit", yes[summary["replay_identical"]]),
        (
            "whole frames identical (SHA-256)",
            f"{yes[summary['lossless_identical']]}, {summary['lossless_frames']} of them",
        ),
        ("pictures", str(out / "pictures")),
        ("report", str(out / "report.html")),
        ("seconds", str(summary["seconds"])),
    ]
    print()
    for name, value in rows:
        print(f"  {name:34s} {value}")
    print("\n  (arrived at: mean place in the order of arrival, 0 first, 1 last)")
