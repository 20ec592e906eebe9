"""`ground contacts`: when which link will exist, from orbits and sites."""

import argparse
import importlib.resources
from pathlib import Path

from flight.relay.contactfile import write_ion_plan, write_toml_plan
from flight.settings import SettingsError, read_settings
from ground.clock import GroundClock
from ground.commands.common import (
    OK,
    Subparsers,
    UsageError,
    add_command,
    add_json,
    print_json,
    read_time,
)
from ground.console import progress_bar
from ground.times import utc

_DAY_MS = 86_400_000
MOST_DAYS = 400.0


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "contacts",
        run,
        about="compute contact windows from orbits and sites, draw them, write a contact plan",
        example="ground contacts --start 2026-12-01 --days 3 --plan plan.txt --chart windows.html\n"
        "  ground contacts my-sky.toml --days 7 --plan plan.toml\n\n"
        "Without a file: Chang'e-6, Queqiao-2 and three stations on Earth; --example prints it as\n"
        "a file to begin with. Orbits round the Moon are two-body orbits, so weeks after their\n"
        "epoch windows are right in length and rhythm, not in phase. Earth satellites take\n"
        "two-line elements. Nothing is fetched.",
    )
    parser.add_argument(
        "sky", nargs="?", type=Path, metavar="SKY.toml", help="nodes and links (ground/sky)"
    )
    add_json(parser)
    parser.add_argument(
        "--start", type=read_time, metavar="UTC", help="from when on (default: this hour)"
    )
    parser.add_argument(
        "--days", type=float, default=3.0, metavar="N", help="for how long (default: %(default)s)"
    )
    parser.add_argument(
        "--plan",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="write the contact plan: TOML where the name ends in .toml, else ION's `a contact`"
        " and `a range` lines; may be repeated",
    )
    parser.add_argument("--chart", type=Path, metavar="FILE.html", help="write the chart as a page")
    parser.add_argument("--windows", action="store_true", help="list every window, too")
    parser.add_argument("--example", action="store_true", help="print the built-in sky and end")


def run(options: argparse.Namespace) -> int:
    """Compute, draw and write."""
    example = importlib.resources.files("ground.sky").joinpath("queqiao-2.toml")
    if options.example:
        print(example.read_text(), end="")
        return OK
    if not 0 < options.days <= MOST_DAYS:
        raise UsageError(f"--days is above 0 and at most {MOST_DAYS:g}")
    # Only this command needs skyfield, which the base install does not bring.
    try:
        from ground.sky.drawing import Drawing, contact_lines, html_page, summary_table, text_chart
        from ground.sky.plan import contact_plan, find_directions
    except ImportError as error:
        raise SettingsError(f"{error}: pip install 'farside[ground]'") from error
    from ground.sky.settings import SkySettings

    if options.sky is None:
        with importlib.resources.as_file(example) as path:
            settings = read_settings(SkySettings, path)
    else:
        settings = read_settings(SkySettings, options.sky)
    start_ms = options.start or GroundClock().now().dtn_ms // 3_600_000 * 3_600_000
    end_ms = start_ms + round(options.days * _DAY_MS)
    with progress_bar("windows", shown=options.days > 10) as progress:
        directions = find_directions(settings, start_ms, end_ms, progress)
    plan = contact_plan(directions)
    for path in options.plan:
        path.write_text(write_toml_plan(plan) if path.suffix == ".toml" else write_ion_plan(plan))
    drawing = Drawing(settings, directions, start_ms, end_ms)
    if options.chart is not None:
        options.chart.write_text(html_page(drawing), encoding="utf-8")
    if options.json:
        print_json(
            [
                {
                    "from_node": d.from_node,
                    "to_node": d.to_node,
                    "rate_bytes_s": d.rate_bytes_s,
                    "open_share": d.open_ms / (end_ms - start_ms),
                    "longest_gap_ms": d.longest_gap_ms,
                    "light_ms": [light_ms for _, light_ms in d.ranges],
                    "windows": [[utc(w.start_ms), utc(w.end_ms)] for w in d.windows],
                }
                for d in directions
            ]
        )
        return OK
    print(text_chart(drawing))
    print(f"\n{summary_table(drawing)}")
    if options.windows:
        print(f"\n{contact_lines(drawing)}")
    return OK
