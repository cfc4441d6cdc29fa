import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp.policy.scorer import TreeRow, micro_batches, pack_rows, split_row

tokens = st.lists(st.integers(5, 9), max_size=6).map(tuple)
rows = st.builds(
    lambda prompt, branches: TreeRow((4, *prompt), tuple(branches), tuple(range(len(branches)))),
    tokens,
    st.lists(tokens, min_size=1, max_size=5),
)


def visible_sequence(ids_L, position_L, mask_LS, place):
    """What a token sees, itself included, ordered by position."""
    seen = [(int(position_L[s]), int(ids_L[s])) for s in torch.nonzero(mask_LS[place])[:, 0]]
    assert len({position for position, _ in seen}) == len(seen)
    return tuple(token for _, token in sorted(seen))


@given(st.lists(rows, min_size=1, max_size=3))
def test_every_token_sees_its_prompt_and_its_own_branch_only(batch):
    ids_BL, position_BL, mask_BLS = pack_rows(batch, 0, torch.device("cpu"))
    if mask_BLS is None:
        assert all(len(row.branches) == 1 for row in batch)
        length = ids_BL.shape[1]
        mask_BLS = torch.ones(len(batch), length, length, dtype=torch.bool).tril()
    for row, ids_L, position_L, mask_LS in zip(batch, ids_BL, position_BL, mask_BLS, strict=True):
        sequences = [tuple(row.prompt[: i + 1]) for i in range(len(row.prompt))]
        sequences += [(*row.prompt, *branch[: i + 1]) for branch in row.branches for i in range(len(branch))]
        assert sequences == [visible_sequence(ids_L, position_L, mask_LS, i) for i in range(row.num_tokens)]
        assert mask_LS[row.num_tokens :].any(1).all()  # padding attends to something, so no NaN


@given(rows, st.integers(1, 30))
def test_split_rows_keep_every_branch_and_the_bound(row, max_tokens):
    parts = list(split_row(row, max_tokens))
    assert sum((part.branches for part in parts), ()) == row.branches
    assert sum((part.slots for part in parts), ()) == row.slots
    assert all(part.prompt == row.prompt and part.branches for part in parts)
    assert all(part.num_tokens <= max_tokens or len(part.branches) == 1 for part in parts)


@given(st.lists(rows, max_size=8), st.integers(1, 60))
def test_micro_batches_partition_the_rows_within_the_bound(batch, max_tokens):
    groups = list(micro_batches(batch, max_tokens))
    assert sorted(id(row) for group in groups for row in group) == sorted(map(id, batch))
    for group in groups:
        assert len(group) == 1 or len(group) * max(row.num_tokens for row in group) <= max_tokens
