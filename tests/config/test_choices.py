import subprocess
import sys

import pytest

from ntp.config.choices import check_choices, help_text
from ntp.config.paths import CONFIG_DIR
from ntp.config.register import experiment_names
from ntp.errors import ConfigError


def test_help_lists_what_can_be_chosen_and_what_it_is_for():
    text = help_text(CONFIG_DIR)
    assert "schema" not in text
    # Experiments stand first; a group of options may have the name of one.
    lines = {
        line.split()[0]: line.split(maxsplit=1)[1]
        for line in reversed(text.splitlines())
        if line.startswith("  ")
    }
    assert set(experiment_names()) <= set(lines)
    assert all(len(lines[name]) > 20 for name in experiment_names())
    assert "tb" in lines["loss"] and "llemma7b" in lines["model"]


def test_help_starts_neither_hydra_nor_torch():
    code = "import sys, ntp.run; sys.argv[1:] = ['--help']; ntp.run.main()"
    code += "; print({'hydra', 'torch'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("argument", "advice"),
    [
        ("+experiment=gfn", "did you mean gfn_tb"),
        ("model=llema7b", "did you mean llemma7b"),
        ("search=[samplin]", "did you mean sampling?"),
        ("loss=tb,vargard", "did you mean vargrad?"),
        ("/loss@x=zzz", None),
        ("reward=zzz", "choose one of kernel, verifier_ensemble, verifier_only"),
        ("hydra/launcher=slurm_gpu", "slurm_1gpu"),
    ],
)
def test_a_wrong_option_names_the_nearest(argument, advice):
    if advice is None:
        check_choices([argument], CONFIG_DIR)
        return
    with pytest.raises(ConfigError) as error:
        check_choices([argument], CONFIG_DIR)
    assert advice in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments", [["loss=mine", "--config-dir", "x"], ["loss=${x}"], ["hydra/launcher=basic"], ["search=[]"]]
)
def test_what_may_be_right_is_left_to_hydra(arguments):
    check_choices(arguments, CONFIG_DIR)
