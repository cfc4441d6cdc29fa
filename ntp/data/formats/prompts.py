"""Instruction data: prompts and completions in ten kinds, made from templates.

The first six kinds are those of ntp-toolkit's `instruction_tuning.py`; the others add premises, similar
proofs and definitions. The wording is our own, in `templates.yaml`; another file with the same keys replaces
it.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ntp.data.formats.source_file import Proof
from ntp.data.formats.state_comments import STYLES
from ntp.errors import ConfigError
from ntp.seeding import derive_seed

TEMPLATES = Path(__file__).with_name("templates.yaml")
TACTIC, PROOF, PROOF_WITH_STATES = "tactic", "proof", "proof_with_states"
# What each kind is completed by, and what it needs in addition to the theorem.
KINDS: Mapping[str, tuple[str, str]] = {
    "state_tactic": (TACTIC, ""),
    "context_state_tactic": (TACTIC, "context"),
    "full_proof": (PROOF, ""),
    "context_full_proof": (PROOF, "context"),
    "full_proof_states": (PROOF_WITH_STATES, ""),
    "context_full_proof_states": (PROOF_WITH_STATES, "context"),
    "premises_state_tactic": (TACTIC, "premises"),
    "proofs_state_tactic": (TACTIC, "proofs"),
    "premises_full_proof": (PROOF, "premises"),
    "definitions_state_tactic": (TACTIC, "definitions"),
}
_FIELDS = {"prover", "begin", "end", "context", "state", "decl", "premises", "proofs", "definitions"}
_NAMES = {"coq": "Coq", "lean": "Lean 4", "lean3": "Lean 3"}

# No text has tokens that are longer than this on average.
_MAX_CHARACTERS = 8
Tokens = tuple[Callable[[str], Sequence[Any]], Callable[[Sequence[Any]], str]]


@dataclass(frozen=True)
class Template:
    """The wording of one kind.

    Attributes:
        prompt: With the fields `{state}`, `{decl}`, `{context}`, ... of `templates.yaml`.
        completion: With the field `{target}`.
    """

    prompt: str
    completion: str


@dataclass(frozen=True)
class Background:
    """What a prompt may show in addition to the theorem, each as lines of the prover's language.

    Attributes:
        premises: Statements that the proof may use.
        proofs: Similar theorems with their proofs.
        definitions: Definitions of what the statement names.
    """

    premises: Sequence[str] = ()
    proofs: Sequence[str] = ()
    definitions: Sequence[str] = ()


def read_templates(path: Path = TEMPLATES) -> dict[str, Template]:
    """Read the wording of all kinds.

    Raises:
        ConfigError: The file cannot be read, lacks a kind, or has an unknown kind or field.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or set(content) != set(KINDS):
        raise ConfigError(f"{path}: give a template for each of {', '.join(KINDS)} and nothing else")
    return {kind: _template(path, kind, value) for kind, value in content.items()}


def _template(path: Path, kind: str, value: Any) -> Template:
    if not isinstance(value, dict) or set(value) != {"prompt", "completion"}:
        raise ConfigError(f"{path}: {kind}: give prompt and completion")
    for part, known in (("prompt", _FIELDS), ("completion", {"target"})):
        try:
            fields = {name for _, name, _, _ in string.Formatter().parse(value[part]) if name is not None}
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{path}: {kind}.{part}: {error}") from None
        if fields - known:
            names = ", ".join(sorted(known))
            raise ConfigError(f"{path}: {kind}.{part}: no field {min(fields - known)}; there are {names}")
        if part == "completion" and "target" not in fields:
            raise ConfigError(f"{path}: {kind}.completion: {{target}} is missing: all answers would be equal")
    return Template(value["prompt"], value["completion"])


def fill(
    template: Template, prover: str, target: str, state: str, decl: str, context: str, background: Background
) -> tuple[str, str]:
    """The prompt and the completion of one example."""
    style = STYLES[prover]
    prompt = template.prompt.format(
        prover=_NAMES[prover],
        begin=style.begin,
        end=style.end,
        state=state,
        decl=decl.rstrip(),
        context=context,
        premises="\n".join(background.premises),
        proofs="\n\n".join(background.proofs),
        definitions="\n".join(background.definitions),
    )
    return prompt, template.completion.format(target=target)


def cut(text: str, max_tokens: int, tokens: Tokens, prover: str, *seed: int | str) -> str:
    """At most `max_tokens` tokens of a context: its end, or its two ends, drawn by the seed.

    Args:
        text: The context.
        max_tokens: Number of tokens; 0 for all.
        tokens: Encodes and decodes a text.
        prover: Whose comments mark a gap.
        seed: What the draw depends on.
    """
    _, decode = tokens
    if not max_tokens or len(text) <= max_tokens:  # no token is shorter than a character
        return text
    last = _end(text, max_tokens, tokens)
    if len(last) <= max_tokens:
        return text
    if random.Random(derive_seed("cut", *seed)).random() < 0.5:
        return decode(last[-max_tokens:])
    half, style = max_tokens // 2, STYLES[prover]
    first = tokens[0](text[: half * _MAX_CHARACTERS])
    gap = f"\n\n{style.begin} ... the middle of the file is left out ... {style.end}\n\n"
    return decode(first[:half]) + gap + decode(last[len(last) - half :])


def _end(text: str, max_tokens: int, tokens: Tokens) -> Sequence[Any]:
    """More than the last `max_tokens` tokens, or all there are, since reading whole files takes long."""
    found = tokens[0](text[-max_tokens * _MAX_CHARACTERS :])
    return found if len(found) > max_tokens else tokens[0](text)


def example(
    kind: str, project: str, proof: Proof, prompt: str, completion: str, target: str, split: str
) -> dict[str, Any]:
    """A row of instruction data, with ntp-toolkit's keys."""
    task = "tactic_prediction" if KINDS[kind][0] == TACTIC else "full_proof"
    return {
        "task": task,
        "prompt": prompt,
        "prompt_name": kind,
        "completion": completion,
        "metadata": {
            "task": task,
            "project": project,
            "file": proof.record.theorem.file,
            "declId": proof.id,
            "target": target,
            "split": split,
        },
    }


def is_honest(text: str) -> bool:
    """Whether a proof or tactic admits nothing."""
    words = text.replace(".", " ").split()
    return not {"sorry", "admit", "Admitted", "give_up"} & set(words)
