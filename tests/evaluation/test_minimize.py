import random
from itertools import combinations

import pytest

from ntp.envs.script import PlainSyntax
from ntp.evaluation import minimize as module
from ntp.evaluation.minimize import shorter_by_one_run


def minimize(proofs, accepts, syntax=None):
    return module.minimize(proofs, accepts, syntax or PlainSyntax())


class SemicolonSyntax:
    """Components between semicolons, in lower case."""

    def components(self, tactic):
        return [part.strip().lower() for part in tactic.split(";")]

    def join(self, components):
        return "; ".join(components)


def subsequences(script):
    for size in range(1, len(script) + 1):
        for chosen in combinations(range(len(script)), size):
            yield tuple(script[i] for i in chosen)


def is_subsequence(short, long):
    rest = iter(long)
    return all(tactic in rest for tactic in short)


class Checker:
    """Accepts scripts by a given function and records the candidates it was given."""

    def __init__(self, accepts):
        self.accepts = accepts
        self.asked = []
        self.num_calls = 0

    def __call__(self, candidates):
        self.num_calls += 1
        self.asked += [(theorem.id, script) for theorem, script in candidates]
        return [self.accepts(script) for _, script in candidates]


@pytest.mark.parametrize("seed", range(30))
def test_with_a_monotone_checker_the_result_is_minimal_by_brute_force(seed, theorem_of):
    rng = random.Random(seed)
    script = tuple("abcdef"[: rng.randint(1, 6)])
    needed = [set(rng.sample(script, rng.randint(1, len(script)))) for _ in range(3)]

    def accepts(candidate):  # accepts every script that includes one of the needed sets
        return any(need <= set(candidate) for need in needed)

    [reduced] = minimize([(theorem_of(), script)], Checker(accepts))
    accepted = [s for s in subsequences(script) if accepts(s)]
    minimal = [s for s in accepted if not any(set(other) < set(s) for other in accepted)]
    assert reduced in minimal


@pytest.mark.parametrize("seed", range(30))
def test_with_any_checker_no_run_can_be_dropped_from_the_result(seed, theorem_of):
    rng = random.Random(seed)
    script = tuple("abcdef")
    accepted = {s for s in subsequences(script) if rng.random() < 0.15} | {script}
    [reduced] = minimize([(theorem_of(), script)], Checker(accepted.__contains__))
    assert reduced in accepted
    assert is_subsequence(reduced, script)
    for size in range(1, len(reduced)):
        for start in range(len(reduced) - size + 1):
            assert reduced[:start] + reduced[start + size :] not in accepted


def test_padding_that_undoes_itself_is_dropped_though_neither_half_can_be(theorem_of):
    def accepts(script):  # `symmetry` flips the goal, `exact H` needs it unflipped
        return script[-1] == "exact H" and script.count("symmetry") % 2 == 0

    [reduced] = minimize([(theorem_of(), ("symmetry", "symmetry", "exact H"))], Checker(accepts))
    assert reduced == ("exact H",)


def test_checks_are_batched_over_proofs_and_never_repeated(theorem_of):
    first, second = theorem_of("A"), theorem_of("B")
    checker = Checker(lambda script: "x" in script)
    proofs = [(first, tuple("axb")), (first, tuple("bxa")), (second, tuple("axb")), (second, ("x",))]
    assert minimize(proofs, checker) == [("x",)] * 4
    assert checker.num_calls == 2  # a run at an end leaves `x` in one round, runs at both ends in two
    assert len(checker.asked) == len(set(checker.asked))


def test_nothing_to_minimize(theorem_of):
    checker = Checker(lambda script: True)
    assert minimize([], checker) == []
    assert minimize([(theorem_of(), ("auto",))], checker) == [("auto",)]
    assert checker.num_calls == 0


def test_components_of_tactics_are_dropped_and_spellings_are_one(theorem_of):
    checker = Checker(lambda script: "auto" in script[-1])
    proofs = [(theorem_of(), script) for script in [("A;AUTO",), ("b ;c", "d; auto;e"), ("auto",)]]
    assert minimize(proofs, checker, SemicolonSyntax()) == [("auto",)] * 3
    assert len(checker.asked) == len(set(checker.asked))


def test_a_spelling_that_the_kernel_refuses_is_not_used(theorem_of):
    checker = Checker(lambda script: script[-1] == "B;A")
    assert minimize([(theorem_of(), ("x;y", "B;A"))], checker, SemicolonSyntax()) == [("B;A",)]


def test_long_scripts_are_shortened_with_a_number_of_candidates_that_grows_linearly():
    assert len(shorter_by_one_run(tuple((f"t{i}",) for i in range(12)))) == 12 * 13 / 2 - 1
    assert len(shorter_by_one_run(tuple((f"t{i}",) for i in range(100)))) < 5 * 100


def test_a_long_script_loses_its_padding(theorem_of):
    padding = tuple(f"p{i}" for i in range(40))
    checker = Checker(lambda script: [t for t in script if not t.startswith("p")] == ["a", "b"])
    script = (*padding[:20], "a", *padding[20:], "b")
    assert minimize([(theorem_of(), script)], checker) == [("a", "b")]


def test_remainders_are_distinct_proper_non_empty_and_shortest_first():
    remainders = shorter_by_one_run((("a", "a"), ("b",)))
    assert remainders == [(("b",),), (("a",),), (("a",), ("b",)), (("a", "a"),)]
