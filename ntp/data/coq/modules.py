"""Which file a logical name belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ntp.data.coq.declarations import Command
from ntp.envs.coq.project import CoqProject

# Rocq 9 takes this first part of a name for that of its own library or of the packaged one.
_BEFORE_ROCQ = "Coq"
# First parts of the names of what Coq comes with.
_OWN = (_BEFORE_ROCQ, "Corelib", "Stdlib")


def module_name(project: CoqProject, file: str) -> str:
    """Logical name of a file: by the deepest load path over it, else its bare name, as coqc does."""
    mounts = [(Path(project.root, path.directory).resolve(), path.name) for path in project.load_paths]
    mounts += [(library.directory, library.name) for library in project.prover.libraries]
    path = project.path(file).resolve().with_suffix("")
    above = [(directory, name) for directory, name in mounts if path.is_relative_to(directory)]
    if not above:
        return path.name
    directory, name = max(above, key=lambda mount: len(mount[0].parts))
    return ".".join(part for part in (name, *path.relative_to(directory).parts) if part)


@dataclass(frozen=True)
class Library:
    """Every module that may be named.

    Attributes:
        project: Logical name to path relative to the root.
        external: Logical name to the same name as a path, for installed libraries outside the project.
    """

    project: Mapping[str, str]
    external: Mapping[str, str]

    def file_of(self, full_name: str) -> str | None:
        """File that defines a qualified name: of the module that is its longest prefix, None without any."""
        prefix = full_name
        while prefix:
            prefix = prefix.rpartition(".")[0]
            file = self.project.get(prefix) or self.external.get(prefix)
            if file:
                return file
        return None

    def imports(self, command: Command, module: str) -> list[str]:
        """What a `Require` sentence of `module` loads: files of the project, logical names of others."""
        words = [token.text for token in command.tokens if token.kind == "name"]
        prefix = words[1] if command.keyword == "From" else ""
        if "Require" not in words:
            return []
        names = words[words.index("Require") + 1 :]
        names = names[1:] if names[:1] in (["Import"], ["Export"]) else names
        return [self._resolve(name, prefix, module) for name in names]

    def _resolve(self, name: str, prefix: str, module: str) -> str:
        first, _, rest = (prefix or name).partition(".")
        if first == _BEFORE_ROCQ and not any(m.startswith(f"{_BEFORE_ROCQ}.") for m in self.external):
            name, prefix = ".".join(filter(None, (rest, name if prefix else ""))), ""
        for known in (self.project, self.external):
            ending = f".{name}"
            found = [m for m in known if m == name or (m.endswith(ending) and m.startswith(prefix))]
            if found:
                nearest = min(found, key=lambda m: (m != name, *_distance(m, module)))
                return self.project.get(nearest, nearest)
        return f"{prefix}.{name}" if prefix else name


def find_library(project: CoqProject, files: Sequence[str]) -> Library:
    """The modules of a project, given its files, and those that are installed or mounted outside it."""
    mounts = [(library.directory, library.name) for library in project.prover.libraries]
    mounts.append((project.prover.user_contrib, ""))
    mounts += [
        (directory, path.name) for path in project.load_paths for directory in project.directories(path)
    ]
    installed: dict[str, str] = {}
    for directory, name in mounts:
        for path in directory.glob("**/*.vo"):
            parts = path.relative_to(directory).with_suffix("").parts
            module = ".".join((name, *parts)).strip(".")
            installed[module] = _as_path(module)
    return Library({module_name(project, file): file for file in files}, installed)


def _distance(module: str, other: str) -> tuple[bool, int, int, str]:
    """Orders the modules that a name may mean in the module `other`."""
    # Without `From`, Coq looks in its own library; what is installed beside it needs a whole name.
    beside = module.partition(".")[0] not in (*_OWN, other.partition(".")[0])
    return beside, -_num_shared(module, other), module.count("."), module


def _num_shared(module: str, other: str) -> int:
    pairs = zip(module.split("."), other.split("."), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), 0)


def _as_path(module: str) -> str:
    return str(PurePosixPath(*module.split(".")).with_suffix(".v"))
