import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ntp.models.backbone import build_tiny_llama, tiny_llama_config
from ntp.policy.causal import CausalPolicy
from ntp.policy.factory import PretrainedPolicyFactory, Seq2SeqPolicyFactory, TinyPolicyFactory
from ntp.policy.prompt import PromptFormat

TEXTS = [
    "n : nat\n⊢ n + 0 = n",
    "induction n; simpl; auto.",
    "A : Type\nl : list A\n⊢ rev (rev l) = l",
    "intros; rewrite app_nil_r; reflexivity.",
]


def sharpen(policy, seed):
    """Make a freshly built model's distributions uneven, so that a wrong mask or position shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in policy.trainable_parameters():
            if p.ndim == 2:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.15)
    return policy


def often_stopping(policy):
    """Make a model over bytes likely to stop in some places and unlikely in others."""
    with torch.no_grad():
        policy.decoder.model.get_output_embeddings().weight[policy.decoder.stop_id] *= 6
    return policy


def build_tiny(seed=0, **options):
    sizes = {"vocab_size": 300, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    limits = {"max_state_tokens": 64, "max_tactic_tokens": 12}
    return sharpen(TinyPolicyFactory(**{**sizes, **limits, **options}).create(TEXTS), seed)


def build_micro(num_words=3, max_tactic_tokens=3, top_p=1.0):
    """A policy with so few tactics that all can be listed."""
    words = [chr(ord("a") + i) for i in range(num_words)]
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<stop>", "<tactic>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<stop>",
        extra_special_tokens=["<tactic>"],
    )
    config = tiny_llama_config(
        fast, hidden_size=16, num_layers=2, num_heads=2, intermediate_size=24, max_positions=32
    )
    prompt = PromptFormat("{state}", "<tactic>", 8)
    policy = CausalPolicy(build_tiny_llama(config, 0), fast, prompt, max_tactic_tokens, top_p)
    return sharpen(policy, 5)


@pytest.fixture(scope="session")
def lora_factory(pretrained):
    return PretrainedPolicyFactory(
        str(pretrained),
        adapter={"r": 4, "alpha": 8},
        max_state_tokens=64,
        max_tactic_tokens=12,
        dtype="auto",
        gradient_checkpointing=False,
    )


@pytest.fixture(scope="session")
def seq2seq_factory(byt5):
    return Seq2SeqPolicyFactory(str(byt5), max_state_tokens=64, max_tactic_tokens=12)


@pytest.fixture
def make_policy(lora_factory, seq2seq_factory):
    """Makes a policy of a kind, with uneven distributions."""
    return {
        "tiny": build_tiny,
        "lora": lambda: sharpen(lora_factory.create(), 1),
        "seq2seq": lambda: often_stopping(sharpen(seq2seq_factory.create(), 2)),
    }


@pytest.fixture(params=["tiny", "lora", "seq2seq"])
def policy(request, make_policy):
    """A policy of every kind."""
    return make_policy[request.param]()


@pytest.fixture(params=["tiny", "lora"])
def causal_policy(request, make_policy):
    """A policy of either causal kind."""
    return make_policy[request.param]()


@pytest.fixture(scope="session")
def make_tiny():
    return build_tiny


@pytest.fixture(scope="session")
def make_micro():
    return build_micro


@pytest.fixture(scope="session")
def make_lora(lora_factory):
    return lambda: sharpen(lora_factory.create(), 1)


@pytest.fixture(scope="session")
def plain_log_prob():
    """Independent log P_F of one tactic: one sequence, no mask, no cache, no packing. Differentiable."""

    def plain_logits(policy, prompt, targets):
        model = policy.decoder.model
        if model.config.is_encoder_decoder:
            # Given labels, the model itself puts its start token first.
            return model(input_ids=torch.tensor([prompt]), labels=torch.tensor([targets])).logits[0]
        ids_BL = torch.tensor([[*prompt, *targets]])
        return model(input_ids=ids_BL).logits[0, len(prompt) - 1 : -1]

    def log_prob(policy, state, token_ids):
        decoder = policy.decoder
        prompt = policy.encode_state(state)
        targets = [*token_ids, decoder.stop_id][: policy.max_tactic_tokens]
        logits_LV = plain_logits(policy, prompt, targets)
        allowed = [i for i in range(logits_LV.shape[1]) if i not in decoder.suppressed_ids]
        log_p_LV = torch.full_like(logits_LV, -torch.inf)
        log_p_LV[:, allowed] = logits_LV[:, allowed].log_softmax(-1)
        return log_p_LV[range(len(targets)), targets].sum()

    return log_prob
