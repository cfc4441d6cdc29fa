"""The successor test (T2): does the rest of a library file check with a candidate in place of a statement?

The statement is admitted, inside this test only: what is asked is whether later proofs can use it, not
whether it is true, and no proof is counted. A candidate that says less breaks the proofs that need the
difference. One that says more, even something false, breaks none: the test stands beside equivalence, not in
its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from ntp.data.coq.declarations import read_command
from ntp.data.coq.replay import ReplayError, closing_keyword, replay
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.syntax import CoqSyntaxError, executable, read_prefixes, sentences
from ntp.errors import InitError
from ntp.formalization.equivalence.statement import read_statement
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.types import Rejected

_LOAD_TIMEOUT_S = 300.0
_STATEMENT_TIMEOUT_S = 5
_ADMITTED = "Admitted."
# Says nothing: the proofs that fail with it are those that use the statement.
_NOTHING = "True"
# Going back over one of these leaves Coq's parser broken.
_LOADS_PLUGIN = re.compile(r"(?:(?:Global|Local|From\s+\S+)\s+)*(?:Require|Declare\s+ML)\b")


@dataclass(frozen=True, slots=True)
class Block:
    """A proof from its statement to the sentence that closes it, or any other single sentence.

    Attributes:
        name: What the proof proves; empty for other sentences.
        texts: The sentences.
        opaque: Whether the proof may be replaced by an assumption without a difference: it ends in Qed.
    """

    name: str
    texts: tuple[str, ...]
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Succession:
    """What became of the later proofs.

    Attributes:
        users: Later proofs that use the statement: they check with it and fail with `True` in its place.
        broken: Those among them that fail with the candidate.
        reason: Why the candidate cannot be stated, in one line; empty if it can. All users are then broken.
    """

    users: tuple[str, ...]
    broken: tuple[str, ...]
    reason: str = ""

    @property
    def share(self) -> float | None:
        """Share of the users that still check; None without users."""
        return 1 - len(self.broken) / len(self.users) if self.users else None


class SuccessorTest:
    """The proofs of one file, replayed with other statements.

    Args:
        project: The file's project.
        file: Path relative to the project's root.
        limits: Resource limits of the prover.
        proof_timeout_s: Seconds for one later proof.

    Raises:
        InitError: The file does not replay.
        EnvError: Coq cannot start.
    """

    def __init__(
        self, project: CoqProject, file: str, limits: Limits | None = None, proof_timeout_s: float = 20.0
    ) -> None:
        self._project, self._file = project, file
        self._limits, self._timeout_s = limits or Limits(), proof_timeout_s
        self._blocks = self._read()
        self._used: dict[str, tuple[str, ...]] = {}
        self._top: CoqIdeTop | None = None
        self._prefix: tuple[int, int] | None = None  # blocks that are loaded, and the state after them

    @property
    def names(self) -> list[str]:
        """The theorems that can be replaced: those with an opaque proof."""
        return [block.name for block in self._blocks if block.opaque]

    def users(self, name: str) -> tuple[str, ...]:
        """The later proofs that use a theorem."""
        if name not in self._used:
            index = self._index(name)
            with_it = self._checked(index, self._blocks[index].texts[0])
            without = self._checked(index, f"Lemma {name} : {_NOTHING}.")
            self._used[name] = tuple(n for n in with_it if n not in without)
        return self._used[name]

    def test(self, name: str, candidate: str) -> Succession:
        """Replay what follows a theorem with a candidate as its statement.

        Args:
            name: One of `names`.
            candidate: A term or a declaration, hostile.
        """
        users = self.users(name)
        term = read_statement(candidate)
        if isinstance(term, Rejected):
            return Succession(users, users, term.reason)
        try:
            checked = self._checked(self._index(name), f"Lemma {name} : {term}.")
        except InitError as error:
            return Succession(users, users, str(error))
        return Succession(users, tuple(user for user in users if user not in checked))

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._prefix = None
        if self._top is not None:
            self._top.close()
            self._top = None

    def _read(self) -> list[Block]:
        source = self._project.read(self._file)
        try:
            cut = list(sentences(source))
            with CoqIdeTop(self._project, self._file, self._limits) as coq:
                replayed = list(chain.from_iterable(replay(coq, cut, _LOAD_TIMEOUT_S)))
        except (ReplayError, CoqSyntaxError) as error:
            raise InitError(f"{self._file}: the file does not replay: {error}") from None
        blocks: list[Block] = []
        opened: list[str] = []
        for sentence, goals in replayed:
            opened.append(sentence.text)
            if goals is None:
                blocks.append(_block(opened))
                opened = []
        return blocks

    def _index(self, name: str) -> int:
        found = (i for i, block in enumerate(self._blocks) if block.opaque and block.name == name)
        index = next(found, None)
        if index is None:
            raise InitError(f"{self._file}: {name} is no theorem with an opaque proof in it")
        return index

    def _checked(self, index: int, statement: str) -> list[str]:
        """Names of the proofs behind a theorem that check when it is this statement, admitted, in order.

        Raises:
            InitError: It cannot be stated.
        """
        done = self._admit(index, statement)
        checked: list[str] = []
        for block in self._blocks[index + 1 :]:
            if self._load(block.texts, done):
                checked.append(block.name)
            elif block.name:
                # Later proofs may use this one, and are asked about the candidate only.
                self._load((block.texts[0], _ADMITTED), done)
        return [name for name in checked if name]

    def _admit(self, index: int, statement: str) -> list[str]:
        """Go to a theorem and state it; what has been executed since the beginning of the file."""
        done = [text for block in self._blocks[:index] for text in block.texts]
        if self._prefix is None or self._prefix[0] != index or self._reloads(index):
            self._restart(done)
            assert self._top is not None
            self._prefix = index, self._top.tip
        assert self._top is not None
        self._top.edit_at(self._prefix[1])
        # Elaborating a hostile statement may take for ever, and so is limited; the rest is the library's.
        stated = f"Timeout {_STATEMENT_TIMEOUT_S} {statement}"
        try:
            _, failed = self._top.load([stated, _ADMITTED], 2 * _STATEMENT_TIMEOUT_S)
        except (DeadlineExceededError, ProcessDiedError) as error:
            self.close()
            raise InitError(str(error)) from None
        if failed is not None:
            raise InitError(" ".join(failed.message.split()))
        return [*done, statement, _ADMITTED]

    def _load(self, texts: Sequence[str], done: list[str]) -> bool:
        """Execute the sentences of a block behind those that are done, or none of them."""
        if self._top is None:
            self._restart(done)
        assert self._top is not None
        before = self._top.tip
        try:
            _, failed = self._top.load([executable(text) for text in texts], self._timeout_s)
        except (DeadlineExceededError, ProcessDiedError):
            self.close()
            return False
        if failed is None:
            done += texts
            return True
        self._top.edit_at(before)
        return False

    def _restart(self, texts: Sequence[str]) -> None:
        self.close()
        self._top = CoqIdeTop(self._project, self._file, self._limits)
        try:
            _, failed = self._top.load([executable(text) for text in texts], _LOAD_TIMEOUT_S)
        except (DeadlineExceededError, ProcessDiedError) as error:
            raise InitError(f"{self._file}: cannot be loaded again: {error}") from None
        if failed is not None:
            raise InitError(f"{self._file}: does not replay: {' '.join(failed.message.split())}")

    def _reloads(self, index: int) -> bool:
        later = (text for block in self._blocks[index + 1 :] for text in block.texts[:1])
        return any(_LOADS_PLUGIN.match(text, read_prefixes(text).end) for text in later)


def _block(texts: Sequence[str]) -> Block:
    if len(texts) == 1:
        return Block("", tuple(texts))
    command = read_command(texts[0])
    name = command.tokens[1].text if command.states_lemma and len(command.tokens) > 1 else ""
    return Block(name, tuple(texts), bool(name) and closing_keyword(texts[-1]) == "Qed")
