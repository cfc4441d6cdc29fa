"""The server as an editor starts it, spoken to by pygls's client."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import psutil
import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from ntp.config.paths import PROJECT_ROOT

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SECONDS = 240
URI = "file:///nowhere/Text.v"
TEXT = """Lemma both (A B : Prop) : A /\\ B -> B /\\ A.
Proof.
  
Qed.
"""
ADMITS = """Lemma one : (1 = 1 /\\ 2 = 2) /\\ forall n : nat, n = 3.
Proof.
  split.
  - split.
    + admit.
    + admit.
  - admit.
Admitted.
"""


class Editor(LanguageClient):
    """An editor with one document."""

    def __init__(self):
        super().__init__("editor", "0")
        self.published = asyncio.Queue()
        self.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self.published.put_nowait(params))
        self.version = 0

    def open(self, text):
        self.version += 1
        item = lsp.TextDocumentItem(URI, "coq", self.version, text)
        self.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, line, begin, end, text):
        self.version += 1
        of = lsp.VersionedTextDocumentIdentifier(self.version, URI)
        where = lsp.Range(lsp.Position(line, begin), lsp.Position(line, end))
        change = lsp.TextDocumentContentChangePartial(where, text)
        self.text_document_did_change(lsp.DidChangeTextDocumentParams(of, [change]))

    def place(self, line, character):
        return {
            "text_document": lsp.TextDocumentIdentifier(URI),
            "position": lsp.Position(line, character),
        }

    async def diagnostics(self, until):
        """The first diagnostics of the present version that are as wanted."""
        while True:
            params = await asyncio.wait_for(self.published.get(), SECONDS)
            if params.version == self.version and until(params.diagnostics):
                return params.diagnostics

    async def actions(self, line, character, **context):
        at = lsp.Range(lsp.Position(line, character), lsp.Position(line, character))
        asked = lsp.CodeActionContext(context.pop("diagnostics", []), **context)
        of = lsp.TextDocumentIdentifier(URI)
        return await self.text_document_code_action_async(lsp.CodeActionParams(of, at, asked))


@asynccontextmanager
async def an_editor(*overrides):
    editor = Editor()
    command = ["-m", "ntp.run", "+experiment=serve", "serve.protocol=lsp", *overrides]
    await editor.start_io(sys.executable, *command, cwd=PROJECT_ROOT)
    try:
        editor.told = await editor.initialize_async(lsp.InitializeParams(lsp.ClientCapabilities()))
        editor.initialized(lsp.InitializedParams())
        yield editor
    finally:
        if editor._server.returncode is None:
            await editor.shutdown_async(None)
            editor.exit(None)
            await editor.stop()


@pytest.fixture
def compiles(tmp_path):
    """Whether Coq's own compiler takes a text."""

    def check(text):
        (tmp_path / "Text.v").write_text(text)
        done = subprocess.run(["coqc", "-q", "Text.v"], cwd=tmp_path, capture_output=True, timeout=SECONDS)
        return done.returncode == 0

    return check


def applied(text, edit):
    """A text of ASCII lines after an edit."""
    lines = text.splitlines(keepends=True)
    begin, end = (sum(map(len, lines[: p.line])) + p.character for p in (edit.range.start, edit.range.end))
    return text[:begin] + edit.new_text + text[end:]


def test_an_editor_that_works_and_dies(compiles):
    async def work():
        async with an_editor() as editor:
            assert editor.told.capabilities.inline_completion_provider is not None
            editor.open(TEXT)
            (error,) = await editor.diagnostics(lambda found: found)
            assert error.severity == lsp.DiagnosticSeverity.Error
            assert (error.range.start, error.range.end) == (lsp.Position(3, 0), lsp.Position(3, 4))
            found = await editor.text_document_completion_async(lsp.CompletionParams(**editor.place(2, 2)))
            assert found.items[0].detail == "proof"
            assert compiles(applied(TEXT, found.items[0].text_edit))
            inline = await editor.text_document_inline_completion_async(
                lsp.InlineCompletionParams(
                    lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
                    **editor.place(2, 2),
                )
            )
            assert inline.items[0].insert_text == found.items[0].text_edit.new_text
            hover = await editor.text_document_hover_async(lsp.HoverParams(**editor.place(2, 2)))
            assert "A /\\ B -> B /\\ A" in hover.contents.value
            assert await editor.text_document_hover_async(lsp.HoverParams(**editor.place(0, 3))) is None
            # Files that are not open are not read.
            with pytest.raises(JsonRpcException, match="not open"):
                of = lsp.TextDocumentIdentifier(f"file://{__file__}")
                await editor.text_document_hover_async(lsp.HoverParams(of, lsp.Position(0, 0)))
            # What has been typed of a sentence is replaced, in the client's UTF-16 units too.
            editor.change(2, 0, 2, "  (* 𝔸 *) in")
            found = await editor.text_document_completion_async(lsp.CompletionParams(**editor.place(2, 13)))
            assert found.items
            assert all(item.text_edit.range.start == lsp.Position(2, 11) for item in found.items)
            inline = await editor.text_document_inline_completion_async(
                lsp.InlineCompletionParams(
                    lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
                    **editor.place(2, 13),
                )
            )
            assert all(item.insert_text.startswith("in") for item in inline.items)
            # After an edit that finishes the proof nothing is wrong, and nothing is suggested.
            editor.change(2, 0, 13, "  tauto.")
            assert await editor.diagnostics(lambda found: not found) == ()
            found = await editor.text_document_completion_async(lsp.CompletionParams(**editor.place(2, 8)))
            assert found.items == ()
            await dies(editor)

    async def dies(editor):
        server = psutil.Process(editor._server.pid)
        provers = [p for p in server.children(recursive=True) if "coqidetop" in " ".join(p.cmdline())]
        assert provers
        editor._server._transport.get_pipe_transport(0).close()  # all that a server sees of a dead editor
        await asyncio.wait_for(editor._server.wait(), SECONDS)
        _, alive = psutil.wait_procs(provers, SECONDS)
        assert alive == []

    asyncio.run(work())


def test_admits_that_can_be_closed(compiles):
    async def work():
        async with an_editor() as editor:
            editor.open(ADMITS)
            found = await editor.diagnostics(lambda found: len(found) == 2)
            assert [d.range.start.line for d in found] == [4, 5]
            assert all(d.severity == lsp.DiagnosticSeverity.Information for d in found)
            # Without a request by hand only what is known is offered, and nothing where no place is.
            known = await editor.actions(4, 7, trigger_kind=lsp.CodeActionTriggerKind.Automatic)
            asked = await editor.actions(4, 7, diagnostics=[found[0]])
            assert [action.edit for action in known] == [action.edit for action in asked]
            assert asked[0].diagnostics == (found[0],)
            assert await editor.actions(4, 7, only=["refactor"]) == ()
            text = ADMITS
            for line in (5, 4):
                (change,) = (await editor.actions(line, 7))[0].edit.document_changes
                text = applied(text, change.edits[0])
            assert text.count("admit.") == 1
            assert compiles(text)
            assert await editor.actions(6, 6) == ()  # it is false

    asyncio.run(work())


def test_a_cancelled_request_stops_its_search():
    async def work():
        slow = "serve.suggestions.one_shot_tactics=['do 2000000000 idtac.']"
        async with an_editor(slow, "env.tactic_timeout_s=30", "serve.suggestions.deadline_s=50") as editor:
            editor.open(TEXT)
            await editor.diagnostics(lambda found: found)
            asking = asyncio.ensure_future(
                editor.protocol.send_request_async(
                    "textDocument/completion", lsp.CompletionParams(**editor.place(2, 2)), msg_id="slow"
                )
            )
            await asyncio.sleep(1)
            editor.cancel_request(lsp.CancelParams("slow"))
            with pytest.raises(JsonRpcException):
                await asyncio.wait_for(asking, SECONDS)
            # The prover is free for others long before the tactic's time is over.
            hover = await editor.text_document_hover_async(lsp.HoverParams(**editor.place(2, 2)))
            assert "A /\\ B" in hover.contents.value

    asyncio.run(work())
