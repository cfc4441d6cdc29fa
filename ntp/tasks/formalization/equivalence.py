"""Compare statements with their references by proofs of each from the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from rich.console import Console

from ntp.bounds import PositiveInt
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import ConfigError, InitError
from ntp.evaluation.table import markdown_table
from ntp.formalization.equivalence.comparison import EquivalenceOptions
from ntp.formalization.equivalence.coq import CoqEquivalence
from ntp.formalization.equivalence.lean import LeanEquivalence
from ntp.formalization.equivalence.outcome import Outcome
from ntp.formalization.equivalence.records import Compared, JudgedPair, grouped, read_compared
from ntp.formalization.equivalence.validation import agreement
from ntp.jsonl import read_jsonl, write_jsonl
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.stage import read
from ntp.workflow.task import Task

JUDGED = "judged.jsonl"
_GROUPS = "groups"
_ERROR = "error"

DEFINITIONS = (
    "equivalent: each statement is proved from the other; implies: the reference from the candidate only; "
    "implied_by: the candidate from the reference only; not_shown: neither, which is no evidence that they "
    "differ; ill_typed: the candidate is not one proposition; timeout: the budget ended first; error: the "
    "header or the reference is broken. A proof counts if the kernel accepts it, it rests on axioms of the "
    "header only, and it fails without the statement that it is from."
)


@dataclass(frozen=True)
class ComparedDataOptions:
    """Statements to compare with references.

    Attributes:
        path: A JSON Lines file; each line has `reference` and `candidate`, and may have `header`, `id`,
            `kind` and a `label`, `equivalent` or `different`.
        max_pairs: Most pairs, from the beginning; null for all.
        source: Where data comes from.
    """

    path: str = MISSING
    max_pairs: PositiveInt | None = None
    source: str = "comparisons"


@dataclass(frozen=True)
class EquivalenceTaskOptions:
    """How statements are compared.

    Attributes:
        budget: How long an equivalence is searched for.
    """

    budget: EquivalenceOptions = field(default_factory=EquivalenceOptions)


def run(context: Context) -> dict[str, float]:
    """Judge every pair, and write `judged.jsonl` and a report.

    What has been judged of a reference is written at once, so that a resumed run does not do it again.
    """
    cfg = context.cfg
    pairs = read_compared(Path(cfg.data.path))[: cfg.data.max_pairs]
    judged = _judge_all(context, grouped(pairs))
    by_id = {result.id: result for result in judged}
    write_jsonl(context.directory / JUDGED, [by_id[pair.id] for pair in pairs])
    summary = summarise(judged)
    text = report(cfg.name, judged)
    context.write({"report.md": text})
    Console().print(text, highlight=False, soft_wrap=True)
    return summary


def equivalence_of(env: Any, options: EquivalenceOptions) -> CoqEquivalence | LeanEquivalence:
    """What compares statements of an environment's prover.

    Raises:
        ConfigError: Statements of that prover cannot be compared.
    """
    match env:
        case CoqEnvFactory():
            return CoqEquivalence(env.project, options, env.limits)
        case LeanReplFactory():
            return LeanEquivalence(env, options)
        case _:
            raise ConfigError("statements are compared with env=coq or env=lean_repl")


def summarise(judged: Sequence[JudgedPair]) -> dict[str, float]:
    """Rates of outcomes over all pairs and, where labels are known, how far outcomes agree with them."""
    counts = Counter(_outcome(result) for result in judged)
    summary: dict[str, float] = {"num_pairs": len(judged)}
    for name in (*map(str, Outcome), _ERROR):
        summary[f"num_{name}"] = counts[name]
    summary["equivalent_rate"] = counts[Outcome.EQUIVALENT] / len(judged)
    summary["seconds_per_pair"] = sum(r.judgement.seconds for r in judged if r.judgement) / len(judged)
    return summary | agreement(judged)


def report(title: str, judged: Sequence[JudgedPair]) -> str:
    """Title, definitions and outcomes by kind and label."""
    counts = Counter((r.label or "-", r.kind or "-", _outcome(r)) for r in judged)
    outcomes = [str(outcome) for outcome in Outcome] + [_ERROR]
    rows = [
        [label, kind, *(str(counts[label, kind, outcome]) for outcome in outcomes)]
        for label, kind in sorted({(label, kind) for label, kind, _ in counts})
    ]
    table = markdown_table(["label", "kind", *outcomes], rows)
    numbers = "\n".join(f"- {name}: {value:.4g}" for name, value in summarise(judged).items())
    return f"# {title}\n\n{DEFINITIONS}\n\n{table}\n\n{numbers}\n"


def _judge_all(context: Context, groups: Sequence[Sequence[Compared]]) -> list[JudgedPair]:
    paths = [context.directory / _GROUPS / f"{_key(group)}.jsonl" for group in groups]
    results: list[JudgedPair] = []
    num_before = sum(len(g) for g, path in zip(groups, paths, strict=True) if path.exists())
    factory = instantiate(context.cfg.env)
    equivalence = equivalence_of(factory, EquivalenceOptions(**context.cfg.equivalence.budget))
    total = sum(map(len, groups))
    try:
        with ProgressReporter("equivalence", total, "pairs", num_before=num_before) as progress:
            for group, path in zip(groups, paths, strict=True):
                if not path.exists():
                    write_jsonl(path, _judge(equivalence, group))
                    progress.advance(len(group))
                results += read_jsonl(path, JudgedPair)
    finally:
        equivalence.close()
    return results


def _judge(equivalence: CoqEquivalence | LeanEquivalence, group: Sequence[Compared]) -> list[JudgedPair]:
    first = group[0]
    try:
        judged = equivalence.judge(first.header, first.reference, [pair.candidate for pair in group])
    except InitError as error:
        reason = " ".join(str(error).split())
        return [JudgedPair(pair.id, pair.kind, pair.label, None, reason) for pair in group]
    return [
        JudgedPair(pair.id, pair.kind, pair.label, judgement)
        for pair, judgement in zip(group, judged, strict=True)
    ]


def _outcome(result: JudgedPair) -> str:
    return _ERROR if result.judgement is None else str(result.judgement.outcome)


def _key(group: Sequence[Compared]) -> str:
    return blake2b("\0".join(pair.id for pair in group).encode(), digest_size=8).hexdigest()


def _reads(cfg: DictConfig) -> dict[str, Any]:
    content = path_digest(Path(cfg.data.path))
    return {**read(cfg, "data.max_pairs", "equivalence"), **prover_reads(cfg), "content": content}


def _check(cfg: DictConfig) -> None:
    if cfg.data.get("source") != "comparisons" or OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError("equivalence compares the statements of a file: data=comparisons data.path=FILE")
    if not Path(cfg.data.path).is_file():
        raise ConfigError(f"data.path={cfg.data.path} is no file, seen from {Path.cwd()}")


TASK = Task(name="equivalence_eval", run=run, reads=_reads, check=_check)
