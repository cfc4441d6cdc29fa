"""Shared by all tests."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# An example takes as long as the machine lets it.
settings.register_profile("ntp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ntp")

# On few cores, many small multi-threaded operations mostly wait for one another. Without the variable
# Lightning's strategies would set another number of threads, for all tests after them too.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# What a shell runs in the background is deaf to Ctrl-C, and so would be the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Fixtures that tests in several folders use.
pytest_plugins = [
    f"tests.fixtures.{name}"
    for name in ("github", "lake", "openai_server", "oracle", "provers", "results", "tasks", "tracking")
]

WARM_TIMEOUT_S = 580.0

# Folders of slow files, in the order in which they are run; all others come after them.
SLOW_FIRST = ("smoke", "tracking", "envs", "workflow", "conf", "tasks")

# Tests start a SLURM of their own and leave one that is configured alone.
SLURM_PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged", "setpriv")

REQUIREMENTS = {
    "coq": (lambda: shutil.which("coqidetop.opt") is not None, "Coq is missing: apt-get install coq"),
    "gpu": (torch.cuda.is_available, "no CUDA device"),
    "lean": (lambda: shutil.which("lake") is not None, "Lean is missing: no lake on PATH"),
    "slurm": (
        lambda: all(shutil.which(p, path=f"{os.environ['PATH']}:/usr/sbin") for p in SLURM_PROGRAMS),
        "SLURM is missing: apt-get install slurm-wlm munge",
    ),
}


class Warm:
    """Runs modules in forks of a process that has imported everything (see warm.py)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, module: str, *arguments: str, **variables: str) -> int:
        """Start `python -m module arguments` with some environment variables; returns the process id."""
        return self._ask(
            module=module,
            arguments=arguments,
            environment={**os.environ, **variables},
            cwd=str(Path.cwd()),
            directory=str(self._directory),
        )

    def wait(self, pid: int) -> subprocess.CompletedProcess[str]:
        """How a process has ended and what it said; it is killed when it takes too long."""
        killer = threading.Timer(WARM_TIMEOUT_S, os.kill, [pid, signal.SIGKILL])
        killer.start()
        status = self._ask(wait=pid)
        killer.cancel()
        said = [(self._directory / f"{pid}.{name}").read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess([], status, *said)

    def run(self, module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.wait(self.start(module, *arguments, **variables))

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _ask(self, **request) -> int:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="session")
def warm(tmp_path_factory) -> Iterator[Warm]:
    warm = Warm(tmp_path_factory.mktemp("warm"))
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """The directory of a pretrained model: a small Mistral with grouped-query attention and its tokenizer."""
    from transformers import MistralConfig, MistralForCausalLM

    from ntp.models.tokenizer import train_tokenizer

    directory = tmp_path_factory.mktemp("pretrained") / "small"
    tokenizer = train_tokenizer(["intros n. induction n; auto."] * 4, 280)
    config = MistralConfig(
        vocab_size=288,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        initializer_range=0.15,
        sliding_window=None,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MistralForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def byt5(tmp_path_factory):
    """The directory of a model of ByT5's architecture with its real tokenizer, small and random."""
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    directory = tmp_path_factory.mktemp("byt5") / "small"
    config = T5Config(
        vocab_size=384,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        dropout_rate=0.1,
        decoder_start_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config)
        # ByT5's output layer is not its embedding, as transformers builds it.
        model.lm_head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
    model.save_pretrained(directory)
    ByT5Tokenizer().save_pretrained(directory)
    return directory


def pytest_collection_modifyitems(items):
    """Skip what this machine cannot run, and say why; the slow ones first."""
    # A slow file that comes last has one process at work while the others have nothing to do.
    ranks = {name: rank for rank, name in enumerate(SLOW_FIRST)}
    tests = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(tests).parts[0], len(ranks)))
    for name, (available, reason) in REQUIREMENTS.items():
        if not available():
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish():
    """What has been imported stays: the garbage collector need not look at it in every test."""
    gc.collect()
    gc.freeze()


SHARED_DATA = Path(os.environ.get("NTP_SHARED_DATA", Path(__file__).parents[2] / "shared/data"))


@pytest.fixture(scope="session")
def shared_data():
    """Gives the path of published data beside the checkout; skips the test where it is not there."""

    def find(name):
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"no {path}: NTP_SHARED_DATA says where such data lies")
        return path

    return find


def premise_use(name, path, line, column=1):
    return {
        "full_name": name,
        "def_path": path,
        "def_pos": [line, column],
        "def_end_pos": [line, column + 3],
    }


def traced_tactic(tactic, before, after, *uses):
    return {
        "tactic": tactic,
        "annotated_tactic": [tactic, list(uses)],
        "state_before": before,
        "state_after": after,
    }


def traced_theorem(name, path, line, *tactics):
    return {
        "url": "https://example.org/project",
        "commit": "c0ffee",
        "file_path": path,
        "full_name": name,
        "start": [line, 1],
        "end": [line + 3, 9],
        "traced_tactics": list(tactics),
    }


def corpus_premise(name, line, code="def x := 1"):
    return {
        "full_name": name,
        "code": code,
        "start": [line, 1],
        "end": [line + 2, 9],
        "kind": "commanddeclaration",
    }


@pytest.fixture(scope="session")
def benchmark_parts():
    """A LeanDojo Benchmark of a few theorems, as values to be changed before they are written."""
    core, logic, main = ".lake/packages/lean4/src/lean/Init/Core.lean", "Small/Logic.lean", "Small/Main.lean"

    def parts():
        mk = premise_use("Pair.mk", logic, 11)
        by_mk = traced_tactic("exact Pair.mk", "x : ℕ\n⊢ P", "no goals", mk, mk)
        split = traced_tactic("constructor", "⊢ A ∧ B", "case left\n⊢ A\n\ncase right\n⊢ B")
        left = traced_tactic("  exact id a\n", "case left\n⊢ A", "no goals", premise_use("id", core, 40))
        lost = traced_tactic("rw [gone]", "⊢ C", "⊢ D", premise_use("gone", "Small/Gone.lean", 7))
        done = traced_tactic("done", "no goals", "no goals")
        theorems = [
            traced_theorem("Main.twice", main, 30, lost),
            traced_theorem("Main.twice", main, 20, split, left),
            traced_theorem("Main.term", main, 10),
            traced_theorem("Logic.first", logic, 50, by_mk, done),
        ]
        return {
            "corpus.jsonl": [
                {"path": core, "imports": [], "premises": [corpus_premise("id", 40)]},
                {
                    "path": logic,
                    "imports": [core],
                    "premises": [
                        corpus_premise("Logic.first", 50, "theorem first : P"),
                        corpus_premise("Pair", 10),
                        corpus_premise(None, 70),
                    ],
                },
                {"path": main, "imports": [logic], "premises": [corpus_premise("Main.term", 10)]},
            ],
            "random/train.json": theorems[:2],
            "random/val.json": theorems[2:3],
            "random/test.json": theorems[3:],
            "novel_premises/train.json": theorems[2:],
            "novel_premises/val.json": theorems[:1],
            "novel_premises/test.json": theorems[1:2],
        }

    return parts


@pytest.fixture(scope="session")
def write_benchmark():
    """Writes the parts of a benchmark into a folder."""

    def write(directory, parts):
        for name, value in parts.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = name.endswith(".jsonl")
            path.write_text("\n".join(map(json.dumps, value)) if lines else json.dumps(value))
        return directory

    return write
