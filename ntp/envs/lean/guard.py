"""The guard between a policy and Lean: it accepts one tactic that can do nothing but act on the goals.

What Lean allows a tactic to do, and what is refused here:

- Leaving the proof. A command keyword ends a `by` block at any place. So brackets must balance, strings must
  be plain, and comments are removed: then a tactic in parentheses (`assemble`) cannot end its declaration.
  Commands (`theorem`, `axiom`, `namespace`, `end`, `macro`, `notation`, `#eval`, ...) are refused by name.
- Running code during elaboration: `run_tac`, `by_elab`, `eval%`, `native_decide`, `decide +native`, and
  `(config := term)`, whose term is compiled and run. So no name may be used that is `unsafe`, in `IO`, or
  part of Lean's own implementation (`Lean`, `Lake`, functions that read and write modules). A list of names
  is not a sandbox: run untrusted models on a machine where they can do no harm.
- Starting other programs: `polyrith` calls a server, `bv_decide` runs a solver.
- Switching off the kernel, `set_option debug.skipKernelTC true in`: only limits may be set.
- Assuming the goal: `sorry`, `admit`, `stop`, `sorryAx`. `#print axioms` checks what the guard accepts.
- Reading files: `include_str`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import dedent

from ntp.envs.lean.syntax import LeanSyntaxError, Token, tokens
from ntp.types import Rejected

MAX_CHARACTERS = 16384

_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_COMMANDS = """theorem lemma example def abbrev axiom opaque instance structure class inductive coinductive
    namespace section end universe variable import attribute macro macro_rules syntax declare_syntax_cat
    notation notation3 infix infixl infixr prefix postfix elab elab_rules initialize builtin_initialize
    deriving export mutual noncomputable private protected partial unsafe local scoped declare_config_elab
    simproc dsimproc register_simp_attr add_decl_doc compile_inductive run_cmd"""
_CHEATS = "sorry admit stop sorryAx lcProof lcUnreachable ofReduceBool ofReduceNat trustCompiler"
_RUNS_CODE = """run_tac run_elab run_meta run_conv by_elab native_decide native include_str include_bytes
    implemented_by extern csimp dbg_trace dbgTrace dbgTraceVal dbgTraceIfShared dbgSleep dbgStackTrace IO
    EIO BaseIO ST EST EStateM RealWorld evalExpr evalDecl addDecl Lean Lake Elab Meta MetaM CoreM TermElabM
    TacticM CommandElabM System FilePath runFrontend saveModuleData saveModuleDataParts readModuleData
    readModuleDataParts writeModule importModules withImportModules loadDynlib loadPlugin initSearchPath
    polyrith bv_decide bv_check"""
_HASH_COMMANDS = "check eval exit find guard guard_expr guard_msgs help print reduce simp synth where"
_REFUSED_PARTS = frozenset((*_CHEATS.split(), *_RUNS_CODE.split()))
_REFUSED = _REFUSED_PARTS.union(_COMMANDS.split())
_LIMIT_OPTIONS = frozenset({"maxHeartbeats", "maxRecDepth", "synthInstance.maxHeartbeats", "linter.all"})
_PARTS = re.compile("[.«»\x80-\U0010ffff]")
_SPECIAL = re.compile(r"""["'«»#@%\\]|--|/-|-/|set_option|[uU]nsafe""")
_ASCII_WORD = re.compile(r"[A-Za-z_]+")
_BRACKET = re.compile(r"[()\[\]{}⟨⟩]")
_PAIR = re.compile(r"\(\)|\[\]|\{\}|⟨⟩")
_QUOTES_AND_BRACKETS = frozenset("\"'()[]{}⟨⟩-/\\«»")


def guard(text: str) -> str | Rejected:
    """From a tactic that a model wrote, the text to send to Lean, or the reason why it is refused."""
    if len(text) > MAX_CHARACTERS:
        return Rejected(f"longer than {MAX_CHARACTERS} characters")
    if _UNPRINTABLE.search(text):
        return Rejected("holds a control character")
    text = text.strip()
    if _is_plain(text):
        return text
    try:
        found = list(tokens(text))
    except LeanSyntaxError as error:
        return Rejected(f"not one tactic: {error}")
    if any(token.kind == "comment" for token in found):
        # The rest is guarded again, in case that something was only mistaken for a comment.
        return guard(_without_comments(text, found))
    if not found:
        return Rejected("not one tactic: empty")
    reason = _reason(text, found)
    return Rejected(reason) if reason else text


def held(tactic: str) -> str:
    """A guarded tactic in parentheses, which makes it one tactic, in the form used in the whole proof."""
    body = tactic.replace("\n", "\n ")
    # The closing parenthesis is on its own line, so that it cannot close an argument of the tactic.
    return f"({body}\n)"


def assemble(statement: str, tactics: Sequence[str]) -> str:
    """The declaration of a statement with these guarded tactics as its proof."""
    # `skip`, because a block must not be empty.
    lines = [f"{statement} := by", "  skip"]
    lines += [f"  {line}" for tactic in tactics for line in held(tactic).split("\n")]
    return "\n".join(lines)


def _without_comments(text: str, found: Sequence[Token]) -> str:
    """The text with every comment replaced by a blank, without lines that are then empty."""
    for token in reversed(found):
        if token.kind == "comment":
            text = f"{text[: token.begin]} {text[token.end :]}"
    return dedent("\n".join(line.rstrip() for line in text.split("\n") if line.strip()))


def _is_plain(text: str) -> bool:
    """Whether a text is accepted without tokenizing it, which is slow; true of most tactics."""
    if not text or _SPECIAL.search(text) or not _REFUSED.isdisjoint(_ASCII_WORD.findall(text)):
        return False
    if not _BRACKET.search(text):
        return True
    open_brackets = "".join(_BRACKET.findall(text))
    while (fewer := _PAIR.sub("", open_brackets)) != open_brackets:
        open_brackets = fewer
    return not open_brackets


def _reason(text: str, found: Sequence[Token]) -> str:
    for index, token in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else None
        match token.kind:
            case "word":
                reason = _word(token, following)
            case "string":
                reason = _string(token, text)
            case "char":
                # A prime may also end an operator, and then no character literal follows.
                reason = "a bracket or quote as a character" if token.text[1] in _QUOTES_AND_BRACKETS else ""
            case "symbol":
                reason = _symbol(token, following)
            case _:
                reason = ""
        if reason:
            return reason
    return ""


def _word(token: Token, following: Token | None) -> str:
    if _QUOTES_AND_BRACKETS.intersection(token.text.replace("«", "").replace("»", "").replace("'", "")):
        return "a quoted name holds a bracket or quote"
    if token.text == "set_option":
        allowed = following is not None and following.text in _LIMIT_OPTIONS
        return "" if allowed else "set_option may set limits only"
    if token.text in _REFUSED:
        return f"{token.text} is not allowed"
    # Some letters are not identifier characters in Lean: `xᵒᵖsorry` is three tokens.
    for part in _PARTS.split(token.text):
        if part in _REFUSED_PARTS or "unsafe" in part.lower():
            return f"{part} is not allowed"
    if token.text in ("eval", "reduceBool") and following and following.text == "%":
        return "eval% is not allowed"
    return ""


def _string(token: Token, text: str) -> str:
    before = text[token.begin - 1] if token.begin else " "
    # s!"{x}" contains terms, and r"\" ends at another quote: Lean reads such strings differently.
    if "{" in token.text or "\\" in token.text or not (before.isspace() or before in "([{⟨,"):
        return "only plain strings are allowed"
    return ""


def _symbol(token: Token, following: Token | None) -> str:
    if token.text in "«»":
        return "a quoted name is not closed"
    if following is None or following.begin != token.end:
        return ""
    if token.text == "@" and following.text == "[":
        return "an attribute is not a tactic"
    if token.text == "#" and following.text in _HASH_COMMANDS.split():
        return f"#{following.text} is a command, not a tactic"
    return ""
