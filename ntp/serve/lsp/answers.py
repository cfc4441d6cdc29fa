"""Suggestions and goals in the protocol's shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsprotocol import types as lsp
from pygls.workspace import TextDocument

from ntp.envs.live import Problem
from ntp.serve.lsp.places import Place
from ntp.serve.suggestions import Suggestion

SOURCE = "ntp"
ADMIT = "admit"  # code of the diagnostics of what can be closed
TRY_THESE = lsp.CodeActionKind.QuickFix


def range_of(document: TextDocument, begin: int, end: int) -> lsp.Range:
    """Two character offsets as the client counts positions."""
    end = min(end, len(document.source))
    return lsp.Range(document.client_position_at_offset(begin), document.client_position_at_offset(end))


def edit_of(document: TextDocument, place: Place, suggestion: Suggestion) -> lsp.TextEdit:
    """The edit that puts a suggestion into its place."""
    new_text = place.written(document.source, suggestion.text)
    return lsp.TextEdit(range_of(document, place.begin, place.end), new_text)


def inline_item(document: TextDocument, place: Place, suggestion: Suggestion) -> lsp.InlineCompletionItem:
    """A suggestion as grey text behind the cursor."""
    edit = edit_of(document, place, suggestion)
    return lsp.InlineCompletionItem(insert_text=edit.new_text, range=edit.range)


def completion_items(
    document: TextDocument, place: Place, suggestions: Sequence[Suggestion]
) -> list[lsp.CompletionItem]:
    """Suggestions as a list in their order, which no client sorts or filters again."""
    return [
        lsp.CompletionItem(
            label=" ".join(suggestion.text.split()),
            kind=lsp.CompletionItemKind.Snippet,
            detail=told(suggestion),
            documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, shown(suggestion.goals_after)),
            sort_text=f"{number:03}",
            filter_text=place.typed(document.source) or None,
            preselect=number == 0,
            text_edit=edit_of(document, place, suggestion),
        )
        for number, suggestion in enumerate(suggestions)
    ]


def code_action(
    document: TextDocument,
    place: Place,
    suggestion: Suggestion,
    diagnostics: Iterable[lsp.Diagnostic] = (),
) -> lsp.CodeAction:
    """A suggestion as a quick fix, of the diagnostics at its place if there are any."""
    edit = lsp.TextDocumentEdit(
        lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version),
        [edit_of(document, place, suggestion)],
    )
    return lsp.CodeAction(
        title=f"Try this: {' '.join(suggestion.text.split())} ({told(suggestion)})",
        kind=TRY_THESE,
        diagnostics=list(diagnostics) or None,
        is_preferred=suggestion.kind == "proof",
        edit=lsp.WorkspaceEdit(document_changes=[edit]),
    )


def refusal(document: TextDocument, problem: Problem) -> lsp.Diagnostic:
    """What the prover refuses, where it is."""
    return lsp.Diagnostic(
        range_of(document, problem.span.begin, problem.span.end),
        problem.message,
        severity=lsp.DiagnosticSeverity.Error,
        source=SOURCE,
    )


def can_be_closed(document: TextDocument, place: Place, suggestion: Suggestion) -> lsp.Diagnostic:
    """That the goal of an `admit.` can be closed, and how."""
    return lsp.Diagnostic(
        range_of(document, place.begin, place.end),
        f"this admit can be closed: {' '.join(suggestion.text.split())}",
        severity=lsp.DiagnosticSeverity.Information,
        source=SOURCE,
        code=ADMIT,
    )


def told(suggestion: Suggestion) -> str:
    """What a suggestion is, and how probable it is that the proof is finished from there."""
    if suggestion.kind == "proof":
        return "proof"
    if suggestion.probability is None:
        return "tactic"
    return f"tactic, {100 * suggestion.probability:.0f} %"


def shown(goals: Sequence[str]) -> str:
    """Printed goals as Markdown: the first with its hypotheses, the conclusions of the others."""
    if not goals:
        return "No goals left."
    first, *others = goals
    number = f"1 of {len(goals)} goals\n\n" if others else ""
    rest = "".join(f"\n\n⊢ {goal.rpartition('⊢ ')[2]}" for goal in others)
    # A fence longer than any run of backquotes in Coq's notations.
    return f"{number}````coq\n{first}{rest}\n````"
