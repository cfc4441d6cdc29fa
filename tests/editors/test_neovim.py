"""Neovim drives the server as a user does, by keys."""

import json
import subprocess
import time

import pytest

from ntp.config.paths import PROJECT_ROOT
from tests.editors.conftest import MINUTES

pytestmark = pytest.mark.coq


class Neovim:
    """A Neovim without a screen, driven through its socket."""

    def __init__(self, program, directory, file, checkout, environment):
        init = directory / "init.lua"
        init.write_text(
            f"package.path = '{PROJECT_ROOT}/editors/neovim/?.lua;' .. package.path\n"
            "vim.opt.completeopt = { 'menuone', 'noselect' }\n"
            f"require('ntp').setup({{ directory = '{checkout}' }})\n"
        )
        self._program, self._environment = program, environment
        self._socket = str(directory / "nvim.sock")
        self.process = subprocess.Popen(
            [program, "--headless", "--listen", self._socket, "-u", init, file],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def keys(self, keys):
        self._remote("--remote-send", keys)

    def value(self, expression):
        return json.loads(self._remote("--remote-expr", f"json_encode({expression})"))

    def wait(self, expression, timeout_s=MINUTES):
        """The first true value of an expression."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.value(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.2)
        return value

    def _remote(self, option, text):
        deadline = time.monotonic() + MINUTES
        while True:  # the socket is there a moment after the start
            done = subprocess.run(
                [self._program, "--server", self._socket, option, text],
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=MINUTES,
            )
            if done.returncode == 0 and "E247" not in done.stderr:
                return done.stdout or done.stderr  # 0.7 prints values to stderr
            assert self.process.poll() is None, "Neovim has ended"
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.2)


@pytest.fixture
def neovim(program, tmp_path, source, checkout, environment):
    editor = Neovim(program("nvim"), tmp_path, source, checkout, environment)
    yield editor
    editor.process.terminate()
    editor.process.wait(MINUTES)


@pytest.mark.slow
def test_it_completes_a_proof_with_what_the_kernel_accepted(neovim, source, compiles):
    neovim.wait("luaeval('#vim.tbl_keys(vim.lsp.buf_get_clients(0)) > 0')")
    assert not compiles(source)
    neovim.keys("3GA<C-x><C-o>")
    neovim.wait("pumvisible()")
    items = neovim.value("complete_info(['items'])['items']")
    proofs = [number for number, item in enumerate(items) if item["menu"].startswith("proof")]
    assert proofs, items
    neovim.keys("<C-n>" * (proofs[0] + 1) + "<C-y><Esc>:write<CR>")
    neovim.wait("!&modified")
    assert compiles(source), source.read_text()


@pytest.mark.slow
def test_it_says_which_admit_can_be_closed(neovim):
    neovim.keys("3GAadmit.<Esc>:4s/Qed/Admitted/<CR>3G")
    neovim.wait("luaeval('#vim.diagnostic.get(0) > 0')")
    (message,) = neovim.value(
        "luaeval('vim.tbl_map(function(d) return d.message end, vim.diagnostic.get(0))')"
    )
    assert "can be closed" in message
