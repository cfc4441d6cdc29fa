import pytest
import torch

from ntp.errors import ConfigError, DataError
from ntp.formalization.prompts import Template
from ntp.formalization.records import Pair, write_pairs
from ntp.formalization.scores.base import Translation
from ntp.formalization.scores.likelihood import TokenLoss, TypeCheckRate
from ntp.formalization.scores.structure import ExactMatch
from ntp.formalization.static import eval_af_static, evaluate, standard_scores
from ntp.formalization.translate import Prompting, checked, reference_likelihoods, translate
from ntp.formalization.typecheck.coq import CoqStatementChecker
from ntp.formalization.typecheck.verdict import TypeVerdict
from ntp.policy.factory import TinyPolicyFactory

TEMPLATE = Template("{informal}\n{formal}\n")


def pair(name, informal, formal, **more):
    return Pair(name, informal, formal, "", "coq", more.pop("split", "test"), "own", more.pop("topic", None))


PAIRS = [
    pair("a", "One is one.", "Theorem a : 1 = 1.", topic="numbers"),
    pair("b", "Truth holds.", "Theorem b : True.", topic="logic"),
    pair("c", "Two is two.", "Theorem c : 2 = 2.", topic="numbers"),
]


class Counting:
    """Coq, and what it was asked."""

    prover = "coq"

    def __init__(self, project):
        self.asked, self._checker = [], CoqStatementChecker(project)

    def check(self, header, statement):
        self.asked.append((header, statement))
        return self._checker.check(header, statement)

    def close(self):
        self._checker.close()


@pytest.fixture
def coq(stdlib):
    checker = Counting(stdlib)
    yield checker
    checker.close()


@pytest.fixture(scope="module")
def policy():
    factory = TinyPolicyFactory(
        vocab_size=300, hidden_size=32, num_layers=1, num_heads=2, intermediate_size=64, max_tactic_tokens=24
    )
    return factory.create([text for p in PAIRS for text in (p.informal, p.formal)])


def test_likelihoods_are_the_models_own(policy):
    prompts = [TEMPLATE.question(p) for p in PAIRS]
    for prompt, own, p in zip(prompts, reference_likelihoods(policy, prompts, PAIRS), PAIRS, strict=True):
        ids = policy.encode_tactic(p.formal)
        stopped = (*ids, policy.decoder.stop_id)[: policy.max_tactic_tokens]
        logits = policy.plain_logits(policy.encode_state(prompt), stopped).clone()
        logits[:, list(policy.decoder.suppressed_ids)] = -torch.inf
        expected = logits.log_softmax(-1)[range(len(stopped)), list(stopped)].sum()
        assert own.log_prob == pytest.approx(expected.item(), abs=1e-3)
        assert own.num_tokens == len(stopped)


def test_translations_are_reproducible_and_greedy_first(policy):
    prompting = Prompting(TEMPLATE, num_samples=3, seed=1, batch_size=2)
    done = []
    found = translate(policy, PAIRS, prompting, advance=done.append)
    assert done == [2, 1]
    assert [len(of_pair) for of_pair in found] == [3, 3, 3]
    again = translate(policy, PAIRS[::-1], Prompting(TEMPLATE, num_samples=3, seed=1, batch_size=3))[::-1]
    assert [[t.text for t in of_pair] for of_pair in found] == [
        [t.text for t in of_pair] for of_pair in again
    ]
    greedy = translate(policy, PAIRS, Prompting(TEMPLATE, seed=0))
    assert [of_pair[0].text for of_pair in found] == [of_pair[0].text for of_pair in greedy]


@pytest.mark.coq
def test_equal_questions_are_asked_once(coq):
    twice = [[Translation(p, p.formal), Translation(p, p.formal)] for p in PAIRS]
    twice[2][1] = Translation(PAIRS[2], "Theorem c : 2 = true.")
    found = checked(twice, {"coq": coq})
    assert len(coq.asked) == 4
    assert [t.verdict.well_typed for of_pair in found for t in of_pair] == [True] * 5 + [False]
    with pytest.raises(ConfigError, match="statements of coq cannot be type-checked"):
        checked(twice, {"lean": coq})


def translations(*texts_of_pairs, accepted=()):
    return [
        [
            Translation(p, text, TypeVerdict("well_typed" if text in accepted else "ill_typed"))
            for text in texts
        ]
        for p, texts in zip(PAIRS, texts_of_pairs, strict=True)
    ]


def test_first_selected_and_best_of_several():
    found = translations(
        ["Theorem x : 2 = 1.", "Theorem x : 1 = 1."],  # both accepted, the second right
        ["Theorem x : False.", "Theorem x : 1 = 1."],  # the second accepted, none right
        ["Theorem x : 3 = 3.", "Theorem x : 2 = 2."],  # none accepted, the second right
        accepted=("Theorem x : 2 = 1.", "Theorem x : 1 = 1."),
    )
    evaluation = evaluate(found, [ExactMatch(), TypeCheckRate()])
    exact = evaluation.overall["exact_match"]
    assert (exact.first, exact.selected, exact.best) == (0.0, 0.0, pytest.approx(2 / 3))
    rate = evaluation.overall["type_check"]
    assert (rate.first, rate.selected, rate.best) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert evaluation.num_pairs == {"logic": 1, "numbers": 2}
    assert evaluation.by_topic["numbers"]["exact_match"].best == 1.0
    assert evaluation.by_topic["logic"]["exact_match"].best == 0.0
    assert evaluation.outcomes == {"well_typed": 1, "ill_typed": 2}


def test_the_best_loss_is_the_lowest():
    class Length:
        name, higher_is_better, signature = "length", False, "chars"

        def of_each(self, translations):
            return [float(len(t.text)) for t in translations]

        def overall(self, translations, values):
            return max(values)

    evaluation = evaluate(translations(["aaa", "a"], ["bb", "bbb"], ["c", "cc"]), [Length()])
    assert (evaluation.overall["length"].first, evaluation.overall["length"].best) == (3.0, 2.0)
    assert evaluation.signatures == {"length": "chars"}


@pytest.mark.coq
def test_the_function_takes_a_file_or_pairs_and_one_score_or_several(policy, tmp_path, coq):
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    one = eval_af_static(policy, TokenLoss(), tmp_path / "pairs.jsonl")
    several = eval_af_static(policy, standard_scores(), PAIRS, coq)
    assert one.overall["token_loss"].first == pytest.approx(several.overall["token_loss"].first)
    assert one.outcomes == {} and sum(several.outcomes.values()) == 3
    assert set(several.overall) >= {"bleu", "chrf", "perplexity", "exact_match", "tree_similarity"}
    with pytest.raises(DataError, match="no pair to evaluate"):
        eval_af_static(policy, TokenLoss(), [])
