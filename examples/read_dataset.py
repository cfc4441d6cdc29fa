"""Print the first theorems of a data set, with their first state and tactic: read_dataset.py DIRECTORY."""

import sys
from itertools import islice
from pathlib import Path

from ntp.data.dataset import Dataset

dataset = Dataset.load(Path(sys.argv[1]))
print(f"{dataset.metadata.num_theorems} theorems, {dataset.metadata.num_steps} tactics")
for record in islice(dataset.records.values(), 3):
    print("\n" + record.theorem.statement)
    for step in record.steps[:1]:
        print(step.state, "\n>", step.tactic)
