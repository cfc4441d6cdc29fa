"""How many files a reader opens, and whether anything is declared twice: the shape of the package in numbers.

    python experiments/bench/house.py [ROOT]

ROOT is another checkout to measure, for comparisons. Figures:

step_files          files of ntp/ whose code runs in one GFlowNet training step on Coq: every function entered
                    between the beginning and the end of Lightning's second step of `gfn_tb`, by any thread
                    but the stage's heartbeat, whose 15 seconds end in that step or do not
max_flat_files      most Python files directly in one folder of ntp/
defaults_twice      options whose default is stated a second time: in a YAML that repeats its class's default,
                    or by a parameter that an option is passed to
stage_kind_places   most files in which one kind of stage is named as a string, tests and its YAML aside
readme_bytes        size of README.md
docs_pages          pages in docs/
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).absolute()
PACKAGE = ROOT / "ntp"

# Runs the command line in a process that notes the files of every function entered in the second step.
TRACE = """
import json, runpy, sys, threading
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop

files, is_step, num_steps = set(), False, 0

def note(frame, event, argument):
    if is_step and event == "call" and not threading.current_thread().name.startswith("lock of "):
        files.add(frame.f_code.co_filename)

advance = _TrainingEpochLoop.advance

def advance_noting(self, *arguments):
    global is_step, num_steps
    num_steps += 1
    is_step = num_steps == 2
    sys.setprofile(note if is_step else None)
    try:
        advance(self, *arguments)
    finally:
        is_step = False
        sys.setprofile(None)

_TrainingEpochLoop.advance = advance_noting
threading.setprofile(note)
path, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = "ntp.run"
try:
    runpy.run_module("ntp.run", run_name="__main__", alter_sys=True)
finally:
    open(path, "w").write(json.dumps(sorted(files)))
"""

# Seconds on a laptop; enough samples of a policy that knows little for a step to have proofs and failures.
SMALL = (
    "data.include=[Bool/*.v,Relations/*.v]",
    "model=micro",
    "model.precision=fp32",
    "env.num_workers=4",
    "trainer.max_time=null",
)


def step_files() -> list[str]:
    """The files of ntp/ whose code runs in one training step."""
    with tempfile.TemporaryDirectory() as name:
        small = [*SMALL, f"paths.outputs={name}"]
        sft = _run(["-m", "ntp.run", "+experiment=sft", *small, "trainer.max_steps=150"])
        noted = Path(name) / "files.json"
        tuning = ["+experiment=gfn_tb", *small, f"policy.checkpoint={sft}", "trainer.max_steps=3"]
        _run(["-c", TRACE, str(noted), *tuning, "module.keep_unsolved=1.0"])
        files = json.loads(noted.read_text())
    return sorted(
        Path(file).relative_to(ROOT).as_posix() for file in files if Path(file).is_relative_to(PACKAGE)
    )


def _run(arguments: list[str]) -> str:
    """Run Python in the checkout; returns the last line it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    return (done.stdout.splitlines() or [""])[-1]


def max_flat_files() -> int:
    """Most Python files directly in one folder."""
    return max(Counter(path.parent for path in PACKAGE.rglob("*.py")).values())


def _trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def stage_kind_places() -> int:
    """Most files in which one kind of stage is named as a string."""
    kinds = {path.stem for path in (ROOT / "conf/task").glob("*.yaml")}
    places: Counter[str] = Counter()
    for tree in _trees().values():
        strings = {
            n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        }
        places.update(kinds & strings)
    return max(places.values())


def defaults_twice() -> list[str]:
    """Options whose default is stated a second time, with where."""
    sys.path.insert(0, str(ROOT))
    from ntp.config.declarations import declaration_of

    found = []
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        target, values = _declared(path)
        if target is None:
            continue
        defaults = {option.name: option.default for option in declaration_of(target).options}
        found += [
            f"{path.relative_to(ROOT)}: {name}"
            for name, value in values.items()
            if name in defaults and defaults[name] == value and type(defaults[name]) is type(value)
        ]
    return found + _passed_on()


def _declared(path: Path) -> tuple[str | None, dict]:
    """The class that a YAML names, and the values it sets."""
    import yaml

    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if isinstance(content, list):  # of repositories
        return None, {}
    named = [entry for entry in content.get("defaults", ()) if isinstance(entry, dict)]
    targets = [entry["/schema@_here_"] for entry in named if "/schema@_here_" in entry]
    return (targets[0] if targets else None), {k: v for k, v in content.items() if k != "defaults"}


def _passed_on() -> list[str]:
    """Parameters with a default of their own to which an option of the config is passed: `f(x=cfg.a.x)`."""
    trees = _trees()
    with_default: dict[str, set[str]] = {}
    order: dict[str, list[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names, defaults = _parameters_of_class(node)
            elif isinstance(node, ast.FunctionDef):
                names, defaults = _parameters(node)
            else:
                continue
            order.setdefault(node.name, names)
            with_default.setdefault(node.name, set()).update(defaults)
    found = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            given = [*zip(order.get(name, ()), node.args, strict=False)]
            given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno}: {name}({parameter}=...)"
                for parameter, value in given
                if parameter in with_default.get(name, ()) and _is_option(value, parameter)
            ]
    return found


def _is_option(value: ast.expr, name: str) -> bool:
    """Whether an expression is an option of that name: `options.NAME`, `cfg.section.NAME`."""
    text = ast.unparse(value)
    return isinstance(value, ast.Attribute) and value.attr == name and text.startswith(("options.", "cfg."))


def _parameters(node: ast.FunctionDef) -> tuple[list[str], set[str]]:
    """The parameters in order, and those that state a default: a literal, not a name that refers to one."""
    arguments = [a.arg for a in node.args.args]
    defaults = dict(zip(reversed(arguments), reversed(node.args.defaults), strict=False))
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    defaults |= {a.arg: value for a, value in pairs if value is not None}
    stated = {name for name, value in defaults.items() if not isinstance(value, ast.Attribute | ast.Name)}
    return [a for a in arguments if a not in ("self", "cls")] + [a.arg for a in node.args.kwonlyargs], stated


def _parameters_of_class(node: ast.ClassDef) -> tuple[list[str], set[str]]:
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return _parameters(inner)
    fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)]
    names = [f.target.id for f in fields if isinstance(f.target, ast.Name)]
    refers = (ast.Attribute, ast.Name)  # to a default that is stated elsewhere
    stated = {
        f.target.id
        for f in fields
        if isinstance(f.target, ast.Name) and f.value is not None and not isinstance(f.value, refers)
    }
    return names, stated


def main() -> None:
    """Measure, list what is behind the figures on standard error, and print them as JSON."""
    files = step_files()
    figures: dict[str, int] = {"step_files": len(files), "max_flat_files": max_flat_files()}
    print(*files, sep="\n", file=sys.stderr)
    if (PACKAGE / "config/declarations.py").exists():  # older checkouts declare options elsewhere
        twice = defaults_twice()
        print(*twice, sep="\n", file=sys.stderr)
        figures["defaults_twice"] = len(twice)
    figures["stage_kind_places"] = stage_kind_places()
    figures["readme_bytes"] = (ROOT / "README.md").stat().st_size
    figures["docs_pages"] = len(list((ROOT / "docs").glob("*.md")))
    print(json.dumps({"bench": "house", "ratios": {}, "figures": figures}))


if __name__ == "__main__":
    main()
