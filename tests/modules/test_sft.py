from functools import partial

import pytest
import torch

from ntp.data.examples import TacticPair
from ntp.modules.sft import SFTModule
from ntp.policy.factory import TinyPolicyFactory

PAIRS = [
    TacticPair("n : nat\n⊢ n + 0 = n", "induction n; simpl; auto."),
    TacticPair("⊢ True", "exact I."),
    TacticPair("P : Prop\nh : P\n⊢ P", "assumption."),
]


@pytest.fixture
def make_tiny():
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    factory = TinyPolicyFactory(**sizes, max_state_tokens=64, max_tactic_tokens=24)
    return lambda: factory.create(text for pair in PAIRS for text in (pair.state, pair.tactic))


def make_module(policy, prompt_weight):
    adam = partial(torch.optim.AdamW, lr=1e-2)
    module = SFTModule(policy, adam, prompt_weight, warmup_steps=0, decay_steps=0, keep_best=True)
    module.log = lambda *args, **kwargs: None  # no trainer to log to
    return module


def plain_nll(policy, pair):
    """Negative log-likelihoods of the state's tokens and of the tactic's with its stop token, one by one."""
    prompt, tactic = policy.encode_state(pair.state), policy.encode_tactic(pair.tactic)
    ids = torch.tensor([*prompt, *tactic, policy.decoder.stop_id])
    logits = policy.model(ids[None]).logits[0, :-1].float()
    logits[:, list(policy.decoder.suppressed_ids)] = -torch.inf
    nll = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
    ordinary = [i for i, token in enumerate(prompt[1:]) if token not in policy.decoder.suppressed_ids]
    return nll[ordinary], nll[len(prompt) - 1 :][: policy.max_tactic_tokens]


@pytest.mark.parametrize("prompt_weight", [0.0, 0.5])
def test_the_loss_is_the_weighted_mean_over_tokens(make_tiny, prompt_weight):
    policy = make_tiny()
    parts = [plain_nll(policy, pair) for pair in PAIRS]
    wanted = torch.cat([tactic for _, tactic in parts]).mean()
    wanted = wanted + prompt_weight * torch.cat([prompt for prompt, _ in parts]).mean()
    loss = make_module(policy, prompt_weight).training_step(PAIRS)
    torch.testing.assert_close(loss, wanted, atol=1e-4, rtol=0)


def test_training_learns_the_tactics_and_with_a_weight_the_states(make_tiny):
    reached = {}
    for prompt_weight in (0.0, 0.5):
        policy = make_tiny()
        module = make_module(policy, prompt_weight)
        optimizer = module.configure_optimizers()["optimizer"]
        for _ in range(100):
            optimizer.zero_grad()
            module.training_step(PAIRS).backward()
            optimizer.step()
        tactics = [policy.encode_tactic(pair.tactic) for pair in PAIRS]
        scores = policy.score_texts([pair.state for pair in PAIRS], tactics)
        assert scores.tactic_N.exp().min() > 0.8
        reached[prompt_weight] = scores.prompt_N.sum().item()
    assert reached[0.5] > reached[0.0] + 10


def test_validation_reports_perplexity_and_the_share_of_human_tactics_chosen(make_tiny):
    """Against one sequence at a time; batches of different sizes must not weigh the same."""
    policy = make_tiny()
    module = make_module(policy, 0.0)
    optimizer = module.configure_optimizers()["optimizer"]
    for _ in range(100):
        optimizer.zero_grad()
        module.training_step(PAIRS).backward()
        optimizer.step()
    # The same tactics with other spaces, and one that nobody would choose.
    spaced = TacticPair(PAIRS[0].state, "induction  n;\n simpl; auto. ")
    pairs = [spaced, *PAIRS[1:], TacticPair(PAIRS[1].state, "discriminate.")]
    logged = {}
    module.log = lambda name, value, **_: logged.update({name: float(value)})
    with torch.no_grad():
        for batch in (pairs[:3], pairs[3:]):
            module.validation_step(batch)
        module.on_validation_epoch_end()
        wanted = torch.cat([plain_nll(policy, pair)[1] for pair in pairs]).mean()
    assert logged["val/exact_match"] == pytest.approx(3 / 4)
    assert logged["val/nll"] == pytest.approx(float(wanted), abs=1e-4)
    assert logged["val/perplexity"] == pytest.approx(float(wanted.exp()), rel=1e-4)
    with torch.no_grad():
        module.validation_step(pairs[3:])
        module.on_validation_epoch_end()
    assert logged["val/exact_match"] == 0, "the second validation begins anew"
