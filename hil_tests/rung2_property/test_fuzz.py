"""A slice of the campaign against hostile input; tools/campaign/fuzz.py runs a million each."""

from hashlib import pbkdf2_hmac

import pytest

from tools.campaign.decoders import DECODERS, Decoder
from tools.campaign.fuzz import attack


@pytest.mark.parametrize("name", DECODERS)
def test_hostile_input_raises_one_error_in_bounded_time_and_memory(name: str) -> None:
    inputs = 100 if name.startswith("codec") else 1500
    verdict = attack(DECODERS[name], inputs=inputs, seed=20261122)
    assert verdict.failures == ()
    assert verdict.refused < verdict.inputs


def test_a_decoder_that_leaks_another_error_is_caught() -> None:
    broken = Decoder(lambda data: data[5], lambda: (b"0123456789",))
    assert any("IndexError" in failure for failure in attack(broken, inputs=500, seed=1).failures)


def test_a_decoder_that_believes_a_length_is_caught() -> None:
    greedy = Decoder(lambda _: bytearray(2 << 20), lambda: (b"0123456789",))
    assert any("memory" in failure for failure in attack(greedy, inputs=200, seed=1).failures)


def test_a_decoder_that_is_slow_is_caught() -> None:
    slow = Decoder(lambda data: pbkdf2_hmac("sha256", data, b"", 300_000), lambda: (b"0123",))
    assert any(" s: " in failure for failure in attack(slow, inputs=2, seed=1).failures)
