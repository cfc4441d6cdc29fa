"""The language server: document synchronisation and what editors may ask."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from ntp.envs.live import Problem
from ntp.errors import NtpError
from ntp.serve.lsp.answers import (
    ADMIT,
    TRY_THESE,
    can_be_closed,
    code_action,
    completion_items,
    inline_item,
    refusal,
    shown,
)
from ntp.serve.lsp.desk import Desk, Paper
from ntp.serve.lsp.places import Place, admits, place_at
from ntp.serve.stdio import private_stdout
from ntp.serve.suggestions import Suggestion
from ntp.types import Span

# A pause in typing after which a document is read through.
_PAUSE_S = 0.6


class CopilotServer(LanguageServer):
    """A language server over stdin and stdout.

    Args:
        desk: The open documents.
        version: Version that is told to clients.
    """

    def __init__(self, desk: Desk, version: str) -> None:
        super().__init__("ntp", version)
        self.desk = desk
        self._readings: dict[str, asyncio.Task[None]] = {}
        _add_features(self)

    def serve(self) -> None:
        """Answer until the client closes the connection; nothing but the protocol is written to stdout."""
        try:
            with private_stdout() as stdout:
                self.start_io(sys.stdin.buffer, stdout)
        finally:
            self.desk.leave()

    def read_soon(self, uri: str, pause_s: float = _PAUSE_S) -> None:
        """Read a document through after a pause, unless it changes before, and say what was found."""
        self.forget(uri)
        self._readings[uri] = asyncio.get_running_loop().create_task(self._read(uri, pause_s))

    def forget(self, uri: str) -> None:
        """Stop reading a document."""
        reading = self._readings.pop(uri, None)
        if reading is not None:
            reading.cancel()

    def document(self, uri: str) -> tuple[TextDocument, Paper]:
        """An open document as the client knows it and as the prover does.

        Raises:
            JsonRpcInvalidParams: It is not open. pygls would read it from the disk.
        """
        document = self.workspace.text_documents.get(uri)
        if document is None:
            raise JsonRpcInvalidParams(f"{uri} is not open")
        return document, self.desk.paper(uri, document.source)

    async def _read(self, uri: str, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        document, paper = self.document(uri)
        version = document.version
        try:
            problem = await paper.problem()
        except NtpError as error:
            problem = Problem(Span(0, 0), str(error))
        found = [] if problem is None else [refusal(document, problem)]
        self._publish(uri, version, found)
        for place in admits(document.source):
            offers = await paper.suggest_in_background(place)
            if offers is None:  # somebody asked for suggestions, which comes first
                self.read_soon(uri)
                return
            if offers:
                found.append(can_be_closed(document, place, offers[0]))
                self._publish(uri, version, found)

    def _publish(self, uri: str, version: int | None, found: Sequence[lsp.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, list(found), version))


def _add_features(server: CopilotServer) -> None:
    """Register what the server answers."""

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        server.read_soon(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        server.read_soon(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        server.forget(params.text_document.uri)
        await server.desk.close(params.text_document.uri)

    # Without options pygls would not announce it.
    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    async def inline(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        document, place, offers = await _offers(server, params)
        typed = place.typed(document.source)
        items = [inline_item(document, place, offer) for offer in offers if offer.text.startswith(typed)]
        return lsp.InlineCompletionList(items)

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(resolve_provider=False))
    async def complete(params: lsp.CompletionParams) -> lsp.CompletionList:
        document, place, offers = await _offers(server, params)
        return lsp.CompletionList(True, completion_items(document, place, offers))

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([TRY_THESE]))
    async def act(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        wanted = params.context.only
        if wanted is not None and not any(TRY_THESE.value.startswith(kind) for kind in wanted):
            return []
        document, paper = server.document(params.text_document.uri)
        place = place_at(document.source, document.offset_at_position(params.range.start))
        # Some editors ask at every move of the cursor; the prover works only when a person does.
        automatic = params.context.trigger_kind == lsp.CodeActionTriggerKind.Automatic
        offers = paper.known(place) if automatic else await paper.suggest(place)
        about = [given for given in params.context.diagnostics if given.code == ADMIT]
        return [code_action(document, place, offer, about) for offer in offers]

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        document, paper = server.document(params.text_document.uri)
        place = place_at(document.source, document.offset_at_position(params.position))
        view = await paper.view(place.begin)
        if view is None or not view.statement:
            return None
        goals = [str(goal) for goal in (*view.goals, *view.unfocused)]
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, shown(goals)))


async def _offers(server: CopilotServer, params: Any) -> tuple[TextDocument, Place, list[Suggestion]]:
    document, paper = server.document(params.text_document.uri)
    place = place_at(document.source, document.offset_at_position(params.position))
    return document, place, await paper.suggest(place)
