from ntp.envs.lean.env import Goals, _lean_state


def test_live_states_are_read_as_recorded_ones():
    state = _lean_state(3, Goals(1, ("case h\np : Prop\n⊢ p", "⊢ q")))
    assert (state.handle, state.goal.hypotheses, state.other_goals) == (3, ("case h", "p : Prop"), ("⊢ q",))
    assert state.text == state.key == "case h\np : Prop\n⊢ p\n\n⊢ q"


def test_a_goal_that_is_printed_as_nothing_is_still_a_goal():
    assert _lean_state(0, Goals(1, ("",))).text == "⊢ "
