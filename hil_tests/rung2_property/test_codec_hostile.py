"""Every codec takes any bytes: WireError or an array, soon, and in little memory.

The full campaign is ``python -m tools.campaign.codecs``; this is a slice of it.
"""

import pytest

from flight.product.codecs import CodecId
from tools.campaign.codecs import attack


@pytest.mark.parametrize("codec", list(CodecId))
def test_a_hostile_stream_is_a_wire_error_or_an_array(codec: CodecId) -> None:
    verdict = attack(codec, inputs=100, seed=11, most_seconds=5)
    assert not verdict.failures
    assert verdict.refused > 50
