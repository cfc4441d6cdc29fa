"""A stand-in for Lean in tests: the REPL's protocol, or that of our LeanDojo worker, over a small sound
kernel.

python tests/standin [--dojo FILE] [--quote CHAR] [--old] [--fault NAME@N] ...

--dojo FILE     speak the JSON lines of ntp.envs.lean.dojo_worker over the theorems of a JSON file
--quote CHAR    how `sorry` is quoted in the warning
--old           without proofStatus, as REPLs before 2025
--fault NAME@N  a fault at the N-th request: hang, exit137, badjson, noise, partial, long, ...
--stderr TEXT   say so and end with status 1, as a REPL of another toolchain or a broken project
--marker FILE   a file that faults leave behind, and that keeps them from happening again
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import commands
from kernel import KernelError, check
from syntax import ParseError, tokenize
from tactics import FaultError, State, TacticFailedError, Tactics, proof_term

LONG = 200 * 1024


class Repl:
    """The state of leanprover-community/repl: every environment and every proof state there ever was."""

    def __init__(self, with_status):
        self.envs, self.states = [], []
        self.with_status = with_status

    def answer(self, request):
        if "tactic" in request:
            return self.tactic(request["tactic"], request["proofState"])
        if "pickleTo" in request:
            Path(request["pickleTo"]).write_text(commands.dump(self.envs[request["env"]]))
            return {"env": request["env"]}
        if "unpickleEnvFrom" in request:
            return {"env": self.keep(self.envs, commands.load(Path(request["unpickleEnvFrom"]).read_text()))}
        if "cmd" in request:
            return self.command(request["cmd"], request.get("env"), request.get("allTactics", False))
        return {"message": "Could not parse as a valid JSON command:\nproperty not found: path"}

    def command(self, text, number, all_tactics):
        if number is not None and number >= len(self.envs):
            return {"message": "Unknown environment."}
        before = commands.Env() if number is None else self.envs[number]
        result = commands.run(text, before, imports_allowed=number is None)
        sorries = []
        for state, tok in result.sorries:
            left = self.keep(self.states, (before, state.goals[0], state))
            end = {"line": tok.line, "column": tok.column + 5}
            place = {"pos": {"line": tok.line, "column": tok.column}, "endPos": end}
            sorries.append({"proofState": left, "goal": str(state.goals[0]), **place})
        tactics = [self.elaborated(entry) for entry in result.tactics] if all_tactics else []
        said = {"sorries": sorries, "tactics": tactics, "messages": result.messages}
        return {
            **{key: value for key, value in said.items() if value},
            "env": self.keep(self.envs, result.env),
        }

    def elaborated(self, entry):
        """A tactic as `allTactics` reports it: printed anew, all goals in one text."""
        first, last = entry.toks[0], entry.toks[-1]
        return {
            "usedConstants": list(entry.used),
            "tactic": " ".join(tok.text for tok in entry.toks),
            "proofState": self.keep(self.states, (entry.env, entry.root, entry.state)),
            "pos": {"line": first.line, "column": first.column},
            "goals": "\n".join(map(str, entry.state.goals)) or "no goals",
            "endPos": {"line": last.line, "column": last.column + len(last.text)},
        }

    def tactic(self, text, number):
        if number >= len(self.states):
            return {"message": "Unknown proof state."}
        env, root, state = self.states[number]
        try:
            after = Tactics(env).run_text(tokenize(text), replace(state, sorries=(), errors=()))
        except (TacticFailedError, ParseError, KernelError) as error:
            return {"message": f"Lean error:\n{error}"}
        errors = [
            {
                "severity": "error",
                "pos": {"line": 0, "column": 0},
                "endPos": {"line": 0, "column": 0},
                "data": e,
            }
            for e in after.errors
        ]
        sorries = [
            {"proofState": self.keep(self.states, (env, root, State(()))), "goal": g} for g in after.sorries
        ]
        said = {"sorries": sorries, "messages": errors}
        reply = {key: value for key, value in said.items() if value}
        if self.with_status:
            reply["proofStatus"] = status(env, root, after)
        reply["proofState"] = self.keep(self.states, (env, root, after))
        reply["goals"] = [str(goal) for goal in after.goals]
        return reply

    @staticmethod
    def keep(things, thing):
        things.append(thing)
        return len(things) - 1


def status(env, root, state):
    if state.goals:
        return "Incomplete: open goals remain"
    try:
        axioms = check(env, root.context, proof_term(state), root.target)
    except KernelError as error:
        if "metavariables" in str(error):
            return "Incomplete: contains metavariable(s)"
        return f"Error: kernel type check failed: (kernel) {error}"
    return "Incomplete: contains sorry" if "sorryAx" in axioms or state.errors else "Completed"


class Dojo:
    """The requests of our LeanDojo worker: one theorem, its states by number."""

    def __init__(self, source):
        self.source = source
        self.states, self.env, self.root = [], commands.Env(), None

    def answer(self, request):
        match request["op"]:
            case "open":
                found = self.source.get(request["name"])
                if found is None:
                    return {"init_error": f"Failed to locate the theorem with `{request['name']}`"}
                (state, _), *_ = commands.run(f"{found} := by sorry", self.env, True).sorries
                self.root, self.states = state.goals[0], [state]
                return {"state": 0, "goals": str(self.root)}
            case "step":
                return self.step(request["tactic"], self.states[request["state"]])
            case "check":
                text = (
                    f"{self.source[request['name']]} := {request['proof']}\n#print axioms {request['name']}"
                )
                result = commands.run(text, self.env, True)
                errors = [m["data"] for m in result.messages if m["severity"] == "error"]
                said = [m["data"] for m in result.messages if m["severity"] == "info"]
                return {"accepted": not errors, "said": "\n".join([*errors, *said])}

    def step(self, text, state):
        try:
            after = Tactics(self.env).run_text(tokenize(text), replace(state, sorries=(), errors=()))
        except (TacticFailedError, ParseError, KernelError) as error:
            return {"error": str(error)}
        if after.goals:
            self.states.append(after)
            return {"state": len(self.states) - 1, "goals": "\n\n".join(map(str, after.goals))}
        said = status(self.env, self.root, after)
        if said == "Completed":
            return {"proved": True}
        return {"given_up": True} if "sorry" in said else {"error": said}


def requests(stream):
    """Texts ended by a blank line."""
    lines = []
    for line in stream:
        if line.strip():
            lines.append(line.rstrip("\n"))
        elif lines:
            yield "".join(lines)
            lines = []


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def fault(name, reply):
    """Do harm in place of a plain answer, or before it."""
    match name:
        case "hang":
            while True:
                time.sleep(60)
        case "spin":
            while True:
                pass
        case "exit137":
            os._exit(137)
        case "kill":
            os.kill(os.getpid(), 9)
        case "badjson":
            write('{"proofState": 1, "goals": [\n\n')
        case "partial":
            write('{"proofStatus": "Comp')
            os._exit(1)
        case "noise":
            reply = reply or json.dumps({"message": "Lean error:\nafter noise"})
            write(f"info: [1/2] Building\nwarning: {{unused}}\n\n\n{reply}\n\n")
        case "memory":
            blocks = []
            while True:
                blocks.append(bytearray(1 << 26))
        case "long":
            write(json.dumps({"message": "Lean error:\n" + "x" * LONG}) + "\n\n")
        case "endless":
            while True:
                write("x" * (1 << 20))
        case "child":
            # A grandchild in the same group, which must not outlive the request.
            if os.fork() == 0:
                time.sleep(60)
            fault("hang", reply)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dojo", default="")
    parser.add_argument("--quote", default="`")
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--stderr", default="")
    parser.add_argument("--marker", default="")
    options = parser.parse_args()
    if options.stderr:
        print(options.stderr, file=sys.stderr)
        sys.exit(1)
    sys.setrecursionlimit(100_000)
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="surrogatepass")
    commands.SORRY_QUOTE = options.quote
    faults = dict(text.split("@")[::-1] for text in options.fault)
    if options.dojo:
        machine, texts = Dojo(json.loads(Path(options.dojo).read_text())), map(str.strip, sys.stdin)
    else:
        machine, texts = Repl(with_status=not options.old), requests(sys.stdin)
    end = "\n" if options.dojo else "\n\n"
    for number, text in enumerate(texts, 1):
        name, reply = faults.get(str(number)), ""
        try:
            reply = json.dumps(machine.answer(json.loads(text)), ensure_ascii=False)
        except FaultError as error:
            name = error.name
        if name and options.marker:
            if Path(options.marker).exists():
                name = None
            Path(options.marker).touch()
        if name:
            fault(name, reply)
        else:
            write(reply + end)


if __name__ == "__main__":
    main()
