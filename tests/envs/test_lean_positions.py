import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.lean_positions import pack_position, unpack_position

positions = st.tuples(st.integers(1, 10**6), st.integers(1, 2**16))


@given(positions, positions)
def test_positions_come_back_and_keep_their_order(one, two):
    assert unpack_position(pack_position(*one)) == one
    assert (pack_position(*one) < pack_position(*two)) == (one < two)


AGREED = [((1, 1), 0), ((1, 3), 2), ((2, 1), 65536), ((284, 1), 283 * 65536)]


@pytest.mark.parametrize(("position", "packed"), AGREED)
def test_the_agreed_numbers(position, packed):
    assert pack_position(*position) == packed
