import subprocess
import sys
import textwrap

FORKED = """
    import os, time
    from ntp.sandbox.sandboxed import WATCH

    class Told:
        def __init__(self, name):
            self.name, self.num_looks = name, 0
        def inspect(self):
            self.num_looks += 1
            os.write(1, f"{self.name} in {'fork' if fork == 0 else 'parent'}\\n".encode())

    fork = None
    mine, forks = Told("mine"), Told("the fork's")
    WATCH.add(mine)
    fork = os.fork()
    if fork == 0:
        WATCH.add(forks)
    while (forks if fork == 0 else mine).num_looks < 3:
        time.sleep(0.01)
    os._exit(0) if fork == 0 else os.waitpid(fork, 0)
"""


def test_a_fork_watches_what_it_has_added_and_nothing_of_its_parents():
    argv = [sys.executable, "-c", textwrap.dedent(FORKED)]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert not told.stderr
    assert set(told.stdout.splitlines()) == {"mine in parent", "the fork's in fork"}
