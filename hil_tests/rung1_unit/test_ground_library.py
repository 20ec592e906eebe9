import numpy as np
import pytest

from flight.product.part import ProductKind
from ground import library as module
from ground.archive import open_archive
from ground.library import Library
from tools.sim.downlink import whole_run


@pytest.fixture
def opened(tmp_path):
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(whole_run())
        yield Library(archive)


def arrays(library):
    kinds = (ProductKind.FRAME, ProductKind.THUMBNAIL, ProductKind.XRAY_SPECTRUM)
    return [row.header.id for row in library.rows() if row.header.kind in kinds]


def test_an_array_is_decoded_once_and_nobody_can_change_it(opened, monkeypatch):
    first = [opened.read(product) for product in arrays(opened)]
    monkeypatch.setattr(module, "decode_product", None)
    assert [opened.read(product) for product in arrays(opened)] == first
    with pytest.raises(ValueError, match="read-only"):
        first[0].array.samples[0] = 0


def test_what_was_asked_for_longest_ago_gives_way_and_is_decoded_again(opened, monkeypatch):
    products = arrays(opened)
    sizes = [opened.read(product).array.samples.nbytes for product in products]
    monkeypatch.setattr(module, "MOST_KEPT_BYTES", sum(sizes[1:]))
    before = opened.read(products[0])
    for product in products[1:]:
        opened.read(product)
    again = opened.read(products[0])
    assert again is not before
    assert np.array_equal(again.array.samples, before.array.samples)


def test_an_array_too_large_to_keep_is_still_read(opened, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT_BYTES", 0)
    assert opened.read(arrays(opened)[0]).array.samples.size
