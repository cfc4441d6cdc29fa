"""Lean end to end by configuration alone: the same commands over the stand-in as over Lean."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from ntp.config.register import compose_config
from ntp.data.dataset import FILES, METADATA, PREMISES, THEOREMS, content_hash
from ntp.data.jsonl import dump_record, write_jsonl
from ntp.data.records import FileRecord, Metadata, StepRecord, TheoremRecord
from ntp.envs.lean_factory import LeanReplFactory
from ntp.tasks.stages import plan
from ntp.types import Reached, Span, Theorem

STANDIN = Path(__file__).parents[1] / "standin"
COMMAND = [sys.executable, "-S", "-E", str(STANDIN)]
STATEMENTS = {
    "(p q : Prop) : p ∧ q → q ∧ p": ["intro h", "constructor", "exact h.2", "exact h.1"],
    "(p q : Prop) (h : p) : p ∨ q": ["left", "exact h"],
    "(p q : Prop) (h : q) : p ∨ q": ["right", "exact h"],
    "(p : Prop) : p → p": ["intro h", "exact h"],
    "(p q : Prop) (a : p) (b : q) : p ∧ q": ["constructor", "exact a", "exact b"],
    "(n : Nat) : n + 0 = n": ["rfl"],
}


@pytest.fixture(scope="module")
def options(small, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("lean")
    options = [
        *(option for option in small if not option.startswith(("data.", "env."))),
        f"paths.outputs={outputs}",
        "env=lean_repl",
        f"env.command=[{','.join(COMMAND)}]",
        "env.tactic_timeout_s=2",
        "env.num_workers=2",
        "data.split.test_files=[File0.lean]",
        "data.split.val_fraction=0.25",
    ]
    stage = plan(compose_config(["+experiment=sft", *options])).needs["dataset"]
    write_dataset(stage.directory)
    return options


def write_dataset(directory: Path) -> None:
    """A data set of Lean as a reader of LeanDojo's or of statements leaves it."""
    records = [record for i in range(8) for record in records_of(f"File{i}.lean")]
    files = [FileRecord(f"File{i}.lean", f"File{i}", (), "0" * 64, 0, len(STATEMENTS)) for i in range(8)]
    directory.mkdir(parents=True)
    write_jsonl(directory / THEOREMS, records)
    write_jsonl(directory / PREMISES, [])
    write_jsonl(directory / FILES, files)
    steps = sum(len(record.steps) for record in records)
    numbers = (len(files), 0, 0, len(records), steps, 0, 0, 0)
    metadata = Metadata("lean", "stand-in", *numbers, content_hash(directory))
    (directory / METADATA).write_text(dump_record(metadata) + "\n", encoding="utf-8")
    (directory / "summary.json").write_text("{}")
    (directory / "COMPLETE").touch()


def records_of(file: str) -> list[TheoremRecord]:
    env = LeanReplFactory(command=COMMAND)()
    found = []
    for text, tactics in STATEMENTS.items():
        # A split drops theorems that repeat another file's statement.
        statement = f"({file.removesuffix('.lean')} : Prop) {text}"
        name = f"t{hashlib.sha256((file + statement).encode()).hexdigest()[:6]}"
        theorem = Theorem(name, file, f"theorem {name} {statement}", Span(0, 0), Span(0, 0), "open Nat")
        session = env.open(theorem)
        state, steps = session.root, []
        for tactic in tactics:
            outcome = session.step(state, tactic)
            after = outcome.state if isinstance(outcome, Reached) else None
            others = len(state.other_goals)
            num_after = 1 + len(after.other_goals) if after else 0
            goal = after.goal if after else None
            steps.append(
                StepRecord(tactic, Span(0, 0), state.goal, others, goal, num_after, (), state.other_goals)
            )
            state = after
        found.append(TheoremRecord(theorem, "lean", file, "theorem", "", tuple(steps)))
    env.close()
    return found


@pytest.fixture(scope="module")
def sft(cli, options):
    return cli.succeed("+experiment=sft", *options, "trainer.max_steps=40", "trainer.val_check_interval=20")


def summary(directory: Path) -> dict[str, float]:
    return json.loads((directory / "summary.json").read_text())


@pytest.mark.slow
def test_search_eval(cli, options, sft):
    directory = cli.succeed(
        "+experiment=search_eval",
        *options,
        f"policy.checkpoint={sft}",
        "evaluation.one_shot_tactics=[rfl,exact h,sorry,native_decide]",
        "search.sampling.num_samples=4",
        "search.best_first.max_expansions=4",
    )
    results = [json.loads(line) for line in (directory / "results-one_shot.jsonl").read_text().splitlines()]
    assert len(results) == len(STATEMENTS)
    # Some statement falls to rfl, none to a cheat.
    proofs = {tuple(proof["tactics"]) for result in results for proof in result["proofs"]}
    assert proofs == {("rfl",)}


@pytest.mark.slow
def test_gfn_tb(cli, options, sft):
    directory = cli.succeed(
        "+experiment=gfn_tb",
        *options,
        f"policy.checkpoint={sft}",
        "policy.experiment=null",
        "trainer.max_steps=3",
        "trainer.max_time=null",
        "module.num_on_policy=3",
    )
    assert summary(directory)["num_steps"] == 3


@pytest.mark.slow
def test_mine_attempts(cli, options, sft):
    directory = cli.succeed(
        "+experiment=mine_attempts",
        *options,
        f"policy.checkpoint={sft}",
        "mining.num_theorems={train: 6, val: 6}",
        "mining.sampling.num_samples=6",
        "mining.best_first.max_expansions=3",
    )
    assert (directory / "attempts-train.jsonl").stat().st_size > 0
