"""Which bundle carries which part of which product, so that a lost bundle can be named.

A product that is made again after a crash travels under the same bundle ids: source service
PRODUCT_SERVICE, creation time that of the product, and the sequence number made here.
"""

from flight.product.part import ProductId

PRODUCT_SERVICE = 2
"""Products come from it and nothing else does."""

_INDEX_BITS, _NUMBER_BITS = 14, 26


def bundle_sequence(product: ProductId, index: int) -> int:
    """Return the sequence number that belongs to one part of one product for good."""
    return (product.boot << (_INDEX_BITS + _NUMBER_BITS)) | (product.number << _INDEX_BITS) | index


def named_part(node: int, sequence: int) -> tuple[ProductId, int]:
    """Return the product of a node's that a bundle was to carry, and the index of the part."""
    boot = sequence >> (_INDEX_BITS + _NUMBER_BITS)
    number = (sequence >> _INDEX_BITS) & ((1 << _NUMBER_BITS) - 1)
    return ProductId(node, boot, number), sequence & ((1 << _INDEX_BITS) - 1)
