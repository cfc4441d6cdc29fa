"""Pairs of statements whose relation is known, made from a library's theorems without any human label.

Equivalent pairs are equivalent by construction. A pair counts as different only if that is shown: the
library proves one side, and the kernel has accepted a refutation of the other. The rest are changed
statements of which nothing is known; some of them are true, or even equivalent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ntp.bounds import PositiveInt
from ntp.envs.coq.project import CoqProject
from ntp.formalization.equivalence.elaboration import Elaborator
from ntp.formalization.equivalence.library import Library, LibraryStatement
from ntp.formalization.equivalence.refutation import refuted
from ntp.formalization.equivalence.rewritings import DIFFERENT, EQUIVALENT, Rewriting
from ntp.formalization.equivalence.telescope import names, parse
from ntp.sandbox.limits import Limits
from ntp.seeding import derive_seed

EQUIVALENT_LABEL, DIFFERENT_LABEL, UNKNOWN_LABEL = "equivalent", "different", "unknown"
UNFOLDED = "unfolded"
# What a printed statement hides behind notations.
_HIDDEN = ("not", "iff", "lt", "gt", "ge", "Z.lt", "Z.le", "Z.ge", "Z.gt", "N.lt", "N.le")
_MAX_GROWTH = 3
_STATEMENT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class KnownPair:
    """A theorem of a library and a changed statement.

    Attributes:
        id: Name of the theorem and kind of the change.
        kind: The change.
        label: `equivalent`, `different` or `unknown`.
        header: What both need before them.
        reference: The theorem's statement.
        candidate: The changed statement.
    """

    id: str
    kind: str
    label: str
    header: str
    reference: str
    candidate: str


@dataclass(frozen=True)
class VariantOptions:
    """Which pairs with a known relation are made.

    Attributes:
        files: Glob patterns of the library's files.
        max_per_file: Most theorems of a file.
        num_kept: Changes that keep what a theorem says, for each theorem.
        num_changed: Changes that should change it, for each theorem.
        refutation_timeout_s: Whole seconds for one search of a counterexample.
    """

    # Files of the standard library with many small theorems about numbers, lists and truth values.
    files: list[str] = field(
        default_factory=lambda: [
            "Arith/*.v",
            "Bool/*.v",
            "Init/Peano.v",
            "Lists/List.v",
            "NArith/*.v",
            "PArith/Pnat.v",
            "QArith/QArith_base.v",
            "Strings/*.v",
            "ZArith/*.v",
        ]
    )
    max_per_file: PositiveInt = 120
    num_kept: PositiveInt = 1
    num_changed: PositiveInt = 4
    refutation_timeout_s: PositiveInt = 1


class VariantMaker:
    """Makes known pairs of one library, a file at a time.

    Args:
        project: The library.
        name: Logical name of its root, as `Coq`.
        options: Which pairs.
        limits: Resource limits of the provers.
        seed: Seed of every choice; choices for a theorem do not depend on other theorems.
    """

    def __init__(
        self, project: CoqProject, name: str, options: VariantOptions, limits: Limits, seed: int
    ) -> None:
        self._project, self._name, self._options = project, name, options
        self._limits, self._seed = limits, seed

    def files(self) -> list[str]:
        """The files to read, sorted."""
        return self._project.files(self._options.files)

    def pairs(self, file: str, advance: Callable[[int], object] = lambda _: None) -> list[KnownPair]:
        """The pairs of one file's theorems.

        Args:
            file: Path relative to the library's root.
            advance: Called with 1 after each search of a counterexample.

        Raises:
            InitError: Its module cannot be imported.
            EnvError: Coq cannot start.
        """
        module = ".".join([self._name, *file.removesuffix(".v").split("/")])
        library = Library(self._project, file, module, self._limits)
        elaborator = Elaborator(self._project, self._limits, _STATEMENT_TIMEOUT_S)
        try:
            stated = library.statements()
            rng = random.Random(derive_seed(self._seed, file))
            chosen = sorted(
                rng.sample(stated, min(len(stated), self._options.max_per_file)), key=stated.index
            )
            typed = [
                pair
                for statement in chosen
                for pair in self._of(statement, library, module)
                if not elaborator.state(library.header, pair.candidate).reason
            ]
            return self._with_labels(typed, library.header, elaborator, advance)
        finally:
            library.close()
            elaborator.close()

    def _of(self, statement: LibraryStatement, library: Library, module: str) -> Iterator[KnownPair]:
        """Changed statements, not yet type-checked; changes that should differ are of unknown label."""
        rng = random.Random(derive_seed(self._seed, f"{module}.{statement.name}"))
        kept = self._rewritten(statement, EQUIVALENT, rng)
        unfolded = _unfolded(statement, library, rng)
        if unfolded:
            kept[UNFOLDED] = unfolded
        groups = (
            (EQUIVALENT_LABEL, kept, self._options.num_kept),
            (UNKNOWN_LABEL, self._rewritten(statement, DIFFERENT, rng), self._options.num_changed),
        )
        for label, changed, most in groups:
            for kind in rng.sample(sorted(changed), min(len(changed), most)):
                name = f"{module}.{statement.name}:{kind}"
                yield KnownPair(name, kind, label, statement.header, statement.text, changed[kind])

    def _rewritten(
        self, statement: LibraryStatement, rewritings: Mapping[str, Rewriting], rng: random.Random
    ) -> dict[str, str]:
        telescope = parse(statement.text)
        if telescope is None:
            return {}
        found = {kind: rewrite(telescope, rng) for kind, rewrite in rewritings.items()}
        texts = {kind: str(changed) for kind, changed in found.items() if changed is not None}
        return {kind: text for kind, text in texts.items() if text not in (statement.text, str(telescope))}

    def _with_labels(
        self,
        pairs: Sequence[KnownPair],
        header: str,
        elaborator: Elaborator,
        advance: Callable[[int], object],
    ) -> list[KnownPair]:
        unknown = [pair for pair in pairs if pair.label == UNKNOWN_LABEL]
        shown = refuted(
            self._project,
            header,
            [pair.candidate for pair in unknown],
            self._options.refutation_timeout_s,
            self._limits,
            lambda assumption: elaborator.is_axiom(header, assumption),
            advance,
        )
        different = {pair.id for pair, is_shown in zip(unknown, shown, strict=True) if is_shown}
        return [
            KnownPair(pair.id, pair.kind, DIFFERENT_LABEL, pair.header, pair.reference, pair.candidate)
            if pair.id in different
            else pair
            for pair in pairs
        ]


def _unfolded(statement: LibraryStatement, library: Library, rng: random.Random) -> str:
    """The statement with one definition unfolded, as Coq prints it; empty if there is none to unfold."""
    text = statement.text
    constants = sorted({*names(text), *_HIDDEN})
    rng.shuffle(constants)
    said = library.ask([f"Eval cbv beta delta [ {name} ] in ({text})." for name in constants])
    # Coq prints `= text : Prop`.
    results = [" ".join(s.split()).removeprefix("= ").removesuffix(" : Prop") for s in said if s is not None]
    for result in results:
        if result != text and len(result) < _MAX_GROWTH * len(text) and "fix " not in result:
            return result
    return ""
