"""`ground show`: products as words and pictures."""

import argparse
from pathlib import Path

from flight.product.errors import WireError
from flight.product.part import ProductId, ProductKind
from ground.archive import open_archive
from ground.commands.common import (
    FOUND,
    OK,
    Subparsers,
    UsageError,
    add_archive,
    add_command,
    add_json,
    print_json,
    read_product,
)
from ground.console import clean, progress_bar
from ground.library import Library
from ground.show import Shown, show

PICTURED = (
    ProductKind.FRAME,
    ProductKind.THUMBNAIL,
    ProductKind.RANGE,
    ProductKind.REGION,
    ProductKind.HAZARD_MAP,
    ProductKind.CLASS_MAP,
    ProductKind.SPECTRA,
    ProductKind.XRAY_SPECTRUM,
    ProductKind.TELEMETRY,
)
"""Kinds that `--all` draws."""


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "show",
        run,
        about="show products: records as text, arrays as pictures",
        example="ground show 1.1.34 --archive station/archive --out pictures",
    )
    parser.add_argument(
        "products",
        nargs="*",
        type=read_product,
        metavar="ID",
        help="a product as `ground ls` names it: NODE.BOOT.NUMBER",
    )
    add_archive(parser)
    add_json(parser)
    parser.add_argument("--all", action="store_true", help="every product that has a picture")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("pictures"),
        metavar="DIR",
        help="where pictures go (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Show products."""
    shown: list[Shown] = []
    faults: list[tuple[ProductId, str]] = []
    with open_archive(options.archive) as archive:
        library = Library(archive)
        products = list(options.products)
        if options.all:
            products += [row.header.id for row in library.rows() if row.header.kind in PICTURED]
        elif not products:
            raise UsageError("name a product, as `ground ls` does, or ask for --all")
        with progress_bar("drawing", shown=len(products) > 3) as progress:
            for index, product in enumerate(products):
                found = _show(library, product, options.out)
                if isinstance(found, Shown):
                    shown.append(found)
                else:
                    faults.append((product, found))
                progress(index + 1, len(products))
    _print(shown, faults, as_json=options.json)
    return FOUND if faults else OK


def _show(library: Library, product: ProductId, folder: Path) -> Shown | str:
    """Return what was shown, or why nothing was: one bad product never stops the rest."""
    try:
        return show(library, product, folder)
    except WireError as error:
        return clean(str(error))


def _print(shown: list[Shown], faults: list[tuple[ProductId, str]], *, as_json: bool) -> None:
    if as_json:
        items = [
            {
                "product": str(item.product),
                "text": item.text,
                "picture": str(item.picture) if item.picture else None,
            }
            for item in shown
        ]
        broken = [{"product": str(product), "fault": fault} for product, fault in faults]
        print_json({"shown": items, "faults": broken})
        return
    blocks = [
        item.text + (f"\npicture    {item.picture}" if item.picture else "") for item in shown
    ]
    blocks += [f"product    {product}\nfault      {fault}" for product, fault in faults]
    print("\n\n".join(blocks))
