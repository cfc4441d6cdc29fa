"""A client of one coqidetop process: one document that is edited at its end, the tip.

Sentences are trusted here; those that a model wrote must have passed `ntp.envs.coq.syntax.guard`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

from ntp.envs.coq import protocol
from ntp.envs.coq.hammer import HELPERS_DIRECTORY
from ntp.envs.coq.installation import ENVIRONMENT, INSTALL_COMMAND, SUPPORTED, check_version
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure, Goals
from ntp.errors import EnvError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.isolation import environment
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess

# The state of the empty document.
ROOT = 1
_BATCH = 200
_MAX_STRAY_SIGNALS = 3


class CoqIdeTop:
    """One coqidetop for one file of a project. The document is empty at first.

    Every call raises `ProcessDiedError` if the process ends during it and `DeadlineExceededError` if the
    answer does not arrive in time; then the object can only be closed (or, after `run`, interrupted).

    Args:
        project: Gives the command line.
        file: The file that the document represents, relative to the project's root.
        limits: Resource limits of the process.
        start_timeout_s: Seconds to start.

    Attributes:
        process: The child process.
        tip: Id of the state after the last sentence of the document.

    Raises:
        EnvError: Coq is missing, has an unsupported version, or does not start.
        ProcessDiedError: It was killed from outside while it started.
    """

    def __init__(
        self, project: CoqProject, file: str, limits: Limits | None = None, start_timeout_s: float = 60.0
    ) -> None:
        command = project.command(file)
        try:
            limits = project.limits(limits or Limits())
            path = f"{environment(limits).get('PATH', os.defpath)}:{HELPERS_DIRECTORY}"
            variables = {**ENVIRONMENT, "PATH": path}
            self.process = ChildProcess(command, limits, variables)
        except OSError as error:
            raise EnvError(f"{command[0]} cannot be started: {error}") from None
        self.tip = ROOT
        self._next_state = ROOT + 1
        self._dropped = False
        self._num_pending = 0
        try:
            self._handshake(start_timeout_s)
        except (ProcessDiedError, DeadlineExceededError) as error:
            self.close()
            if isinstance(error, ProcessDiedError) and error.killed:
                raise
            raise EnvError(
                f"{command[0]} does not speak the protocol of {SUPPORTED} ({error}): `{INSTALL_COMMAND}`"
            ) from None
        except BaseException:
            self.close()
            raise

    def run(self, text: str, timeout_s: float) -> Goals | Failure | None:
        """Execute one sentence and return the goals after it (None: no open proof).

        A failure leaves the tip where it was.
        """
        added, shown = self._call([protocol.add(text, self.tip), protocol.GOAL], timeout_s)
        return self._executed(added, shown)

    def run_and_listen(self, text: str, timeout_s: float) -> tuple[Goals | Failure | None, list[str]]:
        """As `run`, with what the sentence tells its user, one text for each message."""
        added, shown = self._call([protocol.add(text, self.tip), protocol.GOAL], timeout_s)
        told = [message for value in (added, shown) for message in protocol.messages(value, "info")]
        return self._executed(added, shown), told

    def run_and_query(
        self, text: str, question: str, timeout_s: float
    ) -> tuple[Goals | Failure | None, list[str] | Failure]:
        """Execute one sentence and, in the same write, run a query in the state after it."""
        calls = [
            protocol.add(text, self.tip),
            protocol.GOAL,
            protocol.query(question, self._next_state),
        ]
        added, shown, answered = self._call(calls, timeout_s)
        return self._executed(added, shown), protocol.failure(answered) or protocol.messages(answered)

    def run_all(self, texts: Sequence[str], timeout_s: float) -> list[Goals | Failure | None]:
        """Execute sentences in order, in pipelined writes, and return the goals after each.

        Stops at the first failure, which is then the last element. `timeout_s` is for every 200 sentences.
        What Coq refuses in a batch is sent again as the first of another: a batch is parsed before it is
        executed, so a sentence may be read in the wrong mode (nested proofs) or after a wrong state.
        """
        results: list[Goals | Failure | None] = []
        while len(results) < len(texts):
            batch = self._run_batch(texts[len(results) : len(results) + _BATCH], timeout_s)
            refused = isinstance(batch[-1], Failure)
            results += batch[:-1] if refused else batch
            if refused and len(batch) == 1:
                return [*results, *batch]
        return results

    def load(self, texts: Sequence[str], timeout_s: float) -> tuple[list[int], Failure | None]:
        """Execute sentences in pipelined writes without asking for goals.

        Args:
            texts: The sentences.
            timeout_s: Seconds for every 200 sentences.

        Returns:
            The state after each executed sentence, and the failure of the next sentence, if any.
        """
        states, shown = self.load_and_show(texts, timeout_s)
        return states, shown if isinstance(shown, Failure) else None

    def load_and_show(
        self, texts: Sequence[str], timeout_s: float
    ) -> tuple[list[int], Goals | Failure | None]:
        """As `load`, but with the goals after the last sentence (None: no open proof) if none failed."""
        states: list[int] = []
        shown = ""
        while len(states) < len(texts):
            loaded, failed, shown = self._load_batch(texts[len(states) : len(states) + _BATCH], timeout_s)
            states += loaded
            if failed and not loaded:
                return states, failed
        return states, protocol.goals(shown)

    def goals(self, timeout_s: float) -> Goals | Failure | None:
        """The goals at the tip."""
        (value,) = self._call([protocol.GOAL], timeout_s)
        return protocol.failure(value) or protocol.goals(value)

    def edit_at(self, state: int) -> None:
        """Make an earlier state the tip and drop later ones. Coq is told with the next call."""
        self.tip = state
        self._dropped = True

    def query(self, text: str, timeout_s: float) -> list[str] | Failure:
        """Messages of a query at the tip (`Print Assumptions foo.`, `Locate bar.`)."""
        return self.query_all([text], timeout_s)[0]

    def query_all(self, texts: Sequence[str], timeout_s: float) -> list[list[str] | Failure]:
        """Messages of several queries at the tip, sent in one write."""
        return self.query_at([(text, self.tip) for text in texts], timeout_s)

    def query_at(self, questions: Sequence[tuple[str, int]], timeout_s: float) -> list[list[str] | Failure]:
        """Messages of queries, each at a state of the document given by its id, sent in one write."""
        values = self._call([protocol.query(text, state) for text, state in questions], timeout_s)
        return [protocol.failure(value) or protocol.messages(value) for value in values]

    def status(self, timeout_s: float) -> tuple[tuple[str, ...], str | None]:
        """Path of the current module and sections, and the name of the open proof."""
        (value,) = self._call([protocol.STATUS], timeout_s)
        return protocol.status(value)

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in MiB."""
        return self.process.memory_mb

    @property
    def cpu_s(self) -> float:
        """CPU time of the process and of those that it started, in seconds."""
        return self.process.cpu_s

    def interrupt(self, timeout_s: float) -> bool:
        """After `DeadlineExceededError` in `run`: send SIGINT and go back to the state before the sentence.

        Returns:
            False if Coq does not react within `timeout_s` seconds: the object can then only be closed.
        """
        self.process.interrupt()
        try:
            answer = self.process.resume(protocol.VALUE_END, self._num_pending, timeout_s)
            self._settle(protocol.split_values(answer))
            self._dropped = True
            # The signal may have arrived after the answer; then it interrupts one of the next calls.
            for _ in range(_MAX_STRAY_SIGNALS):
                values = self._exchange([protocol.edit_at(self.tip), protocol.STATUS], timeout_s)
                if not any(map(protocol.failure, values)):
                    return True
        except DeadlineExceededError:
            pass
        return False

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self.process.close()

    def __enter__(self) -> CoqIdeTop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handshake(self, timeout_s: float) -> None:
        values = self._call([protocol.INIT, protocol.ABOUT], timeout_s)
        check_version(protocol.version(values[1]))

    def _call(self, calls: Sequence[str], timeout_s: float) -> list[str]:
        if self._dropped:
            first, *values = self._exchange([protocol.edit_at(self.tip), *calls], timeout_s)
            failed = protocol.failure(first)
            if failed:
                raise ProcessDiedError(f"Coq did not go back to state {self.tip}: {failed.message}")
            self._dropped = False
            return values
        return self._exchange(calls, timeout_s)

    def _exchange(self, calls: Sequence[str], timeout_s: float) -> list[str]:
        self._num_pending = len(calls)
        request = protocol.join(calls)
        return protocol.split_values(
            self.process.exchange(request, protocol.VALUE_END, len(calls), timeout_s)
        )

    def _executed(self, added: str, shown: str) -> Goals | Failure | None:
        failed = protocol.failure(added)
        if failed:
            return failed
        state = protocol.added_state(added)
        self._next_state = state + 1
        failed = protocol.failure(shown)
        if failed:
            # Coq's tip is the failed state: the next request begins with going back.
            self._dropped = True
            return failed
        self.tip = state
        return protocol.goals(shown)

    def _run_batch(self, texts: Sequence[str], timeout_s: float) -> list[Goals | Failure | None]:
        calls: list[str] = []
        for text, before in zip(texts, self._predicted_tips(), strict=False):
            calls += [protocol.add(text, before), protocol.GOAL]
        values = self._call(calls, timeout_s)
        results: list[Goals | Failure | None] = []
        for added, shown in zip(values[::2], values[1::2], strict=True):
            failed = protocol.failure(added) or protocol.failure(shown)
            if failed:
                results.append(failed)
                break
            self.tip = protocol.added_state(added)
            results.append(protocol.goals(shown))
        self._settle(values)
        return results

    def _load_batch(self, texts: Sequence[str], timeout_s: float) -> tuple[list[int], Failure | None, str]:
        calls = [protocol.add(text, tip) for text, tip in zip(texts, self._predicted_tips(), strict=False)]
        *values, shown = self._call([*calls, protocol.GOAL], timeout_s)
        states: list[int] = []
        failed = None
        for value in values:
            failed = protocol.failure(value)
            if failed:
                break
            states.append(protocol.added_state(value))
        not_executed = protocol.failure(shown)
        # After a refused Add, Coq may have taken later sentences in its place. Their failure to execute does
        # not count, only that of a sentence before the refused one.
        executed = not states or (not_executed and not_executed.safe_state >= states[-1])
        if not_executed and not (failed and executed):
            failed = not_executed
            states = [state for state in states if state <= failed.safe_state]
        if states:
            self.tip = states[-1]
        self._settle(values)
        return states, failed, shown

    def _predicted_tips(self) -> Iterator[int]:
        # Coq numbers states in the order of accepted Adds, so a batch can be written before it is answered.
        # Commands inside a proof may use two numbers: Coq then refuses the rest of the batch.
        yield self.tip
        yield from itertools.count(self._next_state)

    def _settle(self, values: Sequence[str]) -> None:
        """After a batch: drop sentences added after a failure, and update the next state's id."""
        last = max([self.tip, *(protocol.added_state(v) for v in values if protocol.is_added(v))])
        self._next_state = max(self._next_state, last + 1)
        self._dropped = last != self.tip
