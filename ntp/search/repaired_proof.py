"""Whole proofs that are written, checked, repaired, written again, and completed by backtracking."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ntp.envs.base import ProofEnv, ProofSession
from ntp.envs.pool import EnvPool
from ntp.envs.script import ScriptSyntax
from ntp.errors import InitError
from ntp.evaluation.assess import TheoremRun
from ntp.evaluation.proof_log import BACKTRACKING, SAMPLE, SECOND_TRY, ProofLog, RepairLog, ScriptLog
from ntp.policy.generators.base import Answer
from ntp.policy.prompt import SamplingParams
from ntp.search.backtrack import Backtracker
from ntp.search.interface import Budget
from ntp.search.repair.base import Repair, words
from ntp.search.repair.loop import OutOfTimeError, RepairLoop, closing
from ntp.search.whole_proof import trajectory_of
from ntp.search.writers import Writer, Written
from ntp.seeding import derive_seed
from ntp.types import ProofState, ScriptResult, Tactic, Theorem, Trajectory, Transition, Verdict

_MAX_ERROR = 600
_UNCHECKED = ScriptResult((), Verdict(False, "the time for the theorem was over"))


@dataclass(frozen=True)
class RepairedProofSearch:
    """Writes whole proofs of each theorem until one is accepted, or its time or tries are over.

    Scripts are written together and checked one after the other, each with its repairs. Then come second
    tries, which are shown the last script and its error, and last backtracking from the scripts that went
    furthest.
    A theorem's time runs from when it is open, writing included; what is accepted later does not count.

    Attributes:
        writer: Writes scripts.
        syntax: Spelling of the prover's scripts.
        num_samples: Scripts per theorem.
        temperature: Sampling temperature.
        seed: Seed of all samples.
        repairs: Repairs, in the order in which they are asked; empty for none.
        max_repairs: Most errors that are repaired in a script.
        max_candidates: Most candidates for an error, of each class of repair.
        second_tries: Scripts that are written again after their error.
        max_seconds: Wall time for a theorem; None for no limit.
        max_cpu_seconds: CPU time of a theorem's prover; None for no limit. What writes is not in it.
        names: Names that a theorem's proof may use, in full.
        backtracker: Makes what completes scripts with one prover; None for none.
        backtracking: Limits of completing one script; a theorem's time is a limit too.
    """

    writer: Writer
    syntax: ScriptSyntax
    num_samples: int
    temperature: float
    seed: int
    repairs: Sequence[Repair]
    max_repairs: int
    max_candidates: int
    second_tries: int
    max_seconds: float | None
    max_cpu_seconds: float | None
    names: Callable[[Theorem], Sequence[str]]
    backtracker: Callable[[ProofEnv], Backtracker] | None = None
    backtracking: Budget = field(default_factory=lambda: Budget(1))

    def __call__(
        self, theorems: Sequence[Theorem], pool: EnvPool, on_finished: Callable[[], None]
    ) -> list[TheoremRun]:
        """Search theorems, as many at a time as there are provers; calls `on_finished` after each."""

        def prove(env: ProofEnv, theorem: Theorem, _: None) -> TheoremRun:
            try:
                return _Attempt(self, env, theorem).run()
            except InitError as error:
                return TheoremRun(theorem, error=error)
            finally:
                on_finished()

        runs = pool.each([(theorem, None) for theorem in theorems], prove)
        return [
            TheoremRun(theorem, error=run) if isinstance(run, InitError) else run
            for theorem, run in zip(theorems, runs, strict=True)
        ]


@dataclass
class _Script:
    """A script on its way."""

    origin: str
    written: Written
    write_s: float
    final: str
    result: ScriptResult
    repairs: list[RepairLog] = field(default_factory=list)
    check_s: float = 0.0

    @property
    def is_proof(self) -> bool:
        return self.result.verdict.accepted

    def log(self) -> ScriptLog:
        answer = self.written.answer
        return ScriptLog(
            origin=self.origin,
            chat=self.written.messages,
            answer=answer.text,
            script=self.written.script.text,
            final=self.final,
            proved=self.is_proof,
            error=answer.refused or self.result.verdict.reason[:_MAX_ERROR],
            repairs=tuple(closing(self.repairs) if self.is_proof else self.repairs),
            num_prompt_tokens=answer.num_prompt_tokens,
            num_tokens=answer.num_tokens,
            cost=answer.cost,
            write_s=self.write_s,
            check_s=self.check_s,
        )


class _Attempt:
    """The search of one theorem with one prover."""

    def __init__(self, search: RepairedProofSearch, env: ProofEnv, theorem: Theorem) -> None:
        self._search, self._env, self._theorem = search, env, theorem
        self._transitions: list[Transition] = []
        self._scripts: list[_Script] = []
        self._root: ProofState
        self._session: ProofSession

    def run(self) -> TheoremRun:
        """Search, and say what was found."""
        self._session = session = self._env.open(self._theorem)
        self._root = session.root
        session.close()
        # Loading the file is no part of the search: other searches are not charged for it either.
        self._begun = time.monotonic()
        try:
            if not self._sampled():
                self._tried_again()
            if not self._is_proved:
                self._backtracked()
        except OutOfTimeError:
            pass
        seconds = time.monotonic() - self._begun
        log = ProofLog(
            self._theorem.id,
            self._theorem.file,
            self._is_proved,
            seconds,
            tuple(script.log() for script in self._scripts),
        )
        return TheoremRun(
            self._theorem,
            tuple(map(self._trajectory, self._scripts)),
            tuple(self._transitions),
            sum(script.origin != BACKTRACKING for script in self._scripts),
            len(self._transitions),
            seconds,
            log=log,
            cpu_s=self._session.cpu_s,
        )

    @property
    def _is_proved(self) -> bool:
        return any(script.is_proof for script in self._scripts)

    @property
    def _left_s(self) -> float | None:
        limit = self._search.max_seconds
        return None if limit is None else limit - (time.monotonic() - self._begun)

    def _sampled(self) -> bool:
        """Check independent scripts until one is a proof."""
        draws = [self._draw(SAMPLE, index) for index in range(self._search.num_samples)]
        begun = time.monotonic()
        rows = self._search.writer.write(self._theorem, self._root.text, draws)
        share_s = (time.monotonic() - begun) / max(1, len(rows))
        return any(self._checked(SAMPLE, written, share_s) for written in rows)

    def _tried_again(self) -> bool:
        """Have the last script written again, as often as allowed, each time with its error."""
        for index in range(self._search.second_tries if self._scripts else 0):
            last = self._scripts[-1]
            begun = time.monotonic()
            again = self._search.writer.write(
                self._theorem,
                self._root.text,
                [self._draw(SECOND_TRY, index)],
                [(last.written, last.result)],
            )
            if not again:
                return False
            if self._checked(SECOND_TRY, again[0], time.monotonic() - begun):
                return True
        return False

    def _backtracked(self) -> None:
        """Complete the scripts that went furthest."""
        if self._search.backtracker is None:
            return
        backtracker = self._search.backtracker(self._env)
        names = self._search.names(self._theorem)
        for script in sorted(self._scripts, key=lambda s: len(s.result.accepted), reverse=True):
            left_s = self._left_s
            if left_s is not None and left_s <= 0:
                return
            begun = time.monotonic()
            limit = self._search.backtracking
            times = [s for s in (left_s, limit.max_seconds) if s is not None]
            budget = replace(limit, max_seconds=min(times, default=None))
            used = _used(script.final, names)
            completed = backtracker.complete(self._theorem, script.result, used, budget)
            written = Written(Tactic(completed or ""), script.written.messages, Answer(""))
            tried = _Script(BACKTRACKING, written, 0.0, completed or script.final, script.result)
            if completed is not None:
                tried.result = self._check(completed)
            tried.check_s = time.monotonic() - begun
            self._scripts.append(tried)
            if tried.is_proof:
                return

    def _checked(self, origin: str, written: Written, write_s: float) -> bool:
        """Check a script and repair it; whether it is a proof."""
        begun = time.monotonic()
        text = written.script.text
        script = _Script(origin, written, write_s, text, _UNCHECKED)
        self._scripts.append(script)
        loop = RepairLoop(
            self._search.repairs,
            self._search.syntax,
            self._check,
            self._search.names(self._theorem) if self._search.repairs else (),
            self._search.max_repairs,
            self._search.max_candidates,
        )
        try:
            script.result = self._check(text)
            if not script.is_proof:
                script.final, script.result = loop.run(text, script.result, script.repairs)
        finally:
            script.check_s = time.monotonic() - begun
        return script.is_proof

    def _check(self, text: str) -> ScriptResult:
        """Run a script. What is accepted when the time is over does not count."""
        result = self._env.check_script(self._theorem, text)
        self._transitions += result.transitions
        left_s, max_cpu_s = self._left_s, self._search.max_cpu_seconds
        if left_s is not None and left_s < 0:
            raise OutOfTimeError
        if max_cpu_s is not None and self._session.cpu_s > max_cpu_s:
            raise OutOfTimeError
        return result

    def _draw(self, origin: str, index: int) -> SamplingParams:
        seed = derive_seed(self._search.seed, "whole_proof", origin, self._theorem.id, index)
        return SamplingParams(seed, self._search.temperature)

    def _trajectory(self, script: _Script) -> Trajectory:
        result = script.result
        if script.is_proof:
            result = self._without_structure(result)
        log_prob = script.written.script.log_prob
        return trajectory_of(self._theorem, self._root, Tactic(script.final, log_prob=log_prob), result)

    def _without_structure(self, result: ScriptResult) -> ScriptResult:
        """The proof without bullets and braces if those are not needed, so that equal proofs are equal."""
        kept = [text for text in result.accepted if not self._search.syntax.is_structure(text)]
        if len(kept) == len(result.accepted):
            return result
        flat = self._env.check_script(self._theorem, "\n".join(kept))
        return flat if flat.verdict.accepted else result


def _used(script: str, names: Sequence[str]) -> list[str]:
    """The names that a script uses, in full."""
    said = set(words(script))
    return [name for name in names if name.rpartition(".")[2] in said]
