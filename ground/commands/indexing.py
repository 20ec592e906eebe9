"""`ground reindex`: the catalogue anew."""

import argparse

from ground.archive import reindex
from ground.commands.common import (
    FOUND,
    OK,
    Subparsers,
    add_archive,
    add_command,
    add_json,
    print_json,
    print_losses,
)
from ground.console import progress_bar


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "reindex",
        run,
        about="make the catalogue anew from the raw files; exit 1 if any of them is damaged",
        example="ground reindex --archive station/archive",
    )
    add_archive(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Make the catalogue anew."""
    with progress_bar("reading raw files") as progress:
        archive = reindex(options.archive, progress)
    with archive:
        tally, damages = archive.catalogue.tally(), archive.catalogue.damages()
        products = len(archive.products())
        if options.json:
            print_json(
                {
                    "products": products,
                    "kept": tally.kept,
                    "repeated": tally.repeated,
                    "refused": tally.refused,
                    "notices": tally.notices,
                    "damages": [
                        {"file": d.file, "offset": d.offset, "length": d.length} for d in damages
                    ],
                }
            )
        else:
            print(f"{products} products")
            print_losses(archive)
    return FOUND if damages else OK
