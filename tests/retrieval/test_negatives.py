import numpy as np

from ntp.retrieval.examples import retrieval_examples
from ntp.retrieval.negatives import ContrastiveSchedule


def make_schedule(small_corpus, seed=0, num_in_file=2, num_accessible=3):
    corpus, records = small_corpus
    return corpus, ContrastiveSchedule(
        retrieval_examples(corpus, records), corpus, 8, num_in_file, num_accessible, seed
    )


def test_a_batch_is_a_function_of_step_and_seed(small_corpus):
    _, first = make_schedule(small_corpus)
    _, second = make_schedule(small_corpus)
    assert [first.batch(step) for step in range(9)] == [
        second.batch(step) for step in (*range(4), *range(4, 9))
    ]
    assert first.batch(7) == second.batch(7)
    assert first.batch(0) != make_schedule(small_corpus, seed=1)[1].batch(0)


def test_positives_are_used_and_negatives_accessible_and_not_used(small_corpus):
    corpus, schedule = make_schedule(small_corpus)
    drawn = [one for step in range(200) for one in schedule.batch(step)]
    in_file, seen = set(), set()
    for one in drawn:
        assert one.positive in one.example.used
        assert not set(one.negatives) & set(one.example.used)
        mask = corpus.mask(one.example.theorem)
        assert all(mask[n] for n in one.negatives)
        seen.update(one.negatives)
    assert seen == set(range(len(corpus)))  # every premise serves as one
    _, schedule = make_schedule(small_corpus, num_accessible=0)
    for one in (one for step in range(50) for one in schedule.batch(step)):
        in_file.update(corpus.premises[n].file for n in one.negatives)
    assert in_file == {"b.v"}


def test_draws_are_uniform_over_what_is_accessible(small_corpus):
    _, schedule = make_schedule(small_corpus, num_in_file=0, num_accessible=4)
    drawn = [n for step in range(500) for one in schedule.batch(step) for n in one.negatives]
    shares = np.bincount(drawn) / len(drawn)
    assert abs(shares - 0.1).max() < 0.02


def test_a_theorem_at_the_start_of_a_lonely_file_has_no_negatives(small_corpus, build):
    corpus, _ = small_corpus
    records = [build.record(build.theorem("t", "a.v", 5), [("s", [("M.apple_rule", "a.v")])])]
    schedule = ContrastiveSchedule(retrieval_examples(corpus, records), corpus, 1, 4, 4, 0)
    assert schedule.batch(0)[0].negatives == ()
