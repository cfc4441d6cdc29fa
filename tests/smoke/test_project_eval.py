"""Two models are compared on two projects in one command, one of them behind a server."""

import json
import subprocess

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ntp.config.register import compose_config
from ntp.data.conversations import Conversation
from ntp.data.formats.chat import ChatLayout
from ntp.data.formats.prompts import Background
from ntp.evaluation.proof_log import ProofLog
from ntp.jsonl import read_jsonl
from ntp.modules.chat import encode
from ntp.policy.factory import TinyPolicyFactory
from ntp.policy.generators.templates import CHATML
from ntp.tasks.data.examples import load_tokens
from ntp.tasks.needs import policy_node
from ntp.types import Goal, Message
from ntp.workflow.plan import plan

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SOURCES = {
    "one": """Lemma a : 0 + 0 = 0. Proof. reflexivity. Qed.
Lemma b : 1 + 1 = 2. Proof. reflexivity. Qed.
Lemma c : forall n m : nat, n = m -> m = n. Proof. intros. symmetry. assumption. Qed.
""",
    "two": """Lemma d : 2 = 2. Proof. reflexivity. Qed.
Lemma e : exists n, n * n = 9. Proof. exists 3. reflexivity. Qed.
""",
}
SMALL = [
    *("model=tiny", "model.hidden_size=32", "model.num_layers=1", "model.num_heads=2"),
    *("model.intermediate_size=64", "model.vocab_size=400", "model.max_state_tokens=200"),
]
# What each model learns to say. The second proves nothing as it stands.
ANSWERS = {
    "good": "```coq\nProof.\n  reflexivity.\nQed.\n```",
    "poor": "```coq\nProof.\n  discriminate.\nQed.\n```",
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    roots = []
    for name, source in SOURCES.items():
        root = tmp_path_factory.mktemp("projects") / name
        root.mkdir()
        (root / "_CoqProject").write_text(f"-R . {name.title()}\nA.v\n")
        (root / "A.v").write_text(source)
        subprocess.run(["coqc", "-R", ".", name.title(), "A.v"], cwd=root, check=True)
        roots.append(root)
    return f"projects=[{','.join(map(str, roots))}]"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {name: taught(answer, tmp_path_factory.mktemp(name)) for name, answer in ANSWERS.items()}


def taught(answer, directory):
    """The directory of a small model that has learned to give one answer to whatever it is asked."""
    goals = [Goal((), "3 + 1 = 4"), Goal((), "forall n : nat, n = n"), Goal((), "exists n, 2 = n")]
    layout = ChatLayout("chat", "coq", {}, load_tokens(None))
    asked = [layout.question(goal, Background()) for goal in goals]
    texts = [answer, *(messages[0].content for messages in asked)]
    policy = TinyPolicyFactory(
        vocab_size=400, hidden_size=32, num_layers=1, num_heads=2, intermediate_size=64, max_state_tokens=200
    ).create(texts)
    policy.tokenizer.chat_template = CHATML
    rows = [
        encode(Conversation((*messages, Message("assistant", answer))), policy.tokenizer)
        for messages in asked
    ]
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-2)
    for step in range(120):
        row = rows[step % len(rows)]
        loss = policy.model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    policy.save(directory)
    return directory


@pytest.fixture(scope="module")
def server(models, chat_server):
    path = models["good"]
    loaded = (AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path))
    with chat_server({"deepseek-prover": loaded}).running() as running:
        yield running


@pytest.fixture(scope="module")
def command(projects, models, server):
    repaired = f"{{checkpoint: {models['poor']}, kind: chat, search: {{whole_proof: {{repairs: null}}}}}}"
    return [
        "+experiment=project_eval",
        projects,
        *SMALL,
        "search.whole_proof.repairs=[]",
        "search.whole_proof.num_samples=2",
        "search.whole_proof.temperature=0.1",
        "evaluation.max_seconds=120",
        "evaluation.baseline=one_shot",
        "env.num_workers=2",
        *(f"+evaluation.policies.{name}={{checkpoint: {path}, kind: chat}}" for name, path in models.items()),
        f"+evaluation.policies.repaired={repaired}",
        "+model@evaluation.policies.served.model=openai",
        "+evaluation.policies.served.kind=chat",
        f"evaluation.policies.served.model.base_url={server.url}",
        "evaluation.policies.served.model.name=deepseek-prover",
        "evaluation.policies.served.model.completion_price=1.5",
    ]


@pytest.fixture(scope="module")
def evaluated(own_cli, command):
    return own_cli.succeed(*command)


def numbers(directory):
    return json.loads((directory / "summary.json").read_text())


def test_models_are_compared_per_project_and_in_all(evaluated):
    found = numbers(evaluated)
    assert found["num_theorems"] == 5
    for name in ("good", "served"):
        assert found[f"one/{name}/num_solved"] == 2 and found[f"two/{name}/num_solved"] == 1, name
    assert found["poor/num_solved"] == 0
    assert found["repaired/num_solved"] >= 2, "another tactic closes what `discriminate` does not"
    report = (evaluated / "report.md").read_text()
    assert "| one | 3 | " in report and "| two | 2 | " in report and "| all | 5 | " in report
    assert "All pairs of methods" in report and "p, Holm" in report
    assert "| repaired | closing | " in report


def test_what_repairs_did_is_counted_and_logged(evaluated):
    found = numbers(evaluated)
    assert found["repaired/repair/closing/closed"] >= found["repaired/num_solved"] > 0
    assert found["repaired/repair/closing/tried"] >= found["repaired/repair/closing/closed"]
    assert "poor/repair/closing/tried" not in found
    logs = list(read_jsonl(evaluated / "log-repaired.jsonl", ProofLog))
    asked = ["one:One.A.a", "one:One.A.b", "one:One.A.c", "two:Two.A.d", "two:Two.A.e"]
    assert [log.theorem for log in logs] == asked
    first = logs[0].scripts[0]
    assert first.chat[0].role == "user" and "Goal:\n0 + 0 = 0" in first.chat[0].content
    assert "discriminate." in first.script and "discriminate." not in first.final
    assert first.repairs[0].kind == "closing" and first.repairs[0].closed and first.proved


def test_what_a_server_writes_is_paid_for(evaluated, server):
    found = numbers(evaluated)
    assert found["served/num_tokens"] > 0
    assert found["served/cost"] == pytest.approx(found["served/num_tokens"] * 1.5e-6)
    assert found["good/cost"] == 0
    assert server.seen[0]["messages"][0]["content"].startswith("Prove this goal in Coq.")


def test_nothing_is_done_twice_and_theorems_can_be_chosen(own_cli, command, evaluated, server):
    num_asked = len(server.seen)
    assert own_cli.succeed(*command) == evaluated
    assert len(server.seen) == num_asked
    chosen = own_cli.succeed(*command, "evaluation.theorems=[a,Two.A.d]", "~evaluation.policies.served")
    assert numbers(chosen)["num_theorems"] == 2


def test_a_large_model_and_any_server_are_one_option(projects):
    overrides = ["+experiment=project_eval", projects, "model=deepseek_prover", "model.stop=null"]
    served = (
        "{model: openai, kind: chat, overrides: ['model.base_url=http://localhost:1/v1', 'model.name=r1']}"
    )
    overrides += [
        f"evaluation.policies={{local: {{model: ${{model}}, kind: chat_context}}, served: {served}}}"
    ]
    cfg = compose_config(overrides)
    assert cfg.evaluation.policies.local.model.name_or_path == "deepseek-ai/DeepSeek-Prover-V1.5-Base"
    node = policy_node(cfg, "evaluation.policies.served")
    assert node.model.name == "r1" and node.model._target_.endswith("OpenAIOptions")
    assert cfg.search.whole_proof.max_seconds == 30
    stage = plan(cfg)
    (evaluation,) = {stage.needs[role].task.name for role in stage.needs}
    assert evaluation == "evaluate" and set(stage.needs) == {"project/one", "project/two"}
    assert "terms" in stage.needs["project/one"].needs, "definitions are read from proof terms"


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("projects=[]", "projects is empty"),
        ("projects=[no-such]", "projects: no-such is not in "),
        ("projects=[./nowhere]", "projects: ./nowhere is not a directory"),
        ("search.whole_proof.repairs=[bulets]", "there is no bulets"),
        ("+evaluation.policies.good.search={whole_proof: {reparis: []}}", "reparis"),
        ("+evaluation.policies.good.search={beam: {}}", "there is no beam"),
        ("evaluation.policies.served.kind=null", "a server's model is asked by prompts"),
        ("evaluation.policies.served.kind=chatty", "kind=chatty: choose one of"),
        ("evaluation.policies.served.model.key_variable=NTP_NO_KEY", "NTP_NO_KEY"),
        ("evaluation.policies.served.model.base_url=http://127.0.0.1:9/v1", "cannot be reached"),
    ],
)
def test_what_cannot_work_is_one_line(own_cli, command, option, says):
    more = ["evaluation.policies.served.model.max_retries=0"]
    assert says in own_cli.fail(*command, *more, option)
