"""Sample tactics for a state from a trained policy: sample_tactics.py RUN_DIRECTORY "STATE"."""

import sys
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from ntp.policy.prompt import SampleRequest, SamplingParams

directory, state = Path(sys.argv[1]), sys.argv[2]
policy = instantiate(OmegaConf.load(directory / "config.yaml").model).load(directory / "policy").eval()
(tactics,) = policy.sample([SampleRequest(state, tuple(SamplingParams(seed) for seed in range(8)))])
for tactic in sorted(tactics, key=lambda t: -t.log_prob):
    print(f"{tactic.log_prob:8.2f}  {tactic.text}")
