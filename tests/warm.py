"""A process that has imported everything, and forks a command line from itself at each request.

Imports take most of the time of a short run. A fork is a process as any other, but the seed of Python's
hashes is the same in all of them: what must not depend on it is compared with a run of `python -m ntp.run`.

Reads a JSON object a line: `module`, `arguments`, `environment` and `cwd` of what is to run and `directory`
for its output, answered by its process id; or `wait`, a process id, answered by its exit status.
"""

import json
import os
import runpy
import sys
import threading
from pathlib import Path


def serve() -> dict | None:
    """Answer requests; in a fork, return what it is to run."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                return request
        print(answer, flush=True)
    return None


def become(request: dict) -> None:
    """Run `python -m MODULE ARGUMENTS` in this process."""
    reads, writes = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [os.devnull, *(f"{request['directory']}/{os.getpid()}.{name}" for name in ("stdout", "stderr"))]
    for fd, name in enumerate(files):
        file = os.open(name, writes if fd else reads, 0o600)
        os.dup2(file, fd)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.path[1:1] = filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    import pkgutil

    from hydra._internal.hydra import Hydra

    import ntp.tasks
    from ntp.importing import import_to_stay

    # Hydra composes a config twice, at first to look for `hydra.mode`, which we set nowhere: half a second.
    Hydra.get_mode = lambda *_, **__: None

    # A fork neither looks through what is imported so nor copies it.
    import_to_stay("mlflow.store.tracking.sqlalchemy_store")
    for _module in pkgutil.walk_packages(ntp.tasks.__path__, "ntp.tasks."):
        import_to_stay(_module.name)
    assert threading.active_count() == 1, "a fork has only this thread, and the locks that the others hold"
    if (_request := serve()) is not None:
        become(_request)
