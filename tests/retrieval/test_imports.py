from itertools import pairwise

import pytest

from ntp.errors import DataError
from ntp.retrieval.imports import ImportGraph


def test_a_cycle_is_an_error_that_names_it(build):
    files = [build.file("a.v", "b.v"), build.file("b.v", "c.v"), build.file("c.v", "a.v"), build.file("d.v")]
    with pytest.raises(DataError, match=r"a cycle: ") as caught:
        ImportGraph(files)
    path = str(caught.value).partition("cycle: ")[2].partition(";")[0].split(" -> ")
    imports = {file.path: file.imports for file in files}
    assert path[0] == path[-1]
    assert len(path) == 4
    assert all(after in imports[before] for before, after in pairwise(path))


def test_a_file_that_imports_itself_is_an_error(build):
    with pytest.raises(DataError, match=r"a\.v -> a\.v"):
        ImportGraph([build.file("a.v", "a.v")])


def test_a_long_chain_is_no_problem(build):
    files = [build.file("0.v"), *(build.file(f"{i}.v", f"{i - 1}.v") for i in range(1, 5000))]
    assert len(ImportGraph(files).visible("4999.v")) == 4999


def test_coq_loads_its_prelude_before_every_file_but_its_own(build):
    graph = ImportGraph(
        [
            build.file("Init/Logic.v", module="Coq.Init.Logic"),
            build.file("Init/Prelude.v", "Init/Logic.v", module="Coq.Init.Prelude"),
            build.file("Bool.v", module="Coq.Bool"),
        ]
    )
    assert graph.visible("Init/Logic.v") == []
    assert graph.visible("Init/Prelude.v") == ["Init/Logic.v"]
    assert set(graph.visible("Bool.v")) == {"Init/Prelude.v", "Init/Logic.v"}


def test_modules_stand_for_their_files_or_for_all_below_them(build):
    graph = ImportGraph(
        [
            build.file("M/A.lean", module="M.A"),
            build.file("M/B.lean", "M/A.lean", module="M.B"),
            build.file("N.lean", module="N"),
            build.file("N/C.lean", module="N.C"),
        ]
    )
    assert set(graph.visible_from_modules(["M.B"])) == {"M/A.lean", "M/B.lean"}
    assert set(graph.visible_from_modules(["M"])) == {"M/A.lean", "M/B.lean"}
    assert graph.visible_from_modules(["N"]) == ["N.lean"]
    assert graph.visible_from_modules(["M.A", "Mat"]) == ["M/A.lean"]
    with pytest.raises(DataError, match="no module Mat or O"):
        graph.visible_from_modules(["Mat", "O"])
