"""Streams are the same bits on every machine: one digest a codec, wherever this test runs.

The digests are those of ``python -m tools.campaign.identity``, which has printed the same on
x86-64 (numpy 1.26 and 2) and aarch64. They change with the version of a codec, or
where an encoder makes another choice among those that its format allows.
"""

import pytest

from flight.product.codecs import CODECS, CodecId
from tools.campaign.identity import digest

DIGESTS = {
    (CodecId.RAW, 1): "c0679eba8f13178358c4b016d9dce7ff40aa11bfdcb74b056ea322455aa7e0fa",
    (CodecId.IMAGE, 1): "49a96503e23b05e403067c1c3b9317b31a828c12f39202a536d38ee409fb416e",
    (CodecId.LATTICE, 1): "ec873374ad80d0ed96ca3cd22a93b61d5b48ec16b737af837f1f4be5eabaced4",
    (CodecId.CUBE, 1): "5f3c420db6ef5b9a73efab44132391dcc625ce35f02b5c48599f6e0e37c22c41",
    (CodecId.SPECTRA, 1): "4e8259a7f8607b48ae9d8fedf6a7719c24a1e07acb82770739a13ea2640a32b2",
    (CodecId.CLASS_MAP, 3): "22a507b1bbfba6fbb6f85d388ada37b9f0a680cc639a43aa32f0d842991e16c5",
    (CodecId.HOUSEKEEPING, 1): "b26216c42008fe6a93aa253f44ccc167e53b327a27ae8b0d593513e604dc35a3",
    (CodecId.TENSOR, 1): "a0eb482f9f7173093aabc9a2d5f67243b85fd1614eb8001654408692c67c6129",
}


@pytest.mark.parametrize("codec", list(CodecId))
def test_a_codecs_streams_have_the_same_bits_on_every_machine(codec: CodecId) -> None:
    assert digest(codec) == DIGESTS[codec, CODECS[codec].version]
