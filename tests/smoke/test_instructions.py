"""Instruction and chat data from the command line, on a project with planted duplicates."""

import json
import subprocess

import pytest

from ntp.config.register import compose_config
from ntp.data.dataset import Dataset
from ntp.data.formats.chat import CHAT_KINDS
from ntp.data.formats.prompts import KINDS
from ntp.tasks.data.prompts import instruction_prompts

pytestmark = [pytest.mark.coq, pytest.mark.slow]

FILES = {
    "A": """Definition double (n : nat) : nat := n + n.

Lemma add_0 (n : nat) : n + 0 = n.
Proof. induction n; [reflexivity | simpl; rewrite IHn; reflexivity]. Qed.

Lemma double_0 : double 0 = 0.
Proof. reflexivity. Qed.

Lemma kept : double 1 = 2.
Proof. reflexivity. Defined.
""",
    "B": """From P Require Import A.

Lemma renamed (m : nat) : m + 0 = m.
Proof. exact (add_0 m). Qed.

Lemma double_2 : double 2 = 4 /\\ double 0 = 0.
Proof.
  split.
  - reflexivity.
  - apply double_0.
Qed.
""",
    "C": """From P Require Import A.

Lemma other (b : bool) : b = true \\/ b = false.
Proof. destruct b; [left | right]; reflexivity. Qed.
""",
}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "_CoqProject").write_text("-R . P\n")
    for name, source in FILES.items():
        (root / f"{name}.v").write_text(source)
        subprocess.run(["coqc", "-R", ".", "P", f"{name}.v"], cwd=root, check=True)
    return [
        f"env.root={root}",
        "data.include=['**/*.v']",
        "data.split={kind: random, test_files: [B.v], val_fraction: 0}",
        "instructions.dev_fraction=0",
        "instructions.test_fraction=0",
        "instructions.project=p",
    ]


@pytest.fixture(scope="module")
def written(own_cli, options):
    return own_cli.succeed("+experiment=instructions", *options)


def rows(directory, kind, split):
    return [json.loads(line) for line in (directory / f"{kind}_{split}.jsonl").read_text().splitlines()]


def ids(found):
    return {row["metadata"]["declId"] for row in found}


def test_no_theorem_of_training_is_evaluated_on_in_any_kind(written):
    kinds = (*KINDS, *CHAT_KINDS)
    train = set().union(*(ids(rows(written, kind, "train")) for kind in kinds))
    tested = set().union(*(ids(rows(written, kind, "file_split_test")) for kind in kinds))
    assert train == {"P.A.add_0", "P.A.double_0", "P.A.kept", "P.C.other"}
    assert tested == {"P.B.double_2"}, "`renamed` is `add_0` with another variable"
    assert json.loads((written / "summary.json").read_text())["num_duplicates_dropped"] == 1
    assert json.loads((written / "file_split_test_files.json").read_text()) == ["B.v"]


def test_prompts_show_what_their_kind_says(written):
    first = rows(written, "state_tactic", "file_split_test")[0]
    assert list(first) == ["task", "prompt", "prompt_name", "completion", "metadata"]
    assert first["prompt"].startswith("(* ") and "⊢ double 2 = 4 /\\ double 0 = 0" in first["prompt"]
    assert first["completion"] == "split.\n[/TAC]"
    assert first["metadata"] == {
        "task": "tactic_prediction", "project": "p", "file": "B.v", "declId": "P.B.double_2",
        "target": "split.",
        "split": "file_split_test",
    }  # fmt: skip
    (whole,) = rows(written, "context_full_proof", "file_split_test")
    assert FILES["B"][: FILES["B"].index("Proof.\n  split")].rstrip() in whole["prompt"]
    assert whole["completion"].startswith("Proof.\n  split.") and whole["completion"].endswith(
        "Qed.\n[/PROOF]"
    )
    (states,) = rows(written, "full_proof_states", "file_split_test")
    assert "🎉 no goals" in states["completion"]
    (definitions,) = {
        row["prompt"].split("[DEFINITIONS]\n")[-1].split("\n[/")[0]
        for row in rows(written, "definitions_state_tactic", "file_split_test")
    }
    assert definitions == "Definition double (n : nat) : nat := n + n."


def test_premises_and_similar_proofs_stand_before_the_theorem(written):
    (shown,) = rows(written, "premises_full_proof", "file_split_test")
    premises = shown["prompt"].split("[PREMISES]\n")[-1].split("\n[/")[0].splitlines()
    assert "Lemma double_0 : double 0 = 0." in premises
    assert not any("double_2" in line or "Lemma other" in line for line in premises), "itself; not imported"
    similar = rows(written, "proofs_state_tactic", "file_split_test")[0]["prompt"]
    assert "Lemma double_0 : double 0 = 0.\nProof. reflexivity. Qed." in similar
    assert "renamed" not in similar, "of the training split only"


def test_chat_is_a_goal_and_its_proof(written):
    (row,) = rows(written, "chat", "file_split_test")
    user, assistant = row["messages"]
    assert user["role"] == "user" and assistant["role"] == "assistant"
    assert user["content"].endswith("Hypotheses:\n(none)\n\nGoal:\ndouble 2 = 4 /\\ double 0 = 0")
    assert assistant["content"].startswith("```coq\nProof.\n  split.")
    assert assistant["content"].endswith("Qed.\n```")
    assert "P.A.kept" not in ids(rows(written, "chat", "train")), "it ends with Defined"
    (row,) = rows(written, "chat_premises", "file_split_test")
    assert "\n\nPremises:\n" in row["messages"][0]["content"]
    (row,) = rows(written, "chat_context", "file_split_test")
    shown = row["messages"][0]["content"]
    assert "\n\nDefinitions:\nDefinition double (n : nat) : nat := n + n.\n\nPremises:\n" in shown
    assert (
        "\n\nSimilar proofs:\n" in shown
        and "Lemma double_0 : double 0 = 0.\nProof. reflexivity. Qed." in shown
    )


def test_two_runs_write_the_same_bytes(own_cli, options, written, tmp_path):
    again = own_cli.with_outputs(tmp_path).succeed("+experiment=instructions", *options)
    for path in written.glob("*.jsonl"):
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_template_that_does_not_fit_is_one_line(own_cli, options, tmp_path):
    path = tmp_path / "templates.yaml"
    path.write_text("state_tactic: {prompt: '{state}', completion: '{target}'}\n")
    said = own_cli.fail("+experiment=instructions", *options, f"instructions.templates={path}")
    assert "give a template for each of state_tactic, " in said
    said = own_cli.fail("+experiment=instructions", *options, "instructions.kinds=[tactics]")
    assert "choose some of state_tactic, " in said


def test_models_are_shown_at_search_what_they_were_trained_on(own_cli, options, written):
    shown = [kind for kind, (_, needs) in KINDS.items() if needs != "context"]
    cfg = compose_config(["+experiment=search_eval", *options])
    inputs = {"dataset": find_run("extract_coq", own_cli), "terms": find_run("proof_terms", own_cli)}
    dataset = Dataset.load(inputs["dataset"])
    prompts = instruction_prompts(cfg, dataset, inputs, shown)
    states = {
        (record.theorem.id, step.tactic): step.state
        for record in dataset.iter_theorems()
        for step in record.steps
    }
    num_compared = 0
    for kind in shown:
        for row in rows(written, kind, "train"):
            theorem = dataset.records[row["metadata"]["declId"]]
            state = states.get((theorem.theorem.id, row["metadata"]["target"]), theorem.steps[0].state)
            assert prompts[kind].prompt(theorem.theorem, state) == row["prompt"]
            assert prompts[kind].answer(row["completion"]) == row["metadata"]["target"].strip()
            num_compared += 1
    assert num_compared > 10
    conversations = instruction_prompts(cfg, dataset, inputs, CHAT_KINDS)
    for kind in CHAT_KINDS:
        for row in rows(written, kind, "train"):
            record = dataset.records[row["metadata"]["declId"]]
            user, assistant = row["messages"]
            (asked,) = conversations[kind].question(record.theorem, record.steps[0].state)
            assert (asked.role, asked.content) == (user["role"], user["content"])
            answer = conversations[kind].answer(assistant["content"])
            assert answer.startswith("Proof") and answer.endswith("Qed.")


def find_run(name, own_cli):
    (directory,) = [path for path in own_cli.outputs.glob(f"{name}-*") if (path / "COMPLETE").exists()]
    return directory


def test_a_model_of_instruction_data_is_evaluated(own_cli, options, written):
    kind = "premises_full_proof"
    small = ["model=tiny", "model.hidden_size=32", "model.num_layers=1", "model.num_heads=2"]
    small += ["model.intermediate_size=64", "model.vocab_size=400", "model.max_state_tokens=480"]
    trained = own_cli.succeed(
        "+experiment=sft_chat",
        *small,
        f"data.path={written}/{kind}_train.jsonl",
        *("module.max_tokens=512", "module.batch_size=2", "module.warmup_steps=0"),
        *("optimizer.lr=3e-3", "trainer.max_steps=250", "trainer.val_check_interval=null"),
    )
    evaluated = own_cli.succeed(
        "+experiment=search_eval",
        *options,
        *small,
        f"evaluation.policies={{policy: {{checkpoint: {trained}, kind: {kind}}}}}",
        *("evaluation.split=train", "search.sampling.num_samples=8"),
    )
    results = {row["theorem"]: row for row in rows_of(evaluated / "results-policy.jsonl")}
    assert set(results) == {"P.A.add_0", "P.A.double_0", "P.C.other"}
    assert results["P.A.double_0"]["outcome"] == "proved", "its proof is the one that is learned first"


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_kinds_that_cannot_be_shown_in_a_search_are_refused(own_cli, options):
    policies = "evaluation.policies={policy: {checkpoint: /nowhere, kind: context_full_proof}}"
    said = own_cli.fail("+experiment=search_eval", *options, policies)
    assert "kind=context_full_proof: choose one of state_tactic" in said
