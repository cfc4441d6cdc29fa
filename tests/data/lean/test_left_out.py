from ntp.data.lean.left_out import LeftOut


def test_counts_of_files_add_up():
    whole = LeftOut(num_tactics_failed=1)
    whole.add(LeftOut(num_tactics_failed=2, num_theorems_with_sorry=3))
    assert whole == LeftOut(num_tactics_failed=3, num_theorems_with_sorry=3)
