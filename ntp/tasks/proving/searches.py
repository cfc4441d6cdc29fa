"""The searches of a policy: those of the command, or its own; and what whole proofs are searched with."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ntp.config.bounds import check_bounds
from ntp.config.schema import schema_of
from ntp.data.dataset import Dataset
from ntp.envs.base import ProofEnv
from ntp.errors import ConfigError, DataError
from ntp.retrieval.corpus import PremiseCorpus
from ntp.search.backtrack import Backtracker, BacktrackOptions, ClosingBacktracker
from ntp.search.interface import Budget
from ntp.search.repair.catalogue import repairs_named
from ntp.search.repaired_proof import RepairedProofSearch
from ntp.search.writers import Writer
from ntp.types import Theorem

NAMES = ("sampling", "best_first", "whole_proof")


def searches_of(cfg: DictConfig, node: DictConfig, key: str) -> DictConfig:
    """The section `search` as it is for one policy.

    Args:
        cfg: The config.
        node: The policy's node, of `PolicyOptions`.
        key: Where it is, for messages.

    Raises:
        ConfigError: It names a search that there is not, or an option that the search has not.
    """
    if node.search is None:
        return _with_temperature(cfg.search, node)
    if not isinstance(node.search, DictConfig) or not node.search:
        raise ConfigError(f"{key}.search: give searches with their options, as {{sampling: {{}}}}")
    unknown = [name for name in node.search if name not in NAMES]
    if unknown:
        raise ConfigError(f"{key}.search: there is no {unknown[0]}; there are {', '.join(NAMES)}")
    absent = [name for name in node.search if name not in cfg.search]
    if absent:
        chosen = ", ".join(dict.fromkeys([*(n for n in NAMES if n in cfg.search), *map(str, absent)]))
        raise ConfigError(f"{key}.search: the command has no {absent[0]}: give search=[{chosen}]")
    own = copy.deepcopy(cfg.search)  # keeps its place, which interpolations need
    for name in NAMES:
        if name not in node.search:
            own[name] = MISSING
            continue
        try:
            merged = OmegaConf.merge(own[name], node.search[name] or {})
        except OmegaConfBaseException as error:
            raise ConfigError(f"{key}.search.{name}: {str(error).splitlines()[0]}") from None
        assert isinstance(merged, DictConfig)
        check_bounds(merged, f"{key}.search.{name}")
        own[name] = merged
    return _with_temperature(own, node)


def _with_temperature(search: DictConfig, node: DictConfig) -> DictConfig:
    """The temperature of a policy that has its own, for independent samples and whole proofs."""
    if node.temperature is None:
        return search
    own = {name: {"temperature": node.temperature} for name in ("sampling", "whole_proof") if name in search}
    return OmegaConf.merge(search, own)  # pyright: ignore[reportReturnType]


def repaired_proofs(
    load: Callable[[], Writer], options: DictConfig, cfg: DictConfig, dataset: Dataset | None
) -> Callable[[], RepairedProofSearch]:
    """A search of whole proofs with repairs.

    Args:
        load: Loads what writes them.
        options: Of `WholeProofOptions`.
        cfg: The config.
        dataset: The data set, whose names stand in for unknown ones.
    """
    repairs, completion = repairs_named(options.repairs), backtracking_of(options)
    syntax = instantiate(cfg.env).syntax

    def completer(env: ProofEnv) -> Backtracker:
        assert completion is not None
        return ClosingBacktracker(env, syntax, completion.closers, completion.max_names)

    def make() -> RepairedProofSearch:
        assert dataset is not None
        return RepairedProofSearch(
            writer=load(),
            syntax=syntax,
            num_samples=options.num_samples,
            temperature=options.temperature,
            seed=cfg.seed,
            repairs=repairs,
            max_repairs=options.max_repairs,
            max_candidates=options.max_candidates,
            second_tries=options.second_tries,
            max_seconds=options.max_seconds,
            names=accessible_names(dataset),
            backtracker=None if completion is None else completer,
            backtracking=Budget(1) if completion is None else completion.budget,
            max_cpu_seconds=options.max_cpu_seconds,
        )

    return make


def accessible_names(dataset: Dataset) -> Callable[[Theorem], Sequence[str]]:
    """From a theorem to the full names that its proof may use; those of its own file are first."""
    try:
        corpus = PremiseCorpus.of(dataset)
    except DataError:  # statements alone have no premises, and hypotheses can still be found
        return lambda _: ()

    @functools.lru_cache(maxsize=8)
    def names(theorem: Theorem) -> tuple[str, ...]:
        begin, end = corpus.own(theorem)
        ranges = [(begin, end), *corpus.accessible(theorem)]
        found = (corpus.premises[i].full_name for low, high in ranges for i in range(low, high))
        return tuple(dict.fromkeys(found))

    return names


def backtracking_of(options: DictConfig) -> BacktrackOptions | None:
    """How scripts are completed, from a config of `WholeProofOptions`.

    Raises:
        ConfigError: There is no such option.
    """
    if options.backtracking is None:
        return None
    declared = OmegaConf.structured(schema_of(f"{BacktrackOptions.__module__}.{BacktrackOptions.__name__}"))
    try:
        merged = OmegaConf.merge(declared, options.backtracking)
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"search.whole_proof.backtracking: {str(error).splitlines()[0]}") from None
    assert isinstance(merged, DictConfig)
    check_bounds(merged, "search.whole_proof.backtracking")
    values = OmegaConf.to_container(merged, resolve=True)
    assert isinstance(values, dict)
    return BacktrackOptions(**{str(name): value for name, value in values.items()})
