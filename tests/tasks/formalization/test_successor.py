import json

import pytest

from ntp.errors import ConfigError, DataError
from ntp.jsonl import read_jsonl
from ntp.tasks.formalization import successor
from ntp.tasks.formalization.successor import Tested as Result
from ntp.tasks.formalization.successor import read_replacements, summarise

SOURCE = """
Lemma base n : n + 0 = n.
Proof. induction n; simpl; congruence. Qed.
Lemma user : 3 + 4 + 0 = 7.
Proof. rewrite base. reflexivity. Qed.
"""


class Silent:
    def log_artifact(self, path):
        assert path.exists()


@pytest.mark.coq
def test_candidates_are_tested_and_kept(make_context, tmp_path, monkeypatch):
    (tmp_path / "A.v").write_text(SOURCE)
    rows = [
        {"file": "A.v", "name": "base", "candidate": "forall n, n + 0 = n"},
        {"file": "A.v", "name": "base", "candidate": "forall n, n + 1 = n"},
        {"file": "A.v", "name": "base", "candidate": "nonsense"},
        {"file": "A.v", "name": "nowhere", "candidate": "True"},
        {"file": "B.v", "name": "base", "candidate": "True"},
    ]
    path = tmp_path / "candidates.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    context = make_context(
        "successor",
        f"data.path={path}",
        f"env.root={tmp_path}",
        "env.load_paths=[{flag: -R, directory: ., name: Own}]",
    )
    object.__setattr__(context, "mlflow", Silent())
    summary = successor.run(context)
    tested = list(read_jsonl(context.directory / "tested.jsonl", Result))
    assert [(len(t.users), len(t.broken), bool(t.reason), bool(t.error)) for t in tested] == [
        (1, 0, False, False),
        (1, 1, False, False),
        (1, 1, True, False),
        (0, 0, False, True),
        (0, 0, False, True),
    ]
    assert summary == {
        "num_candidates": 5,
        "num_with_users": 3,
        "num_ill_typed": 1,
        "num_error": 2,
        "num_users": 3,
        "num_all_kept": 1,
        "share_kept": pytest.approx(1 / 3),
    }
    monkeypatch.setattr(successor, "_test_file", None)
    assert successor.run(context) == summary


def test_without_users_there_is_no_share():
    assert "share_kept" not in summarise([Result("A.v", "a", "True", (), ())])


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no replacement"), ("{}", ":1: not a replacement"), ("\n{", ":2: not a replacement")],
)
def test_a_bad_row_is_one_line(tmp_path, text, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_replacements(path)


def test_a_missing_file_is_one_line(make_context):
    for overrides, message in (
        (["data.path=/nowhere"], "is no file"),
        (["data=coq_core"], "data=successors"),
    ):
        with pytest.raises(ConfigError, match=message):
            successor.TASK.check(make_context("successor", *overrides).cfg)
