"""Prove a theorem with the real Coq, and have the kernel check the whole proof."""

import tempfile
from pathlib import Path

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.types import Proved, Reached, Span, Theorem

STATEMENT = "Lemma add_0 (n : nat) : n + 0 = n."
TACTICS = ["induction n.", "reflexivity.", "simpl.", "rewrite IHn.", "reflexivity."]

with tempfile.TemporaryDirectory() as project:
    (Path(project) / "Demo.v").write_text(f"{STATEMENT}\nProof. auto. Qed.\n")
    end = len(STATEMENT)
    theorem = Theorem("Demo.add_0", "Demo.v", STATEMENT, Span(0, end), Span(end, end + 19))
    env = CoqEnvFactory(root=project)()
    session = env.open(theorem)
    state = session.root
    for tactic in TACTICS:
        print(state.text, "\n>", tactic)
        match session.step(state, tactic):
            case Reached(state):
                pass
            case Proved():
                print("proved; accepted by the kernel:", env.check_proof(theorem, TACTICS).accepted)
            case failure:
                raise SystemExit(f"the tactic failed: {failure}")
    env.close()
