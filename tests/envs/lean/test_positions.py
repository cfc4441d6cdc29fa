import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.lean.positions import MAX_COLUMN, Lines, pack_position, unpack_position

POSITIONS = st.tuples(st.integers(1, 10**6), st.integers(1, MAX_COLUMN))


@given(POSITIONS, POSITIONS)
def test_packed_positions_are_ordered_as_places_and_can_be_read_again(one, other):
    assert unpack_position(pack_position(*one)) == one
    assert (pack_position(*one) < pack_position(*other)) == (one < other)


def test_a_file_begins_at_zero():
    assert pack_position(1, 1) == 0
    assert pack_position(3, 5) == 2 * 65536 + 4


@given(st.text(alphabet="aα𝔸\r\n", max_size=30))
def test_every_offset_of_a_text_has_a_position(text):
    lines = Lines(text)
    packed = [lines.pack(offset) for offset in range(len(text) + 1)]
    assert packed == sorted(set(packed))
    assert [lines.offset(place) for place in packed] == list(range(len(text) + 1))


@pytest.mark.parametrize("place", [(1, 4), (2, 3), (3, 1), (0, 1), (1, 0)])
def test_a_place_outside_a_text_is_none(place):
    lines = Lines("ab\nc")
    assert lines.find(1, 3) == 2 and lines.find(2, 2) == 4
    assert lines.find(*place) is None
    if min(place) > 0:
        with pytest.raises(ValueError, match=f"no line {place[0]}, column {place[1]}"):
            lines.offset(pack_position(*place))
