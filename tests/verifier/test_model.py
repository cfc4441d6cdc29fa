import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from ntp.errors import CheckpointError, ConfigError
from ntp.models.heads import HeadSettings
from ntp.policy.factory import PretrainedPolicyFactory, Seq2SeqPolicyFactory
from ntp.policy.prompt import ScoreRequest
from ntp.verifier.model import VerifierModel

STATES = ["n : nat\n⊢ n + 0 = n", "⊢ 0", "A : Type\nl : list A\n⊢ rev (rev l) = l"]
TEXTS = [
    ["induction n.", "auto."],
    ["", "intros; simpl; reflexivity; auto."],
    ["simpl.", "rewrite app_nil_r."],
]


def tactics_of(verifier):
    return [[verifier.backbone.encode_tactic(text) for text in texts] for texts in TEXTS]


def plain_log_probs(verifier, model):
    """Of every tactic alone, by a plain forward pass over state and tactic."""
    policy, rows = verifier.backbone, []
    for state, tactics in zip(STATES, tactics_of(verifier), strict=True):
        prompt, row = policy.encode_state(state), []
        for tactic in tactics:
            target = torch.tensor([*tactic, policy.decoder.stop_id][: policy.max_tactic_tokens])
            logits = model(input_ids=torch.tensor([[*prompt, *tactic]])).logits[0, len(prompt) - 1 :].float()
            logits[:, list(policy.decoder.suppressed_ids)] = -torch.inf
            row.append(logits[: len(target)].log_softmax(-1).gather(1, target[:, None]).sum().item())
        rows.append(row)
    return torch.tensor(rows)


@torch.no_grad()
def test_the_reference_is_the_backbone(make_verifier, base_directory):
    verifier = make_verifier()
    backbone = AutoModelForCausalLM.from_pretrained(base_directory)
    got = verifier.reference_log_probs(STATES, tactics_of(verifier))
    torch.testing.assert_close(got, plain_log_probs(verifier, backbone), atol=1e-4, rtol=0)


@torch.no_grad()
def test_peft_loads_every_head_and_reproduces_its_scores(make_verifier, base_directory, tmp_path):
    verifier = make_verifier()
    verifier.heads.save(tmp_path, str(base_directory), verifier.invocation_ids)
    tactics = tactics_of(verifier)
    scores = verifier.log_probs(STATES, [tactics] * 3)
    assert (scores[0] - scores[1]).abs().min() > 1e-2
    for k in range(3):
        backbone = AutoModelForCausalLM.from_pretrained(base_directory)
        peft = PeftModel.from_pretrained(backbone, str(tmp_path / f"head_{k}"))
        torch.testing.assert_close(scores[k], plain_log_probs(verifier, peft), atol=1e-4, rtol=0)


@torch.no_grad()
def test_heads_may_be_asked_about_different_tactics(make_verifier):
    verifier = make_verifier(2)
    tactics = tactics_of(verifier)
    swapped = [row[::-1] for row in tactics]
    both = verifier.log_probs(STATES, [tactics, swapped])
    same = verifier.log_probs(STATES, [tactics, tactics])
    torch.testing.assert_close(both[0], same[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(both[1], same[1].flip(1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_fresh_heads_change_nothing(make_verifier):
    verifier = make_verifier(uneven=False)
    tactics = tactics_of(verifier)
    reference = verifier.reference_log_probs(STATES, tactics)
    for row in verifier.log_probs(STATES, [tactics] * 3):
        torch.testing.assert_close(row, reference, atol=1e-5, rtol=0)


def test_a_state_is_read_once_for_all_heads_and_tactics(make_verifier):
    verifier = make_verifier()
    fed = []
    verifier.backbone.decoder.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: fed.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    verifier.log_probs(STATES[:1], [[tactics_of(verifier)[0]]] * 3)
    assert [rows for rows, _ in fed] == [1, 3 * 2]
    assert fed[0][1] == len(verifier.backbone.encode_state(STATES[0])) - len(verifier.invocation_ids)


def test_no_head_sees_the_gradient_of_another(make_verifier):
    verifier = make_verifier()
    tactics = tactics_of(verifier)
    for k in range(3):
        verifier.zero_grad()
        verifier.log_probs(STATES, [tactics] * 3)[k].sum().backward()
        for stacked in verifier.heads.parameters():
            assert stacked.grad is not None
            reached = stacked.grad.flatten(1).abs().amax(1) > 0
            assert reached.tolist() == [j == k for j in range(3)]
    assert not any(p.requires_grad for n, p in verifier.named_parameters() if "_K" not in n)


def test_gradient_checkpointing_changes_no_gradient(make_verifier):
    gradients = []
    for checkpointing in (False, True):
        verifier = make_verifier()
        model = verifier.backbone.decoder.model.train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        verifier.log_probs(STATES, [tactics_of(verifier)] * 3).sum().backward()
        gradients.append([p.grad for p in verifier.heads.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_saved_heads_are_read_again(make_verifier, tmp_path):
    verifier, other = make_verifier(), make_verifier(uneven=False, seed=5)
    verifier.heads.save(tmp_path, "base", verifier.invocation_ids)
    other.heads.load(tmp_path)
    for saved, read in zip(verifier.heads.parameters(), other.heads.parameters(), strict=True):
        torch.testing.assert_close(saved, read, atol=0, rtol=0)


def test_heads_that_do_not_fit_are_refused(make_verifier, tmp_path):
    verifier = make_verifier(2)
    verifier.heads.save(tmp_path, "base", verifier.invocation_ids)
    with pytest.raises(CheckpointError, match="cannot read head 2"):
        make_verifier(3).heads.load(tmp_path)
    with pytest.raises(CheckpointError, match="other layers or of another rank"):
        make_verifier(2, target_modules=["q_proj"]).heads.load(tmp_path)


def test_impossible_settings(make_verifier):
    with pytest.raises(ConfigError, match="num_heads=0"):
        HeadSettings(num_heads=0)
    with pytest.raises(ConfigError, match="no linear layer of this llama model"):
        make_verifier(target_modules=["nothing"])


def test_a_saved_verifier_fits_its_own_backbone_only(make_verifier, make_backbone, tmp_path):
    verifier = make_verifier(2)
    verifier.save(tmp_path)
    tactics = [tactics_of(verifier)] * 2
    loaded = VerifierModel.load(make_backbone(), tmp_path)
    torch.testing.assert_close(loaded.log_probs(STATES, tactics), verifier.log_probs(STATES, tactics))
    changed = make_backbone()
    changed.decoder.model.get_input_embeddings().weight.data.add_(0.5)
    with pytest.raises(CheckpointError, match="is for a backbone with weights="):
        VerifierModel.load(changed, tmp_path)
    with pytest.raises(CheckpointError, match="no verifier in"):
        VerifierModel.load(make_backbone(), tmp_path / "nothing")


def test_adapters_of_a_tuned_policy_are_merged_into_the_backbone(base_directory, tmp_path):
    options = {"adapter": {"r": 2, "alpha": 4}, "max_state_tokens": 64, "max_tactic_tokens": 12}
    policy = PretrainedPolicyFactory(str(base_directory), **options, dtype="auto").create().eval()
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3, generator=torch.Generator().manual_seed(len(name)))
    requests = [
        ScoreRequest(state, tuple(policy.encode_tactic(text) for text in row))
        for state, row in zip(STATES, TEXTS, strict=True)
    ]
    tuned = policy.score(requests).detach().view(3, 2)
    verifier = VerifierModel(policy, HeadSettings(2, r=4, alpha=8))
    got = verifier.reference_log_probs(STATES, tactics_of(verifier))
    torch.testing.assert_close(got, tuned, atol=1e-4, rtol=0)
    assert not any("lora_" in name for name, _ in verifier.named_parameters())
    verifier.save(tmp_path)
    config = json.loads((tmp_path / "head_0/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None  # the base without its adapters is another model


def test_an_encoder_decoder_takes_no_heads(byt5):
    with pytest.raises(ConfigError, match="need a causal language model, and a t5 model is none") as info:
        VerifierModel(Seq2SeqPolicyFactory(str(byt5)).create(), HeadSettings(2, r=4, alpha=8))
    assert "\n" not in str(info.value)
