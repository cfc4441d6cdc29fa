import copy
import math

import pytest
import torch

from ntp.formalization.alignment.conditions import TEMPLATE
from ntp.formalization.alignment.outcomes import adapt, reference_loss
from ntp.formalization.records import Pair
from ntp.policy.causal import CausalPolicy
from ntp.policy.prompt import PromptFormat

PAIRS = [
    Pair(str(i), f"group {i} has order", f"Lemma prime{i} : order.", "", "coq", "test", "made up")
    for i in range(20)
]


@pytest.fixture
def model(probe):
    prompt = PromptFormat("{state}", None, 30)
    return CausalPolicy(copy.deepcopy(probe.model), probe.tokenizer, prompt, 30).eval()


def test_the_loss_is_that_of_a_plain_forward_pass(model):
    total, num = 0.0, 0
    for pair in PAIRS[:3]:
        question = TEMPLATE[: TEMPLATE.index("{formal}")].format(informal=pair.informal)
        before = model.tokenizer(question, add_special_tokens=False)["input_ids"]
        after = model.tokenizer(pair.formal, add_special_tokens=False)["input_ids"]
        assert len(before) <= 30 and len(after) < 30
        after.append(model.tokenizer.eos_token_id)
        with torch.no_grad():
            logits = model.model(torch.tensor([before + after])).logits[0]
        # Special tokens and those without an entry are never written.
        never = {*model.tokenizer.all_special_ids, *range(len(model.tokenizer), logits.shape[1])}
        logits[:, sorted(never - {after[-1]})] = -torch.inf
        log_p = logits.log_softmax(-1)
        total -= sum(float(log_p[len(before) - 1 + i, token]) for i, token in enumerate(after))
        num += len(after)
    found = reference_loss(model, PAIRS[:3], (), 0)
    assert found == pytest.approx(total / num, abs=1e-4)
    assert abs(found - math.log(len(model.tokenizer))) < 1  # its weights are random


def test_examples_change_the_question_and_are_never_the_answer(model):
    assert reference_loss(model, PAIRS[:4], PAIRS, 1) != reference_loss(model, PAIRS[:4], (), 0)
    # With its own pair as the only other one there is no example left.
    only = reference_loss(model, PAIRS[:1], [PAIRS[0], PAIRS[0]], 1)
    assert only == pytest.approx(reference_loss(model, PAIRS[:1], (), 0))


def test_adaptation_learns_and_follows_its_seed(model):
    before, other, again = reference_loss(model, PAIRS, (), 0), copy.deepcopy(model), copy.deepcopy(model)
    adapt(model, PAIRS, 12, 1e-2, 0)
    adapt(again, PAIRS, 12, 1e-2, 0)
    adapt(other, PAIRS, 12, 1e-2, 1)
    assert reference_loss(model, PAIRS, (), 0) < before - 1
    assert reference_loss(again, PAIRS, (), 0) == reference_loss(model, PAIRS, (), 0)
    assert reference_loss(other, PAIRS, (), 0) != reference_loss(model, PAIRS, (), 0)
