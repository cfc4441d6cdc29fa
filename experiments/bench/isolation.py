"""What keeping provers apart costs: starting one, and one tactic.

The same coqidetop in every sandbox that works here, over limits alone; the sandboxes take turns. A start is
from nothing to a Coq that answers, with its end. A tactic is a step of a session at the tip of one proof,
while the watch looks after all provers.

    start_NAME    seconds of a start in a sandbox / under limits alone
    step_NAME     seconds of a tactic in a sandbox / under limits alone

    python experiments/bench/isolation.py
"""

from __future__ import annotations

import functools
import json
import tempfile
import time
from pathlib import Path
from statistics import median

from _timing import interleaved_medians

from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.sandbox.isolation import SANDBOXES, trouble_of
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants
from ntp.sandbox.process import ChildProcess
from ntp.types import Reached, Span, Theorem

FILE = "Lists/List.v"
NUM_STARTS = 15
NUM_ROUNDS = 30
NUM_STEPS = 20
STATEMENT = "Lemma bench : forall a b c : nat, a + (b + c) = a + b + c."


def start(project: CoqProject, isolation: str) -> None:
    """One prover, from nothing to its end."""
    CoqIdeTop(project, FILE, Limits(isolation=isolation)).close()


class Stepper:
    """An environment with one theorem open."""

    def __init__(self, root: Path, isolation: str) -> None:
        theorem = Theorem("bench", "B.v", STATEMENT, Span(0, len(STATEMENT)), Span(len(STATEMENT), 0))
        self.env = CoqEnv(CoqProject(root), 60, Limits(isolation=isolation))
        self.session = self.env.open(theorem)
        self.state = self.session.root
        self.num_steps = 0

    def run(self) -> None:
        """Some steps, none of which was asked before."""
        for _ in range(NUM_STEPS):
            self.num_steps += 1
            outcome = self.session.step(self.state, f"pose proof (eq_refl {self.num_steps}) as _.")
            assert isinstance(outcome, Reached), outcome
            self.state = outcome.state


def look_us() -> float:
    """Microseconds that the watch needs for one prover, which it looks at ten times a second."""
    with ChildProcess(["cat"]) as child:
        child.exchange(b"x", b"x", 1, 10)
        seconds = []
        for _ in range(200):
            started = time.perf_counter()
            child.inspect()
            seconds.append(time.perf_counter() - started)
        assert len(descendants(child.pid)) == 1
    return 1e6 * median(seconds)


def main() -> None:
    project = standard_library()
    names = [name for name in SANDBOXES if not trouble_of(name)]
    starts = interleaved_medians(
        {name: functools.partial(start, project, name) for name in names}, NUM_STARTS
    )
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "B.v").write_text(f"{STATEMENT}\nProof. Admitted.\n")
        steppers = {name: Stepper(Path(directory), name) for name in names}
        steps = interleaved_medians({name: s.run for name, s in steppers.items()}, NUM_ROUNDS)
        for stepper in steppers.values():
            stepper.env.close()
    ratios: dict[str, float] = {}
    figures: dict[str, float] = {"look_us": look_us()}
    for name in names:
        figures[f"start_{name}_ms"] = 1000 * starts[name]
        figures[f"step_{name}_us"] = 1e6 * steps[name] / NUM_STEPS
        if name != "limits":
            ratios[f"start_{name}"] = starts[name] / starts["limits"]
            ratios[f"step_{name}"] = steps[name] / steps["limits"]
    print(json.dumps({"bench": "isolation", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
