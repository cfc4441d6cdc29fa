"""The tools as an agent calls them, over stdin and stdout."""

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from ntp.config.paths import PROJECT_ROOT
from ntp.data.coq.extract import extract
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.serve.agents import agent_server
from ntp.serve.buffer import Buffer
from ntp.serve.copilot import Copilot
from ntp.serve.premises import PremiseSearch
from ntp.serve.sessions import Sessions
from ntp.serve.stdio import Later
from ntp.serve.suggestions import Suggester

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SECONDS = 240
TEXT = "Lemma both (A B : Prop) : A /\\ B -> B /\\ A.\nProof.\n"


@asynccontextmanager
async def an_agent(*overrides):
    words = ["-m", "ntp.run", "+experiment=serve", "serve.protocol=mcp", *overrides]
    server = StdioServerParameters(
        command=sys.executable, args=words, cwd=PROJECT_ROOT, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    async with Client(stdio_client(server), read_timeout_seconds=SECONDS) as client:
        yield client


async def call(agent, tool, **arguments):
    """What a tool answers; the text of the error where it fails."""
    answer = await agent.call_tool(tool, arguments)
    if answer.is_error:
        return answer.content[0].text
    found = answer.structured_content
    return found.get("result", found)


def test_an_agent_proves():
    async def work():
        async with an_agent() as agent:
            tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
            assert set(tools) == {"proof_state", "try_tactics", "prove"}
            # Text goes in, never a path.
            names = {name for tool in tools.values() for name in tool.input_schema["properties"]}
            assert names == {"text", "line", "character", "tactics", "deadline_s"}

            state = await call(agent, "proof_state", text=TEXT)
            assert state["goals"] == ["A, B : Prop\n⊢ A /\\ B -> B /\\ A"]
            assert state["problem"] == ""
            assert (await call(agent, "proof_state", text=TEXT, line=0))["goals"] == []
            wrong = await call(agent, "proof_state", text=f"{TEXT}  nonsense_of_mine.\n")
            assert wrong["problem"].startswith("line 2, character 2: ")

            tactics = ["intros H.", "tauto.", "admit.", "nonsense_of_mine."]
            tactics += ['Redirect "f" Check 1.', "do 2000000000 idtac."]
            tried = await call(agent, "try_tactics", text=TEXT, tactics=tactics)
            assert [trial["outcome"] for trial in tried] == [
                "progress", "proof", "refused", "refused", "refused", "timeout",
            ]  # fmt: skip
            assert tried[0]["goals"] == ["A, B : Prop\nH : A /\\ B\n⊢ B /\\ A"]
            assert "nonsense_of_mine" in tried[3]["message"]

            found = await call(agent, "prove", text=TEXT)
            assert found["proved"]
            assert (await call(agent, "proof_state", text=f"{TEXT}{found['proof']}\nQed."))["problem"] == ""
            false = "Lemma f : forall n : nat, n = 3.\nProof.\n"
            assert (await call(agent, "prove", text=false, deadline_s=2))["proved"] is False

            # What cannot be done is said in a line, and the server goes on.
            assert "no proof is open" in (await call(agent, "prove", text="Check 1.")).lower()
            assert "text" in await call(agent, "prove", text="x" * 2_000_000)
            assert "tactics" in await call(agent, "try_tactics", text=TEXT, tactics=["auto."] * 99)
            assert (await call(agent, "proof_state", text=TEXT))["problem"] == ""

    asyncio.run(work())


DOUBLES = """Fixpoint double (n : nat) : nat := match n with 0 => 0 | S m => S (S (double m)) end.
Lemma double_plus (n m : nat) : double (n + m) = double n + double m.
Proof. induction n; simpl; [ | rewrite IHn ]; reflexivity. Qed.
Lemma other (A B : Prop) : A /\\ B -> B.
Proof. tauto. Qed.
"""


def test_an_agent_searches_premises(write_project, tmp_path):
    project = write_project(
        {"src/Doubles.v": DOUBLES, "src/Later.v": "Lemma double_later : True. Proof. easy. Qed."}
    )
    extract(project, tmp_path / "data", ["**/*.v"], num_workers=1)
    premises = Later(lambda: PremiseSearch(tmp_path / "data", tmp_path / "indices"))
    factory = CoqEnvFactory()
    copilot = Later(
        lambda: Copilot(Sessions(lambda: Buffer(factory.live(60))), Suggester(None, seed=0), header="")
    )
    query = "n, m : nat\n⊢ double (n + m) = double n + double m"

    async def work():
        async with Client(agent_server(copilot, premises, "0")) as agent:
            found = await call(agent, "search_premises", text="Require Import Doubles.\n", query=query, num=2)
            assert found[0]["name"].endswith("double_plus")
            assert "double (n + m)" in found[0]["statement"]
            assert {premise["file"] for premise in found} == {"src/Doubles.v"}
            # Nothing that the text has loaded is in the data set.
            assert "the data set has no module" in await call(agent, "search_premises", text="", query=query)

    asyncio.run(work())
