from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.lean.positions import MAX_COLUMN, pack_position, unpack_position

POSITIONS = st.tuples(st.integers(1, 10**6), st.integers(1, MAX_COLUMN))


@given(POSITIONS, POSITIONS)
def test_packed_positions_are_ordered_as_places_and_can_be_read_again(one, other):
    assert unpack_position(pack_position(*one)) == one
    assert (pack_position(*one) < pack_position(*other)) == (one < other)


def test_a_file_begins_at_zero():
    assert pack_position(1, 1) == 0
    assert pack_position(3, 5) == 2 * 65536 + 4
