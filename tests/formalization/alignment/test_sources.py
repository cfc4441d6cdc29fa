import shutil

import pytest

from ntp.errors import DataError
from ntp.formalization.alignment.sources import installed, provers
from ntp.formalization.alignment.sources.commented import commented_pairs
from ntp.formalization.alignment.sources.documents import Document, chars_of, pieces, sample
from ntp.formalization.records import TEST, TRAIN


def test_a_sample_has_different_texts_of_the_whole_source():
    documents = [Document(f"text {i // 2}", str(i)) for i in range(2000)]
    found = sample(documents, 900, "test")
    assert len({d.text for d in found}) == len(found)
    assert 900 <= chars_of(found) < 910
    assert max(int(d.origin) for d in found) > 1500  # not the first ones
    assert found == sample(documents, 900, "test")


def test_pieces_hold_all_of_a_text():
    text = "one\ntwo\n" + "x" * 25 + "\n\nthree"
    assert pieces(text, 10) == ["one\ntwo", "x" * 10, "x" * 10, "xxxxx", "three"]


def test_pairs_are_mined_from_comments(tmp_path):
    (tmp_path / "A.v").write_text(
        "(** * A heading of this file *)\nLemma not_this : True. Proof. exact I. Qed.\n"
        "(** Addition of [nat]\n    is commutative. *)\nLemma comm :\n  forall n m : nat, n + m = m + n.\n"
        "(* No documentation comment *)\nLemma nor_this : True.\n"
        "(** The statement is cut off here *)\nLemma nor_that : True"
    )
    (pair,) = commented_pairs([tmp_path], 0.0)
    assert pair.informal == "Addition of [nat] is commutative."
    assert pair.formal == "Lemma comm : forall n m : nat, n + m = m + n."
    assert pair.split == TRAIN
    assert [p.split for p in commented_pairs([tmp_path], 1.0)] == [TEST]


def test_python_with_and_without_documentation_is_of_different_modules(monkeypatch, tmp_path):
    for i in range(8):
        (tmp_path / f"m{i}.py").write_text(
            f'def f{i}(value):\n    """Return {i} more than the value."""\n'
            f"    return sum([value, {i}, 0, 0])  # comment\n"
        )
    (tmp_path / "wrong.py").write_text("def f(:\n")
    monkeypatch.setattr(installed.sysconfig, "get_path", lambda _: str(tmp_path))
    documented, plain = (list(installed.python(documented=flag)) for flag in (True, False))
    assert documented and plain and len(documented) + len(plain) == 8
    assert not {d.origin for d in documented} & {d.origin for d in plain}
    assert all("Return" in d.text for d in documented)
    assert not any("Return" in d.text or "comment" in d.text for d in plain)


def test_files_are_cut_at_blank_lines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"first paragraph that is long enough to be kept\n\n\xff" + b"y" * 50)
    first, second = installed.files([str(tmp_path / "a.txt")])
    assert first.text == "first paragraph that is long enough to be kept"
    assert second.text.startswith("\ufffd")
    with pytest.raises(DataError, match="cannot be read"):
        list(installed.files([str(tmp_path / "none.txt")]))


def test_what_is_installed_is_found():
    assert len(list(installed.documentation())) > 100
    assert any("Elab" in document.text for document in installed.lean())


@pytest.mark.coq
def test_proof_terms_are_what_coq_prints():
    names = ["Coq.Lists.List.rev_involutive", "Coq.Lists.List.no_such_lemma", "Coq.Lists.List.app_nil_l"]
    found = list(provers.proof_terms({"Coq.Lists.List": names}, 10_000))
    assert [document.origin for document in found] == [names[0], names[2]]
    assert found[0].text.startswith("List.rev_involutive = fun (A : Type) (l : list A) => list_ind")
    assert "Arguments" not in found[0].text


@pytest.mark.coq
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("coqc") is None, reason="needs Coq")
def test_the_hammer_writes_formulas():
    found = list(provers.tptp())
    assert len(found) > 100
    assert all(document.text.startswith("fof(") for document in found)
