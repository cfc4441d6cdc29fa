"""Evaluate models as autoformalizers: what they write for informal statements, against references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from ntp.errors import ConfigError
from ntp.evaluation.table import markdown_table
from ntp.formalization.equivalence.comparison import EquivalenceOptions
from ntp.formalization.equivalence.score import Equivalence, EquivalenceScore
from ntp.formalization.prompts import Template, choose_examples
from ntp.formalization.records import Pair, load_pairs
from ntp.formalization.scores.base import Translation
from ntp.formalization.static import Evaluation, evaluate, standard_scores
from ntp.formalization.translate import Checkers, Prompting, translate
from ntp.formalization.typecheck.factory import make_checker
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.policy.policy import TacticPolicy
from ntp.seeding import derive_seed
from ntp.tasks.builders import load_arm
from ntp.tasks.formalization.equivalence import equivalence_of
from ntp.tasks.formalization.options import add_pairs, check_prompts, pairs_in, part, require_pairs
from ntp.tasks.methods import Arm, arms
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

DEFINITIONS = (
    "Of each pair the model's greedy statement counts; `selected` is the first of its statements that the "
    "prover accepts, `best` the one with the best value, which no one knows without the reference. "
    "type_check: share that the prover accepts as a statement, everything else counted as not. token_loss: "
    "nats per token of the reference, stop token included. bleu and chrf: sacrebleu, from 0 to 1. "
    "exact_match: equal but for layout, bound names and the theorem's name. tree_similarity: one minus tree "
    "edit distance by the nodes of both trees."
)
# A kill loses at most the pairs of one part.
_PART_SIZE = 64


@dataclass(frozen=True)
class Asked:
    """A policy with a number of examples in its prompts."""

    arm: Arm
    shots: int

    @property
    def name(self) -> str:
        """In tables, metrics and names of files."""
        return f"{self.arm.name}_{self.shots}shot"


def run(context: Context) -> dict[str, float]:
    """Ask every policy with every number of examples, write translations and a report.

    A part of the translations is kept as soon as it is done, so that a resumed run does not repeat it.
    """
    cfg, options = context.cfg, context.cfg.formalization
    pairs = _chosen(cfg, pairs_in(context.inputs["pairs"]))
    checkers, judge = _checkers(cfg, pairs), _judge(cfg)
    scores = [*standard_scores(), *([] if judge is None else [EquivalenceScore(judge)])]
    evaluations: dict[str, Evaluation] = {}
    try:
        for asked in _asked(cfg):
            translations = _translations(context, asked, pairs, checkers)
            evaluations[asked.name] = evaluate(translations, scores)
    finally:
        for checker in checkers.values() if checkers else ():
            checker.close()
        for equivalence in judge.values() if judge else ():
            equivalence.close()
    title = f"{cfg.name}: {len(pairs)} pairs of the {options.split} part of {', '.join(_sources(pairs))}"
    text = markdown(title, evaluations)
    context.write({"report.md": text})
    Console().print(text, highlight=False, soft_wrap=True)
    return {
        name: value
        for asked, evaluation in evaluations.items()
        for name, value in _flat(asked, evaluation).items()
    }


def markdown(title: str, evaluations: dict[str, Evaluation]) -> str:
    """The report: scores, scores by topic, and the prover's verdicts."""
    parts = [f"# {title}", DEFINITIONS]
    first = next(iter(evaluations.values()))
    names = list(first.overall)
    choices = ("first", "selected", "best") if first.num_samples > 1 else ("first",)
    rows = [
        [asked, *([choice] if len(choices) > 1 else []), *_numbers(evaluation, names, choice)]
        for asked, evaluation in evaluations.items()
        for choice in choices
    ]
    parts.append(markdown_table(["model", *(["of several"] if len(choices) > 1 else []), *names], rows))
    if len(first.by_topic) > 1:
        header = ["topic", "pairs", "model", *names]
        rows = [
            [topic or "none", str(evaluation.num_pairs[topic]), asked]
            + [f"{evaluation.by_topic[topic][name].first:.3f}" for name in names]
            for topic in first.by_topic
            for asked, evaluation in evaluations.items()
        ]
        parts += ["## By topic", markdown_table(header, rows)]
    if first.outcomes:
        outcomes = sorted({outcome for evaluation in evaluations.values() for outcome in evaluation.outcomes})
        rows = [
            [asked, *(str(evaluation.outcomes.get(outcome, 0)) for outcome in outcomes)]
            for asked, evaluation in evaluations.items()
        ]
        parts += ["## What the prover says", markdown_table(["model", *outcomes], rows)]
    signatures = "\n".join(f"- {name}: `{text}`" for name, text in first.signatures.items())
    return "\n\n".join([*parts, "## Signatures", signatures]) + "\n"


def _translations(
    context: Context, asked: Asked, pairs: Sequence[Pair], checkers: Checkers | None
) -> list[list[Translation]]:
    """One model's translations; those that the directory has already are read."""
    num_samples = context.cfg.formalization.num_samples
    path = context.directory / f"translations-{asked.name}.jsonl"
    if not path.exists():
        parts = [
            (
                context.directory / "parts" / f"{asked.name}-{begin:06d}.jsonl",
                pairs[begin : begin + _PART_SIZE],
            )
            for begin in range(0, len(pairs), _PART_SIZE)
        ]
        missing = [(file, some) for file, some in parts if not file.exists()]
        num_before = len(pairs) - sum(len(some) for _, some in missing)
        with ProgressReporter(asked.name, len(pairs), "pairs", num_before=num_before) as progress:
            policy = (
                load_arm(context.cfg, asked.arm.node, context.inputs.get(asked.arm.role)) if missing else None
            )
            prompting = _prompting(context, asked)
            for file, some in missing:
                if not isinstance(policy, TacticPolicy):
                    raise ConfigError(
                        f"{asked.arm.key}: statements are asked of models that run here, not of servers"
                    )
                found = translate(policy, some, prompting, checkers, progress.advance)
                write_jsonl(file, [t for of_pair in found for t in of_pair])
        write_jsonl(path, (t for file, _ in parts for t in read_jsonl(file, Translation)))
        for file, _ in parts:
            file.unlink()
    flat = list(read_jsonl(path, Translation))
    return [flat[i : i + num_samples] for i in range(0, len(flat), num_samples)]


def _prompting(context: Context, asked: Asked) -> Prompting:
    cfg, options = context.cfg, context.cfg.formalization
    pool: list[Pair] = []
    if asked.shots:
        given = options.examples_path
        pairs = pairs_in(context.inputs["pairs"]) if given is None else load_pairs(Path(given))
        pool = part(pairs, options.examples_split, "examples")
    return Prompting(
        Template(options.template),
        choose_examples(pool, asked.shots, options.choice, cfg.seed),
        options.num_samples,
        options.temperature,
        options.batch_size,
        seed=cfg.seed,
    )


def _chosen(cfg: DictConfig, pairs: Sequence[Pair]) -> list[Pair]:
    """At most `max_pairs` of the part, in order: samples of different sizes contain one another."""
    options = cfg.formalization
    found = part(pairs, options.split, "the evaluation")
    order = sorted(found, key=lambda pair: derive_seed(cfg.seed, "pairs", pair.id))
    kept = {pair.id for pair in order[: options.max_pairs]}
    return [pair for pair in found if pair.id in kept]


def _checkers(cfg: DictConfig, pairs: Sequence[Pair]) -> Checkers | None:
    if not cfg.formalization.type_check:
        return None
    checker = make_checker(instantiate(cfg.env), cfg.formalization.statement_timeout_s)
    others = sorted({pair.prover for pair in pairs} - {checker.prover})
    if others:
        raise ConfigError(
            f"pairs are for {', '.join(others)} and env is {checker.prover}: "
            "choose env=coq or env=lean_repl, or formalization.type_check=false"
        )
    return {checker.prover: checker}


def _judge(cfg: DictConfig) -> dict[str, Equivalence] | None:
    """What compares statements, by prover; None if they are not compared."""
    if not cfg.formalization.equivalence:
        return None
    env = instantiate(cfg.env)
    return {env.prover: equivalence_of(env, EquivalenceOptions(**cfg.equivalence.budget))}


def _asked(cfg: DictConfig) -> Iterator[Asked]:
    for arm in arms(cfg):
        for shots in dict.fromkeys(cfg.formalization.shots):
            yield Asked(arm, shots)


def _sources(pairs: Sequence[Pair]) -> list[str]:
    return sorted({pair.source for pair in pairs})


def _numbers(evaluation: Evaluation, names: Sequence[str], choice: str) -> list[str]:
    return [f"{getattr(evaluation.overall[name], choice):.3f}" for name in names]


def _flat(asked: str, evaluation: Evaluation) -> dict[str, float]:
    """`MODEL/SCORE`, and with several samples `MODEL/SCORE_selected` and `MODEL/SCORE_best`."""
    found: dict[str, float] = {f"{asked}/num_pairs": sum(evaluation.num_pairs.values())}
    for name, measured in evaluation.overall.items():
        found[f"{asked}/{name}"] = measured.first
        if evaluation.num_samples > 1:
            found[f"{asked}/{name}_selected"] = measured.selected
            found[f"{asked}/{name}_best"] = measured.best
    return found


def _needs(needs: Needs) -> None:
    add_pairs(needs)
    cfg = needs.cfg
    for arm in arms(cfg):
        node = arm.node
        as_it_is = node.model is not None and node.experiment is None and node.checkpoint is None
        if not as_it_is:
            sections = {} if node.model is None else {"model": node.model}
            needs.add_from(
                node, arm.role, arm.key, arm.overrides, formalization=cfg.formalization, **sections
            )


def _reads(cfg: DictConfig) -> dict:
    options = cfg.formalization
    values = read(cfg, "formalization", "evaluation.policies", "seed", "model")
    if options.examples_path is not None:
        values["examples"] = path_digest(Path(options.examples_path))
    if options.equivalence:
        values |= read(cfg, "equivalence")
    return values | (prover_reads(cfg) if options.type_check or options.equivalence else {})


def _check(cfg: DictConfig) -> None:
    require_pairs(cfg)
    check_prompts(cfg)
    found = list(arms(cfg))
    if not found:
        raise ConfigError("evaluation.policies is empty: name a policy to evaluate")
    for arm in found:
        if arm.node.tactics is not None or arm.node.kind is not None:
            raise ConfigError(f"{arm.key}: tactics and kind are for proofs; give a model that writes text")
    given = cfg.formalization.examples_path
    if given is not None and not Path(given).is_file():
        raise ConfigError(f"formalization.examples_path={given}: no such file")


TASK = Task(name="formalization_eval", run=run, reads=_reads, needs=_needs, check=_check)
