from ntp.policy.prompt import SamplingParams
from ntp.search.driver import search_theorems
from ntp.search.interface import Budget
from ntp.search.proposers import Beginning
from ntp.search.sampling import SamplingSearch
from ntp.seeding import derive_seed
from ntp.types import Crashed, Exceeded, Proved, Reached, Status, Timeout


def sampler(num, max_depth=4, budget=None, num_restarts=0):
    def make(theorem, root):
        draws = [SamplingParams(derive_seed(theorem.id, i)) for i in range(num)]
        return SamplingSearch(theorem, root, draws, max_depth, budget, num_restarts)

    return make


def replayed_status(env, trajectory, max_depth):
    """An independent reading of what the status of a trajectory must be."""
    session = env.open(trajectory.theorem)
    state, visited = session.root, {session.root.key}
    for number, text in enumerate(trajectory.tactics, start=1):
        outcome = session.step(state, text)
        last = number == len(trajectory.tactics)
        if isinstance(outcome, Proved):
            assert last
            return Status.PROVED
        if isinstance(outcome, Timeout | Exceeded | Crashed):
            assert last
            ends = {Timeout: Status.TIMEOUT, Exceeded: Status.EXCEEDED, Crashed: Status.CRASHED}
            return ends[type(outcome)]
        if not isinstance(outcome, Reached) or outcome.state.key in visited:
            assert last
            return Status.STUCK
        state = outcome.state
        visited.add(state.key)
    assert len(trajectory.tactics) == max_depth
    return Status.TRUNCATED


def test_statuses_agree_with_a_replay_of_the_tactics(theorems, pool, env, proposer):
    searches = search_theorems(theorems, sampler(64), proposer, pool)
    seen = set()
    for search in searches:
        assert len(search.trajectories) == 64
        for trajectory in search.trajectories:
            assert trajectory.status == replayed_status(env, trajectory, max_depth=4)
            seen.add(trajectory.status)
    assert seen == {Status.PROVED, Status.STUCK, Status.TIMEOUT, Status.EXCEEDED, Status.CRASHED}


def test_depth_truncates(theorems, pool, proposer):
    (search,) = search_theorems(theorems[:1], sampler(64, max_depth=1), proposer, pool)
    statuses = {t.status for t in search.trajectories}
    assert Status.TRUNCATED in statuses
    assert Status.PROVED not in statuses
    assert all(len(t.transitions) == 1 for t in search.trajectories)


def test_coming_back_to_a_state_ends_the_trajectory(theorems, pool, proposer):
    (search,) = search_theorems(theorems[:1], sampler(64), proposer, pool)
    looped = [t for t in search.trajectories if "loop" in t.tactics]
    assert looped
    assert all(t.status is Status.STUCK and t.tactics[-1] == "loop" for t in looped)


def test_trajectories_do_not_depend_on_what_else_is_sampled(theorems, pool, proposer):
    together = search_theorems(theorems, sampler(16), proposer, pool)
    alone = [search_theorems([t], sampler(16), proposer, pool)[0] for t in theorems]
    fewer = search_theorems(theorems, sampler(4), proposer, pool)
    for a, b, c in zip(together, alone, fewer, strict=True):
        scripts = [t.tactics for t in a.trajectories]
        assert scripts == [t.tactics for t in b.trajectories]
        assert scripts[:4] == [t.tactics for t in c.trajectories]


def test_usage_counts_every_tactic(theorems, pool, proposer):
    (search,) = search_theorems(theorems[:1], sampler(16), proposer, pool)
    assert search.usage.num_samples == sum(len(t.transitions) for t in search.trajectories)
    assert search.usage.num_samples == len(search.transitions)


def test_a_spent_budget_truncates_what_is_open(theorems, pool, proposer):
    (search,) = search_theorems(theorems[:1], sampler(64, budget=Budget(max_samples=64)), proposer, pool)
    assert search.usage.num_samples == 64
    assert len(search.trajectories) == 64
    assert any(t.status is Status.TRUNCATED for t in search.trajectories)


def test_restarts_begin_where_a_trajectory_got_stuck_and_change_no_other(theorems, pool, env, proposer):
    plain = search_theorems(theorems, sampler(16), proposer, pool)
    searches = search_theorems(theorems, sampler(16, num_restarts=5), proposer, pool)
    assert any(len(search.trajectories) > 16 for search in searches)
    for without, search in zip(plain, searches, strict=True):
        own, more = search.trajectories[:16], search.trajectories[16:]
        assert [t.tactics for t in own] == [t.tactics for t in without.trajectories]
        assert len(more) <= 5
        places = {t.tactics[:-1] for t in own + more if t.status is Status.STUCK}
        for trajectory in more:
            assert trajectory.status == replayed_status(env, trajectory, max_depth=4)
            assert any(
                prefix
                and trajectory.tactics[: len(prefix)] == prefix
                and len(trajectory.tactics) > len(prefix)
                for prefix in places
            )


def test_a_first_tactic_is_the_first_only(theorems, pool, proposer):
    def make(theorem, root):
        draws = [
            SamplingParams(derive_seed(theorem.id, i), first="left" if i % 2 else None) for i in range(32)
        ]
        return SamplingSearch(theorem, root, draws, max_depth=4)

    (search,) = search_theorems(theorems[:1], make, Beginning(proposer), pool)
    (free,) = search_theorems(theorems[:1], sampler(32), proposer, pool)
    begun = [trajectory.tactics for trajectory in search.trajectories]
    assert {tactics[0] for tactics in begun[1::2]} == {"left"}
    assert any(len(set(tactics)) > 1 for tactics in begun[1::2])
    assert begun[::2] == [trajectory.tactics for trajectory in free.trajectories][::2]
