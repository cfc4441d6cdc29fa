"""Options of the copilot, and building it from a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.errors import CheckpointError, ConfigError
from ntp.search.interface import Critic, Proposer
from ntp.serve.buffer import Buffer
from ntp.serve.calibration import Calibration
from ntp.serve.copilot import Copilot
from ntp.serve.http.options import HttpOptions
from ntp.serve.sessions import SessionLimits, Sessions
from ntp.serve.suggestions import Suggester, SuggestionOptions
from ntp.tasks.needs import inner, policy_node, run_config

# What a policy needs is imported where one is loaded: that takes seconds, and an editor waits for its server.


@dataclass(frozen=True)
class ServeOptions:
    """The copilot.

    Attributes:
        protocol: `http`; or `lsp` for an editor or `mcp` for an agent, which start the server themselves and
            speak with it over stdin and stdout.
        suggestions: How suggestions are found.
        sessions: How many documents may be open.
        http: How the server listens.
        calibration: Output directory of `+experiment=copilot_calibration`; null for a server that is not
            calibrated, whose suggestions have no probabilities.
        verifier: Whether the verifiers of `verifier.checkpoint` rank suggestions.
        header: Text that is put before a goal which a client sends without its file.
        axioms: Names of axioms that proofs may use beside those that a text itself assumes.
        text_timeout_s: Seconds for a sentence of a text.
        premises: A data set, the output directory of an extraction, in which agents may search premises.
        split: Part of the split whose proofs are assessed or calibrated on.
        num_steps: Steps of recorded proofs that are assessed.
        num_judged: Suggested tactics at each step whose outcome is looked at.
        outcome_expansions: Expansions of the search that decides whether a proof is finished after a tactic.
        outcome_s: Most seconds of that search.
    """

    protocol: str = "http"
    suggestions: Any = MISSING
    sessions: Any = MISSING
    http: Any = MISSING
    calibration: str | None = None
    verifier: bool = False
    header: str = ""
    axioms: list[str] = field(default_factory=list)
    text_timeout_s: PositiveFloat = 30.0
    premises: str | None = None
    split: str = "test"
    num_steps: PositiveInt = 200
    num_judged: PositiveInt = 3
    outcome_expansions: PositiveInt = 8
    outcome_s: PositiveFloat = 10.0


def make_copilot(cfg: DictConfig, checkpoint: Path | None) -> Copilot:
    """The copilot of a config, with the policy of a checkpoint or with fixed tactics alone.

    Raises:
        CheckpointError: The policy, the verifiers or the calibration cannot be read.
        ConfigError: Verifiers are asked for and not given.
    """
    make_env = instantiate(cfg.env)
    options = section(cfg.serve.suggestions, SuggestionOptions)
    if make_env.prover == "lean" and options.one_shot_tactics == SuggestionOptions().one_shot_tactics:
        from ntp.tasks.methods import ONE_SHOT_TACTICS

        options = replace(options, one_shot_tactics=ONE_SHOT_TACTICS["lean"])
    suggester = Suggester(
        None if checkpoint is None else load_checkpoint(cfg, checkpoint),
        options,
        critic=_critic(cfg),
        calibrator=None if cfg.serve.calibration is None else Calibration.load(Path(cfg.serve.calibration)),
        seed=cfg.seed,
    )
    model = "one-shot tactics" if checkpoint is None else checkpoint.resolve().name
    limits = section(cfg.serve.sessions, SessionLimits)
    return Copilot(
        Sessions(buffers(cfg, make_env), limits),
        suggester,
        make_env.prover,
        model,
        header=cfg.serve.header,
    )


def buffers(cfg: DictConfig, make_env: Any) -> Callable[[], Buffer]:
    """Makes documents, each with a prover of its own; raises `ConfigError` where there is none for texts."""
    live = getattr(make_env, "live", None)

    def make() -> Buffer:
        if live is None:
            raise ConfigError(f"no document can be opened: texts of {make_env.prover} are not executed")
        return Buffer(live(cfg.serve.text_timeout_s, tuple(cfg.serve.axioms)))

    return make


def load_checkpoint(cfg: DictConfig, checkpoint: Path) -> Proposer:
    """The policy of a training run, with the model that it was trained with."""
    from ntp.tasks.builders import load_policy

    trained = run_config(checkpoint)
    return load_policy(cfg, checkpoint, None if trained is None else trained.model)


def given_checkpoint(cfg: DictConfig) -> Path | None:
    """The directory that `policy.checkpoint` names; None if it names none.

    Raises:
        CheckpointError: It is no directory.
    """
    checkpoint = policy_node(cfg, "policy").checkpoint
    if checkpoint is None:
        return None
    if not Path(checkpoint).is_dir():
        raise CheckpointError(
            f"policy.checkpoint={checkpoint} is not a directory: give the output directory of a training run"
        )
    return Path(checkpoint)


def http_options(cfg: DictConfig) -> HttpOptions:
    """How the server of a config listens."""
    return section(cfg.serve.http, HttpOptions)


T = TypeVar("T")


def section(node: DictConfig, kind: type[T]) -> T:
    """An object of a class of options, from the node of a config that has them."""
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    return kind(**{str(name): tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _critic(cfg: DictConfig) -> Critic | None:
    if not cfg.serve.verifier:
        return None
    own, backbone = cfg.verifier.checkpoint, cfg.verifier.backbone.checkpoint
    if own is None or backbone is None:
        raise ConfigError(
            "serve.verifier=true: give verifier.checkpoint=PATH and verifier.backbone.checkpoint=PATH"
        )
    from ntp.tasks.builders import load_policy
    from ntp.verifier.ensemble import EnsembleCritic, VerifierEnsemble

    policy = load_policy(cfg, Path(backbone))
    ensemble = VerifierEnsemble.load(policy, inner(Path(own), "verifier"))
    return EnsembleCritic(ensemble, instantiate(cfg.aggregation))
