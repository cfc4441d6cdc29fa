"""Chat data: the user shows a proof state, the assistant answers with the whole proof in a fenced block.

A row is `{"messages": [{"role", "content"}, ...]}`, as TRL and xtuner read it, and `metadata`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ntp.data.formats.source_file import Proof

_FENCES = {"coq": "coq", "lean": "lean", "lean3": "lean"}
_TASK = {
    "coq": "Prove this goal in Coq. Answer with the proof, from `Proof.` to `Qed.`, in one block of code.",
    "lean": "Prove this goal in Lean 4. Answer with the proof in one block of code.",
    "lean3": "Prove this goal in Lean 3. Answer with the proof in one block of code.",
}


def chat_example(
    proof: Proof, premises: Sequence[str] | None, project: str, split: str
) -> dict[str, Any] | None:
    """The conversation about a theorem.

    Args:
        proof: The theorem.
        premises: Statements that it may use, shown after the goal; None to show none.
        project: Name of the repository.
        split: Part of the split that the theorem is in.

    Returns:
        None where the proof's text is unknown, ends otherwise than by `Qed`, or has no tactics.
    """
    record = proof.record
    if proof.proof is None or not record.steps or (record.prover == "coq" and record.closing != "Qed"):
        return None
    answer = (
        proof.proof if record.prover != "coq" or proof.proof.startswith("Proof") else f"Proof.\n{proof.proof}"
    )
    user = f"{_TASK[record.prover]}\n\n{_shown(proof)}"
    if premises is not None:
        user += "\n\nPremises:\n" + "\n".join(premises)
    return {
        "messages": [
            {"role": "user", "content": user},
            {"role": "assistant", "content": f"```{_FENCES[record.prover]}\n{answer}\n```"},
        ],
        "metadata": {"project": project, "file": record.theorem.file, "declId": proof.id, "split": split},
    }


def _shown(proof: Proof) -> str:
    goal = proof.record.steps[0].before
    hypotheses = "\n".join(goal.hypotheses) or "(none)"
    return f"Hypotheses:\n{hypotheses}\n\nGoal:\n{goal.conclusion}"
