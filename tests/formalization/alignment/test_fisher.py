import torch
from torch.func import functional_call

from ntp.formalization.alignment.fisher import diagonal_fisher, fit_head

IDS = [torch.tensor([5, 9, 7]), torch.tensor([11, 5])]


def exact_fisher(model, name):
    """By the definition: every next token of every prefix, weighted with the model's own probability."""
    weight = dict(model.named_parameters())[name].detach()
    total, num_tokens = torch.zeros_like(weight), 0
    for ids in IDS:
        for t in range(1, len(ids)):

            def log_p(value, ids=ids, t=t):
                logits = functional_call(model, {name: value}, (), {"input_ids": ids[None, :t]}).logits
                return logits[0, -1].log_softmax(-1)

            jacobian = torch.autograd.functional.jacobian(log_p, weight)
            p_V = log_p(weight).exp()
            total += torch.einsum("v,v...->...", p_V, jacobian.square())
            num_tokens += 1
    return (total / num_tokens).detach()


def test_the_estimate_converges_to_the_exact_diagonal(probe):
    model = probe.with_own_head()
    name = "model.layers.1.mlp.down_proj.weight"
    weight = dict(model.named_parameters())[name]
    exact = exact_fisher(model, name)

    def error(num_samples, seed):
        draws = torch.Generator().manual_seed(seed)
        found = diagonal_fisher(model, IDS, {"w": weight}, num_samples, draws)["w"].detach()
        return float((found - exact).norm() / exact.norm()), float(found.sum() / exact.sum())

    (coarse, _), (fine, ratio) = error(20, 1), error(2000, 1)
    assert abs(ratio - 1) < 0.03
    assert fine < 0.1
    assert 5 < coarse / fine < 20  # as the root of the number of draws


def test_one_draw_is_the_squared_gradient_of_each_text(probe):
    model = probe.with_own_head()
    name = "model.layers.0.self_attn.q_proj.weight"
    weight = dict(model.named_parameters())[name]
    found = diagonal_fisher(model, IDS, {"w": weight}, 1, torch.Generator().manual_seed(3))["w"]
    draws = torch.Generator().manual_seed(3)
    expected = torch.zeros_like(weight)
    for ids in IDS:
        model.zero_grad()
        log_p = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
        targets = torch.multinomial(log_p.detach().exp(), 1, replacement=True, generator=draws)
        torch.nn.functional.nll_loss(log_p, targets[:, 0], reduction="sum").backward()
        expected += weight.grad**2
    torch.testing.assert_close(found, expected / 3)
    assert found.sum() > 0


def test_fitting_changes_the_head_alone_and_lowers_the_loss(probe):
    model = probe.with_own_head()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def loss():
        with torch.no_grad():
            return sum(float(model(input_ids=ids[None], labels=ids[None]).loss) for ids in IDS)

    first = loss()
    fit_head(model, IDS, 20, 1e-2, torch.Generator().manual_seed(0))
    assert loss() < first - 1
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"lm_head.weight"}
    assert torch.equal(before["model.embed_tokens.weight"], probe.model.get_input_embeddings().weight)
