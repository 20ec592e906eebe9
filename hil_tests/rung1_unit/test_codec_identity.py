"""Streams are the same bits on every machine: one digest a codec, wherever this test runs.

The digests are those of ``python -m tools.campaign.identity``, which has printed the same on
x86-64 (numpy 1.23, 1.26 and 2) and aarch64 (1.26). They change with the version of a codec, or
where an encoder makes another choice among those that its format allows.
"""

import pytest

from flight.product.codecs import CODECS, CodecId
from tools.campaign.identity import digest

DIGESTS = {
    (CodecId.RAW, 1): "c0679eba8f13178358c4b016d9dce7ff40aa11bfdcb74b056ea322455aa7e0fa",
    (CodecId.IMAGE, 3): "66c186273bcca2c47279d38f9aad208910b898970a5bdcc1f6078e963d22c375",
    (CodecId.LATTICE, 3): "15dc2c3c087c085b70e156c1449c906a43a3e15d5439706f5f9f524998015c50",
    (CodecId.CUBE, 4): "13ea6f8efd96b9f3803ff798ee2eb213bfc9674df711b58d52f8235639c674c8",
    (CodecId.SPECTRA, 3): "ec228e5e104a6f25889198df7e5e6106fdd819c9f67ebd04e4817f18b4d7744d",
    (CodecId.CLASS_MAP, 5): "cfaa1ea23754da33dc56d7cf41b75ffbcbc06bcea3c40c84b05afaa94f31f908",
    (CodecId.HOUSEKEEPING, 1): "b26216c42008fe6a93aa253f44ccc167e53b327a27ae8b0d593513e604dc35a3",
    (CodecId.TENSOR, 4): "90c10cd8fe3a24e39fe1c48f1320138423c56f88a209460809bc86cec11e25b1",
}


@pytest.mark.parametrize("codec", list(CodecId))
def test_a_codecs_streams_have_the_same_bits_on_every_machine(codec: CodecId) -> None:
    assert digest(codec) == DIGESTS[codec, CODECS[codec].version]
