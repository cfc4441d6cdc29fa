"""Templates, and contexts cut by tokens."""

import pytest
import yaml

from ntp.data.formats.prompts import KINDS, TEMPLATES, cut, is_honest, read_templates
from ntp.errors import ConfigError

LETTERS = (list, "".join)


def test_every_kind_has_a_template():
    assert read_templates().keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("prompt", "{goal}", "state_tactic.prompt: no field goal"),
        ("completion", "{state}", "state_tactic.completion: no field state"),
        ("prompt", "{state", "state_tactic.prompt: expected '}'"),
    ],
)
def test_a_template_with_a_mistake_is_named(tmp_path, part, text, message):
    content = yaml.safe_load(TEMPLATES.read_text())
    content["state_tactic"][part] = text
    path = tmp_path / "templates.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"templates\.yaml") as caught:
        read_templates(path)
    assert message in str(caught.value)


def test_a_short_context_is_whole():
    assert cut("abcdef", 6, LETTERS, "coq", 0) == "abcdef"
    assert cut("abcdef", 0, LETTERS, "coq", 0) == "abcdef"


def test_a_long_context_is_its_end_or_its_two_ends():
    seen = {cut("abcdefghij", 4, LETTERS, "coq", seed) for seed in range(20)}
    assert seen == {"ghij", "ab\n\n(* ... the middle of the file is left out ... *)\n\nij"}
    assert cut("abcdefghij", 4, LETTERS, "coq", 3) == cut("abcdefghij", 4, LETTERS, "coq", 3)


def test_what_admits_is_not_honest():
    assert is_honest("Proof. apply admitted_rule. Qed.")
    assert not is_honest("Proof. admit. Admitted.")
    assert not is_honest("by sorry")
