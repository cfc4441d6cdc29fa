"""Lean end to end by configuration alone: the same commands over the stand-in as over Lean."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.positions import pack_position
from ntp.types import ProofState, Proved, Reached, Span, Theorem

pytestmark = pytest.mark.slow

STANDIN = Path(__file__).parents[1] / "standin"
COMMAND = [sys.executable, "-S", "-E", str(STANDIN)]
HEADER = "open Nat\n"
STATEMENTS = {
    "(p q : Prop) : p ∧ q → q ∧ p": ["intro h", "constructor", "exact h.2", "exact h.1"],
    "(p q : Prop) (h : p) : p ∨ q": ["left", "exact h"],
    "(p q : Prop) (h : q) : p ∨ q": ["right", "exact h"],
    "(p : Prop) : p → p": ["intro h", "exact h"],
    "(p q : Prop) (a : p) (b : q) : p ∧ q": ["constructor", "exact a", "exact b"],
    "(n : Nat) : n + 0 = n": ["rfl"],
}
SIDE = {0: "test", 1: "val"}


@pytest.fixture(scope="module")
def options(small, tmp_path_factory):
    """A Lean project, and a benchmark in LeanDojo's format that was traced in it."""
    project, data = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("benchmark")
    sides: dict[str, list[dict]] = {"train": [], "val": [], "test": []}
    env = LeanReplFactory(command=COMMAND, project=str(project))()
    for number in range(8):
        sides[SIDE.get(number, "train")] += write_file(project, f"File{number}.lean", env)
    env.close()
    (data / "random").mkdir()
    for side, theorems in sides.items():
        (data / "random" / f"{side}.json").write_text(json.dumps(theorems))
    return [
        *(option for option in small if option.startswith("model.")),
        f"paths.outputs={tmp_path_factory.mktemp('lean')}",
        "data=leandojo",
        f"data.path={data}",
        "env=lean_repl",
        f"env.project={project}",
        f"env.command=[{','.join(COMMAND)}]",
        "env.tactic_timeout_s=2",
        "env.num_workers=2",
    ]


def write_file(project: Path, file: str, env) -> list[dict]:
    """Write a file of the project; its theorems as LeanDojo records them."""
    text, places = HEADER, []
    for statement, tactics in STATEMENTS.items():
        name = f"t{hashlib.sha256((file + statement).encode()).hexdigest()[:6]}"
        begin = text.count("\n") + 1
        text += f"theorem {name} {statement} := by\n"
        text += "".join(f"  {tactic}\n" for tactic in tactics)
        places.append((name, begin, text.count("\n"), tactics))
    (project / file).write_text(text)
    return [traced(env, file, *place) for place in places]


def traced(env, file: str, name: str, begin: int, end: int, human: list[str]) -> dict:
    span = Span(pack_position(begin, 1), pack_position(end, 1))
    session = env.open(Theorem(name, file, "", span, Span(span.end, span.end)))
    state: ProofState = session.root
    tactics = []
    for tactic in human:
        outcome = session.step(state, tactic)
        after = outcome.state.key if isinstance(outcome, Reached) else "no goals"
        tactics.append({"tactic": tactic, "state_before": state.key, "state_after": after})
        if isinstance(outcome, Reached):
            state = outcome.state
        else:
            assert isinstance(outcome, Proved), outcome
    place = {"file_path": file, "full_name": name, "start": [begin, 1], "end": [end, 1]}
    return {"url": "", "commit": "", **place, "traced_tactics": tactics}


@pytest.fixture(scope="module")
def sft(cli, options):
    return cli.succeed("+experiment=sft", *options, "trainer.max_steps=40", "trainer.val_check_interval=20")


def summary(directory: Path) -> dict[str, float]:
    return json.loads((directory / "summary.json").read_text())


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


def test_gfn_tb(cli, options, sft):
    directory = cli.succeed(
        "+experiment=gfn_tb",
        *options,
        f"policy.checkpoint={sft}",
        "policy.experiment=null",
        "trainer.max_steps=3",
        "trainer.max_time=null",
        "module.num_theorems=3",
        "module.num_on_policy=3",
    )
    assert summary(directory)["num_steps"] == 3


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


@pytest.mark.parametrize("retrieval", ["none", "bm25"])
def test_statements_without_a_project(
    cli, options, sft, tmp_path, benchmark_parts, write_benchmark, retrieval
):
    """miniF2F's format: theorems that stand in no file and bring a header of their own.

    They have no premises: those of a benchmark are lent to them.
    """
    parts = json.loads(json.dumps(benchmark_parts()).replace("Small/", "Mathlib/"))
    path = tmp_path / "statements.jsonl"
    goal = "theorem one (p : Prop) : p → p := by\n"
    header = "import Mathlib\n" + HEADER
    lines = [
        {"name": "one", "split": "test", "formal_statement": goal, "header": header, "informal_prefix": ""},
        {"name": "no", "split": "test", "formal_statement": "theorem no : False := by", "header": header},
    ]
    path.write_text("".join(json.dumps({"goal": "", "informal_prefix": "", **line}) + "\n" for line in lines))
    directory = cli.succeed(
        "+experiment=search_eval",
        *(option for option in options if not option.startswith(("data", "env.project"))),
        "data=minif2f",
        f"data.path={path}",
        "policy.experiment=null",
        f"policy.checkpoint={sft}",
        f"retrieval={retrieval}",
        f"retrieval.corpus={write_benchmark(tmp_path / 'benchmark', parts)}",
        'evaluation.one_shot_tactics=["intro h; exact h",sorry]',
        "search.sampling.num_samples=2",
        "search.best_first.max_expansions=2",
    )
    numbers = summary(directory)
    assert numbers["num_theorems"] == 2
    assert numbers["one_shot/num_solved"] == 1, "and False is not proved"
