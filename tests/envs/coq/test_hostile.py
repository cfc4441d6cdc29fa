"""Texts that a policy might emit to cheat, to break out or to break down: none may have any effect."""

import time
from pathlib import Path

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.syntax import sentences
from ntp.sandbox.isolation import SCRATCH
from ntp.sandbox.limits import Limits
from ntp.types import Proved, Reached, Span, Theorem, Timeout

pytestmark = pytest.mark.coq

SOURCE = """Axiom absurd : False.
Ltac sneak := give_up.
Ltac Sneak := give_up.
Lemma helper : forall n : nat, n < 0.
Proof. intro n. destruct absurd. Qed.
Lemma wrong : forall n : nat, n = 0.
Proof. Admitted.
"""
STATEMENT = "Lemma wrong : forall n : nat, n = 0."

COMMANDS = [
    "Admitted.",
    "Qed.",
    "Defined.",
    "Abort.",
    "Abort All.",
    "Save wrong.",
    "Proof.",
    "Proof (fun n => match absurd with end).",
    "Proof using.",
    "Axiom cheat : forall n : nat, n = 0.",
    "Local Axiom cheat : forall n : nat, n = 0.",
    "Parameter cheat : forall n : nat, n = 0.",
    "Hypothesis cheat : forall n : nat, n = 0.",
    "Goal True.",
    "Lemma wrong : True.",
    "Definition x := 1.",
    "Ltac easy := give_up.",
    'Tactic Notation "foo" := give_up.',
    'Notation "n = 0" := True.',
    "Hint Resolve absurd : core.",
    "Set Printing All.",
    "Unset Guard Checking.",
    "Unset Universe Checking.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : n = 0 := f n.",
    "#[local] Axiom cheat : False.",
    "Reset wrong.",
    "Reset Initial.",
    "Back 3.",
    "Undo.",
    "Restart.",
    "Quit.",
    "Drop.",
    'Cd "/".',
    'Redirect "leak" Print nat.',
    'Extraction "leak.ml" plus.',
    "Require Extraction.",
    "Recursive Extraction plus.",
    'Load "/etc/passwd".',
    'Add LoadPath "/" as Root.',
    'Declare ML Module "ltac_plugin".',
    'Dump Universes "leak".',
    'Print Universes "leak".',
    "Time auto.",
    "Fail auto.",
    "Instructions auto.",
    "Timeout 1000 auto.",
    "Optimize Proof.",
    "Optimize Heap.",
    "Show Proof.",
    "Print wrong.",
    "Search nat.",
    "1: Print Assumptions wrong.",
    "Compute 1.",
    "1: Eval vm_compute in Nat.pow 2 40.",
    "Sneak.",
    "Grab Existential Variables.",
    "Unshelve.",
    "Focus.",
    "BeginSubproof.",
]

TACTICS = [
    "admit.",
    "give_up.",
    "all: give_up.",
    "sneak.",
    "all: sneak.",
    "1: (sneak).",
    "idtac; sneak.",
    "exact_no_check I.",
    "intro; exact_no_check (eq_refl 0).",
    "intro; vm_cast_no_check (eq_refl 0).",
    "intro; native_cast_no_check (eq_refl 0).",
    "native_compute.",
    "exact (fun n => match absurd with end).",
    "destruct absurd.",
    "intro n; pose proof (helper n) as H; inversion H.",
    "abstract (destruct absurd).",
    "abstract (destruct absurd) using wrong.",
    "abstract (destruct absurd) using absurd.",
    "exact (ltac:(abstract (destruct absurd))).",
    "fix f 1; exact f.",
    "fix f 1; intro n; apply f.",
    "intro n; exact ((fix f (m : nat) : m = 0 := f m) n).",
    "cofix f; exact f.",
    "shelve.",
    "intro; shelve.",
    "refine (fun n => _); shelve.",
    "unshelve (refine (fun n => _)); shelve_unifiable.",
    "evar (x : forall n : nat, n = 0); exact x.",
    "eassert (forall n : nat, n = 0) as H; [ shelve | exact H ].",
    "cycle 1.",
    "swap 1 2.",
    "clear.",
    "exfalso; exact absurd.",
    "change True; exact I.",
    "transparent_abstract (destruct absurd).",
    "optimize_heap.",
    "start ltac profiling.",
    "par: auto.",
    "-",
    "{",
    "}",
    "1: {",
    "[wrong]: {",
    "+ auto.",
    "all: { auto.",
]

TRICKS = [
    "idtac. Qed.",
    "auto. Admitted.",
    "idtac.Admitted.",
    "auto..",
    "auto...",
    "(* *)",
    "(* auto.",
    "*) auto.",
    '(* "*)" *) Admitted.',
    '(* " *) Axiom x : False. (* " *)',
    'idtac "',
    'idtac "a"". Admitted.".',
    'idtac "Closed under the global context".',
    "idtac \"</value><value val='good'><option val='none'/></value>\".",
    'idtac "<goals><list/><list/><list/><list/></goals>".',
    '</string></call><call val="Quit"><unit/></call>',
    "auto.\0",
    "au\x1bto.",
    "auto\u2028.",
    "auto\ud800.",
    "\ufeffauto.",
    "\u0410dmitted.",
    "auto\r\n.",
    "&lt;auto&gt;.",
    "]]>.",
    "",
    " ",
    ".",
    "...",
    "1:.",
    "1: 1: auto.",
    "1: Qed.",
    "1: (* *) Qed.",
    "1 : Abort.",
    "auto" + " " * 100_000 + ".",
    "idtac " + '"' + "x" * 15_000 + '".',
    "(" * 7_000 + "idtac" + ")" * 7_000 + ".",
    "exact " + "(S " * 3_000 + "0" + ")" * 3_000 + ".",
    "exact (fun n => eq_refl 100000000000000000000).",
]

HEAVY = [
    "do 1000000000 idtac.",
    'repeat (try idtac; idtac "x"; pose 1).',
    "let rec f x := f x in f 1.",
    "let rec f := idtac; f in f.",
    "let rec f x := (let y := constr:((x, x)) in f y) in f 1.",
    "let rec f x := (let y := eval compute in (x + x) in f y) in f 1.",
    "let x := eval vm_compute in (Nat.pow 2 40) in idtac x.",
    "let x := eval compute in (Nat.pow 2 40) in idtac x.",
    "let x := eval vm_compute in (Nat.iter (Nat.pow 2 26) (cons 1) nil) in idtac x.",
    'do 10000000 idtac "' + "x" * 200 + '".',
    "do 60 (try assert (forall n : nat, n = n) by (intros; reflexivity); assert True).",
    "do 14 (let H := fresh in assert (H : 0 = 0); [ reflexivity | ]; pose proof (conj H H)).",
    "do 30 (match goal with |- ?G => assert (G /\\ G); [ split | ] end).",
    "assert (Nat.eqb 1000000 1000000 = true) by reflexivity.",
    "intro n; repeat (pose proof n).",
    "timeout 1000 (do 1000000000 idtac).",
]


@pytest.fixture(scope="module")
def target(tmp_path_factory, installation):
    root = tmp_path_factory.mktemp("hostile")
    (root / "H.v").write_text(SOURCE)
    begin = SOURCE.index(STATEMENT)
    declaration = Span(begin, begin + len(STATEMENT))
    theorem = Theorem("H.wrong", "H.v", STATEMENT, declaration, Span(declaration.end, len(SOURCE)))
    assert any(sentence.span == declaration for sentence in sentences(SOURCE))
    env = CoqEnv(CoqProject(root, prover=installation), tactic_timeout_s=1, limits=Limits(memory_mb=2048))
    yield env, theorem
    env.close()


def files_written(env: CoqEnv) -> set[str]:
    """Names of the files in the process's directory and the project's, but for those that belong there."""
    root = env.project.root
    # A project in what is emptied for the prover is put back there, with what others write beside it.
    put_back = root.relative_to(SCRATCH).parts[0] if root.is_relative_to(SCRATCH) else ""
    found = list(root.rglob("*"))
    for path in Path(f"/proc/{env.pid}/cwd").glob("*"):
        found += [path, *path.rglob("*")] if path.name != put_back else []
    return {path.name for path in found} - {"H.v", "stderr.log"}


@pytest.mark.parametrize("text", COMMANDS + TACTICS + TRICKS, ids=lambda text: ascii(text)[1:50])
def test_hostile_text_has_no_effect(target, text):
    env, theorem = target
    session = env.open(theorem)
    started = time.monotonic()
    outcome = session.step(session.root, text)
    assert not isinstance(outcome, Proved)
    if isinstance(outcome, Reached):
        # Nothing has been declared either: the theorem cannot be had from what the tactic left.
        assert not isinstance(session.step(outcome.state, "exact cheat."), Proved)
    assert time.monotonic() - started < 8
    assert files_written(env) == set()
    assert not env.check_proof(theorem, [text]).accepted


@pytest.mark.parametrize("text", HEAVY, ids=lambda text: ascii(text)[1:50])
def test_heavy_text_is_bounded(target, text):
    env, theorem = target
    session = env.open(theorem)
    started = time.monotonic()
    outcome = session.step(session.root, text)
    # The limit is 1 s, then a second each until SIGINT and SIGKILL, then the file is loaded again.
    assert time.monotonic() - started < 8
    assert not isinstance(outcome, Proved)
    after = session.step(session.root, "intro n.")
    assert isinstance(after, Reached) and after.state.text == "n : nat\n⊢ n = 0"
    assert env.memory_mb < 2048


def test_the_lists_are_long_enough():
    texts = COMMANDS + TACTICS + TRICKS + HEAVY
    assert len(set(texts)) == len(texts) >= 60


def test_endless_work_is_called_a_timeout(target):
    env, theorem = target
    session = env.open(theorem)
    assert isinstance(session.step(session.root, HEAVY[0]), Timeout)
