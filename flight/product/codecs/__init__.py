"""Codecs: integer arrays to small parts that decode alone, and back, bit for bit.

``encode`` cuts an array into boxes and packs each; ``decode`` puts whatever parts arrived back
in place and says which samples nobody delivered. The table that maps a number on the wire to a
codec is a plain value: a user's instrument adds its own with ``{**CODECS, 128: mine}``.
"""

from flight.product.codecs.geometry import cut_even
from flight.product.codecs.lattice import split
from flight.product.codecs.table import CODECS, CodecId, decode, encode, encode_parts
from flight.product.codecs.types import (
    DEFAULT_LIMIT_BYTES,
    Block,
    Codec,
    Decoded,
    Encoded,
    Field,
    Integers,
    Options,
)

__all__ = [
    "CODECS",
    "DEFAULT_LIMIT_BYTES",
    "Block",
    "Codec",
    "CodecId",
    "Decoded",
    "Encoded",
    "Field",
    "Integers",
    "Options",
    "cut_even",
    "decode",
    "encode",
    "encode_parts",
    "split",
]
