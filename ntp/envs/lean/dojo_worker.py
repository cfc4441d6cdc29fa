"""lean-dojo's Dojo behind JSON lines: a script that runs in its own process.

When it is imported, lean-dojo configures the root logger, reads `.env` files and, with a token in the
environment, uses the network; it also prints to stdout. So it runs in this process, with a cleaned
environment, and answers are written to a separate descriptor. Requests and their answers:

    {"op": "open", "url", "commit", "file", "name", "timeout_s"}
        {"state": 0, "goals": TEXT}, {"init_error": TEXT} or {"env_error": TEXT}
    {"op": "step", "state", "tactic"}
        {"state", "goals"}, {"proved": true}, {"error": TEXT}, {"given_up": true} or {"timeout": true}
    {"op": "check", "name", "proof"}
        {"accepted": BOOL, "said": TEXT}; the text is Lean's output, with the axioms

Only opening a theorem and importing lean-dojo are answered with `env_error`. Any other exception that a
tactic or a proof causes in lean-dojo ends the worker, since its Dojo may then be out of step (lean-dojo
asserts conditions that model-written text can break). A new worker starts clean, so only that tactic fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, TextIO


class DojoWorker:
    """Answers requests about one theorem at a time."""

    def __init__(self) -> None:
        import lean_dojo

        self._lib = lean_dojo
        self._dojo: Any = None
        self._theorem: Any = None
        self._states: dict[int, Any] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request. After an exception only `leave` may be called."""
        match request["op"]:
            case "open":
                return self._open(request)
            case "step":
                return self._step(request)
            case "check":
                return self._check(request)
        raise ValueError(request["op"])

    def leave(self) -> None:
        """End the Lean process of the open theorem."""
        if self._dojo is not None:
            self._dojo.__exit__(None, None, None)
            self._dojo = None

    def _open(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self.leave()
            repo = self._lib.LeanGitRepo(request["url"], request["commit"])
            self._theorem = self._lib.Theorem(repo, request["file"], request["name"])
            dojo = self._lib.Dojo(self._theorem, timeout=request["timeout_s"])
        except Exception as error:  # lean-dojo wraps no exception of requests, git or GitHub
            return {"env_error": f"{type(error).__name__}: {error}"}
        try:
            entered: Any = dojo.__enter__()
        except self._lib.DojoInitError as error:
            return {"init_error": str(error)}
        except Exception as error:  # tracing needs git, the network and a Lean that lean-dojo knows
            return {"env_error": f"{type(error).__name__}: {error}"}
        self._dojo, state = entered
        self._states = {state.id: state}
        return {"state": state.id, "goals": state.pp}

    def _step(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self._dojo.run_tac(self._states[request["state"]], request["tactic"])
        except self._lib.DojoTacticTimeoutError:
            # A late answer would be mistaken for the next one, so this Dojo is not used any more.
            self.leave()
            return {"timeout": True}
        match type(result).__name__:
            case "TacticState":
                self._states[result.id] = result
                return {"state": result.id, "goals": result.pp}
            case "ProofFinished":
                return {"proved": True}
            case "ProofGivenUp":
                return {"given_up": True}
        return {"error": result.error}

    def _check(self, request: dict[str, Any]) -> dict[str, Any]:
        from lean_dojo.interaction import dojo

        outputs: list[str] = []
        execute: Any = dojo.execute

        def record_output(*args: Any, **kwargs: Any) -> Any:
            output, errors = execute(*args, **kwargs)
            outputs.append(output)
            return output, errors

        # check_proof returns whether Lean accepted the proof, but not Lean's output.
        dojo.execute = record_output
        try:
            query = f"\n\n#print axioms _root_.{request['name']}"
            accepted = dojo.check_proof(self._theorem, request["proof"] + query)
        except self._lib.DojoInitError as error:
            return {"accepted": False, "said": str(error)}
        finally:
            dojo.execute = execute
        return {"accepted": bool(accepted), "said": "\n".join(outputs)}


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever is printed from here on, by git or Lake too, is no answer.
    os.dup2(2, 1)
    worker: DojoWorker | None = None
    for line in sys.stdin:
        if worker is None:
            try:
                worker = DojoWorker()
            except Exception as error:  # an import may raise anything
                _write(answers, {"env_error": f"{type(error).__name__}: {error}"})
                continue
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            with contextlib.suppress(Exception):
                worker.leave()
            sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))
        _write(answers, answer)


def _write(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
