"""Every class of repair, on errors that the real Coq reports, and what must not be repaired."""

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError
from ntp.search.repair.catalogue import REPAIRS, repairs_named
from ntp.search.repair.loop import RepairLoop
from ntp.search.repair.references import closest

pytestmark = pytest.mark.coq

SOURCE = """
Require Import Lia.
Lemma add_zero_right (n : nat) : n + 0 = n.
Proof. induction n; simpl; auto. Qed.
Lemma add_swap (n m : nat) : n + m = m + n.
Proof. lia. Qed.

Lemma goal (n m : nat) (H : n = m) : n + 0 = m /\\ (True /\\ m + n = n + m).
Proof. rewrite H. rewrite add_zero_right. auto. Qed.
"""
NAMES = ("A.add_zero_right", "A.add_swap", "Coq.Init.Peano.plus_n_O")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "A.v").write_text(SOURCE)
    return CoqEnv(CoqProject(root))


@pytest.fixture
def repair(opened, proofs):
    (theorem,) = [t for t, _ in proofs("A.v", SOURCE) if "Lemma goal" in t.statement]

    def run(text, *kinds, max_repairs=8):
        result = opened.check_script(theorem, text)
        loop = RepairLoop(
            repairs_named(kinds),
            CoqEnvFactory.syntax,
            lambda script: opened.check_script(theorem, script),
            NAMES,
            max_repairs,
            max_candidates=20,
        )
        log = []
        final, after = loop.run(text, result, log)
        return final, after, log

    return run


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        ("unknown_reference", "subst. split. rewrite add_zero_r. easy. split. easy. apply addswap."),
        ("unknown_reference", "subst. split. - apply eq_sym, plus_n_0. - split; [easy | apply add_swap]."),
        ("unknown_reference", "rewrite H0. split. apply add_zero_right. easy."),
        ("name_in_use", "intros n m H. subst. split. apply add_zero_right. easy."),
        ("name_in_use", "intros. assert (H : m = n) by auto. subst. split. apply add_zero_right. easy."),
        ("name_in_use", "intros x y z. subst. split. apply add_zero_right. easy."),
        ("bullets", "subst. split. - apply add_zero_right. easy."),
        ("bullets", "subst. split. - apply add_zero_right. + easy."),
        ("bullets", "subst. split. - apply add_zero_right. - split. - easy. - lia."),
        ("bullets", "subst. split. - rewrite add_zero_right. - easy."),
        ("bullets", "subst. split. { apply add_zero_right. easy."),
        ("bullets", "subst. split. apply add_zero_right. easy. reflexivity. auto."),
        ("misfit", "subst. split. exact add_zero_right. easy."),
        ("misfit", "subst. split. apply (add_zero_right m m). split. easy. apply add_swap."),
        ("misfit", "rewrite H. rewrite H. split. apply add_zero_right. split; [easy | lia]."),
        ("closing", "subst. split. reflexivity. easy."),
        ("closing", "subst. split. apply add_zero_right. split."),
    ],
)
def test_each_class_closes_what_it_is_for(repair, kind, script):
    before = repair(script)
    assert not before[1].verdict.accepted and not before[2], "without repairs nothing is changed"
    final, after, log = repair(script, kind)
    assert after.verdict.accepted, (final, after.verdict.reason, log)
    assert {entry.kind for entry in log} == {kind} and any(entry.accepted for entry in log)


def test_an_answer_that_was_cut_off_loses_its_last_sentence(repair):
    _, after, log = repair("Proof. subst. split. - apply add_zero_right. - split; auto", "closing", "bullets")
    assert after.verdict.accepted
    assert log[0].kind == "truncated" and log[0].accepted


@pytest.mark.parametrize(
    "script",
    [
        "admit. Admitted.",
        "subst. split. admit. Admitted.",
        "Abort. Lemma easier : True. exact I. Qed.",
        "exact (fun _ => I).",
        "subst. Axiom cheat : False. destruct cheat.",
        "",
        "(* nothing",
        "split. " * 30,
    ],
)
def test_no_repair_makes_a_proof_of_none(repair, script):
    final, after, _ = repair(script, *REPAIRS)
    if after.verdict.accepted:  # what was written is gone, and the kernel has a proof
        assert not after.verdict.axioms
        assert not any(word in final for word in ("admit", "Admitted", "Axiom", "Abort"))


def test_a_repair_that_is_refused_is_in_the_log_and_ends_the_script(repair):
    _, after, log = repair("exfalso. easy. auto.", "closing")
    assert not after.verdict.accepted and after.accepted == ("exfalso.",)
    (entry,) = log
    assert entry.num_candidates > 3 and entry.before == "easy." and not entry.accepted


def test_names_are_near_by_parts_and_letters():
    names = ["Coq.Lists.List.app_nil_r", "Coq.Lists.List.app_nil_l", "Coq.Lists.List.rev_app_distr", "H"]
    assert closest("app_nil_right", names)[:2] == names[:2]
    assert closest("List.rev_append_distr", names)[0] == names[2]
    assert closest("H1", names)[0] == "H"


def test_unknown_classes_are_one_line():
    with pytest.raises(ConfigError, match="there is no bulets; choose some of unknown_reference, "):
        repairs_named(["bulets"])
