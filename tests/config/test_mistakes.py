"""Mistakes on the command line, through Hydra itself."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from ntp.config.mistakes import one_line
from ntp.config.paths import CONFIG_DIR
from ntp.config.register import register


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainer.max_stpes=3", "trainer.max_stpes: there is no such option; did you mean max_steps"),
        ("model.hiden_size=3", "model.hiden_size: there is no such option; did you mean hidden_size"),
        ("modle.hidden_size=3", "modle: there is no such option; did you mean"),
        ("loss.zzz=1", "loss.zzz: there is no such option; choose one of"),
        ("model.hidden_size=abc", "model.hidden_size: value 'abc' of type 'str' could not be converted"),
        ("model.hidden_size", "model.hidden_size cannot be read as key=value: "),
        ("x=[1", "x=[1 cannot be read as key=value: "),
        ("~model.nope", "'model.nope' does not exist"),
    ],
)
def test_one_line_says_what_is_wrong_and_what_to_do(override, expected):
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"), pytest.raises(HydraException) as error:
        compose("config", ["+experiment=gfn_tb", override])
    line = one_line(error.value)
    assert expected in line and "\n" not in line


def test_the_command_line_prints_that_line_and_nothing_else():
    command = [sys.executable, "-m", "ntp.run", "+experiment=sft", "trainer.max_stpes=3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: trainer.max_stpes: there is no such option; did you mean max_steps or max_time?\n"
    )
