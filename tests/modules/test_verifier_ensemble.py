from functools import partial
from types import SimpleNamespace

import pytest
import torch

from ntp.data.examples import LabelledState
from ntp.losses.diversity import head_diversity
from ntp.losses.preference import CorrectLikelihood, DirectPreference, LabelCrossEntropy
from ntp.models.heads import HeadSettings
from ntp.modules.verifier_ensemble import VerifierEnsembleModule, clip_heads
from ntp.policy.factory import TinyPolicyFactory
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import reference_log_probs, score_tactics

STATES = [
    LabelledState(theorem_id, state, correct, incorrect, (1,) * len(correct + incorrect))
    for theorem_id, state, correct, incorrect in (
        ("a", "n : nat\n⊢ n + 0 = n", ("auto.", "induction n."), ("split.", "left.", "exact I.")),
        ("b", "⊢ True", ("exact I.",), ("left.", "ring.")),
        ("c", "P : Prop\nh : P\n⊢ P", ("assumption.", "exact h.", "auto."), ("split.", "right.")),
        ("d", "⊢ 1 = 1", ("reflexivity.", "auto."), ("exact I.", "split.", "ring.")),
    )
]
TEXTS = [text for s in STATES for text in (s.state, *s.tactics)]
LABEL_N = torch.tensor([label for s in STATES for label in s.labels])

ENSEMBLE = {
    "features": ScoreFeatures("joint", 0.0),
    "bootstrap": True,
    "clip_norm": 1.0,
    "diversity": 0.0,
    "warmup_steps": 0,
    "seed": 0,
}


def make_verifier(num_heads, seed=0):
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    policy = TinyPolicyFactory(**sizes, max_state_tokens=64, max_tactic_tokens=12).create(TEXTS)
    return VerifierModel(policy, HeadSettings(num_heads, r=4, alpha=8, seed=seed))


def make_module(verifier, objective=None, **options):
    module = VerifierEnsembleModule(
        verifier,
        objective or DirectPreference(0.5),
        reference_log_probs(verifier, STATES),
        partial(torch.optim.AdamW, lr=5e-3),
        **{**ENSEMBLE, **options},
    )
    module.log = lambda *args, **kwargs: None
    return module


def train(module, num_steps):
    optimizer = module.configure_optimizers()["optimizer"]
    for step in range(num_steps):
        module._trainer = SimpleNamespace(global_step=step)
        optimizer.zero_grad()
        module.training_step(STATES).backward()
        module.configure_gradient_clipping(optimizer)
        optimizer.step()
    return module


def score_all(verifier):
    return score_tactics(verifier, [s.state for s in STATES], [s.tactics for s in STATES])


def heads_of(verifier):
    return {
        name: (layer.a_KRD.detach(), layer.b_KOR.detach()) for name, layer in verifier.heads.layers.items()
    }


def test_heads_trained_together_equal_heads_trained_alone():
    together = heads_of(train(make_module(make_verifier(3)), 5).verifier)
    for k in range(3):
        verifier = make_verifier(1)
        for name, layer in verifier.heads.layers.items():
            layer.a_KRD.data.copy_(make_verifier(3).heads.layers[name].a_KRD.data[k : k + 1])
        alone = heads_of(train(make_module(verifier, first_head=k), 5).verifier)
        for name, (a_KRD, b_KOR) in together.items():
            torch.testing.assert_close(a_KRD[k : k + 1], alone[name][0], atol=1e-5, rtol=0)
            torch.testing.assert_close(b_KOR[k : k + 1], alone[name][1], atol=1e-5, rtol=0)


def test_every_head_moves_and_differently():
    fresh = heads_of(make_verifier(3))
    trained = heads_of(train(make_module(make_verifier(3)), 3).verifier)
    for name, stacked in trained.items():
        for before, after in zip(fresh[name], stacked, strict=True):
            for k in range(3):
                assert not torch.equal(before[k], after[k])
            assert not torch.allclose(after[0], after[1])


@pytest.mark.parametrize(
    "objective",
    [DirectPreference(0.5), LabelCrossEntropy(0.5), CorrectLikelihood()],
    ids=lambda o: type(o).__name__,
)
def test_training_tells_correct_from_incorrect(objective):
    module = train(make_module(make_verifier(2), objective, bootstrap=False), 60)
    scored = score_all(module.verifier)
    for log_ratio_N in scored.log_ratio_KN:
        assert log_ratio_N[LABEL_N == 1].mean() > log_ratio_N[LABEL_N == 0].mean() + 1
    calibration = module.calibrate(STATES)
    probability_KN = calibration.log_odds(scored).sigmoid()
    assert probability_KN.mean(1).tolist() == pytest.approx([LABEL_N.mean().item()] * 2, abs=1e-3)


def test_diversity_drives_heads_apart():
    def diversity(module):
        layers = module.verifier.heads.layers.values()
        return sum(head_diversity(layer.a_KRD, layer.b_KOR).item() for layer in layers) / len(layers)

    # Alike but for the pairs they draw, heads stay alike unless they are driven apart.
    verifiers = [make_verifier(2), make_verifier(2)]
    for verifier in verifiers:
        for layer in verifier.heads.layers.values():
            layer.a_KRD.data[1] = layer.a_KRD.data[0]
    plain, driven = (
        diversity(train(make_module(verifier, diversity=weight, bootstrap=False), 10))
        for verifier, weight in zip(verifiers, (0.0, 10.0), strict=True)
    )
    assert driven > plain + 0.05


def test_a_batch_does_not_change_what_is_drawn_for_a_state():
    module = make_module(make_verifier(2))
    whole, part = module.draw_batch(STATES, 7), module.draw_batch(STATES[1:3], 7)
    torch.testing.assert_close(whole.log_p_KSP[:, 1:3], part.log_p_KSP, atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.weight_KS[:, 1:3], part.weight_KS)
    torch.testing.assert_close(whole.log_ratio_KSP, torch.zeros_like(whole.log_ratio_KSP), atol=1e-4, rtol=0)


def test_scores_of_many_are_those_one_by_one():
    verifier = train(make_module(make_verifier(2)), 3).verifier
    scored = score_all(verifier)
    for n, (state, text) in enumerate((s.state, text) for s in STATES for text in s.tactics):
        ids = verifier.backbone.encode_tactic(text)
        alone = verifier.log_probs([state], [[[ids]]] * 2)[:, 0, 0]
        torch.testing.assert_close(scored.log_p_KN[:, n], alone, atol=1e-4, rtol=0)
        assert scored.num_tokens_N[n] == len(ids) + 1


def test_a_head_is_clipped_by_its_own_norm():
    stacked = [torch.nn.Parameter(torch.zeros(2, 3, 2)), torch.nn.Parameter(torch.zeros(2, 2, 3))]
    stacked[0].grad, stacked[1].grad = torch.zeros(2, 3, 2), torch.zeros(2, 2, 3)
    stacked[0].grad[0, 0, 0], stacked[1].grad[0, 0, 0] = 3.0, 4.0
    stacked[0].grad[1, 0, 0] = 0.5
    clip_heads(stacked, 1.0)
    assert stacked[0].grad[0, 0, 0].item() == pytest.approx(0.6, abs=1e-4)
    assert stacked[1].grad[0, 0, 0].item() == pytest.approx(0.8, abs=1e-4)
    assert stacked[0].grad[1, 0, 0].item() == 0.5
