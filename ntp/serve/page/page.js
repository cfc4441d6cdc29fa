// The page: a theorem, its goals, what the prover accepted, and the tree of what has been tried.

import { Prover } from "./api.js";
import { EXAMPLES } from "./examples.js";
import { ProofTree, drawTree } from "./tree.js";

const element = (id) => document.getElementById(id);
const prover = new Prover(() => element("token").value);

let tree = null;
let opening = ""; // the text up to and with `Proof.`
let asking = null; // aborts the request for suggestions that is under way
let searching = false;

const STATEMENT = /\b(Theorem|Lemma|Fact|Remark|Corollary|Proposition|Property|Goal|Example|Definition|Instance)\b/g;

// A statement needs `Proof.` behind it, unless the pasted text has begun the proof already.
function withProof(text) {
  const from = [...text.matchAll(STATEMENT)].pop()?.index ?? 0;
  return /\bProof\b/.test(text.slice(from)) ? text.trimEnd() : `${text.trimEnd()}\nProof.`;
}

const indented = (tactic) => `  ${tactic.replaceAll("\n", "\n  ")}`;
const textAt = (node) => [opening, ...tree.path(node).map(indented)].join("\n") + "\n";
const scriptOf = (node) => textAt(node) + (node.status === "proved" ? "Qed.\n" : "");

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function say(text, id = "message", className = "") {
  element(id).textContent = text;
  element(id).className = className;
}

function report(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) element("token-field").hidden = false;
  say(error.message);
}

function drawGoals() {
  const goals = tree.current.goals ?? [];
  element("goal-count").textContent = goals.length > 1 ? `${goals.length} of them` : "";
  element("goals").replaceChildren(
    ...goals.map((goal, index) => {
      const card = make("div", index ? "goal other" : "goal", index ? "" : goal.hypotheses.join("\n"));
      if (!index) card.append(document.createElement("hr"));
      card.append(goal.conclusion);
      return card;
    }),
  );
  if (!goals.length) element("goals").append(make("p", "good", tree.current.status === "proved" ? "No goals left." : ""));
}

// A server that is not calibrated gives no probabilities.
function worth(node) {
  if (node.status === "proved") return "proof";
  if (node.probability !== null) return `${Math.round(100 * node.probability)} %`;
  return node.goals.length === 1 ? "1 goal left" : `${node.goals.length} goals left`;
}

function drawSuggestions() {
  const found = tree.current.children.filter((node) => node.status !== "failed" && node.isSuggested);
  found.sort((one, other) => tree.hope(other) - tree.hope(one));
  element("try").hidden = tree.current.status === "proved";
  element("suggestions").replaceChildren(
    ...found.map((node) => {
      const button = make("button", "", "");
      button.append(make("span", "tactic", node.tactic), make("small", "", worth(node)));
      if (node.probability !== null) {
        const bar = make("span", "bar", "");
        bar.style.width = `${100 * node.probability}%`;
        button.append(bar);
        button.title = "the probability that the proof is finished from there";
      }
      button.addEventListener("click", () => look(node).catch(report));
      const item = make("li", node.status === "proved" ? "proof" : "", "");
      item.append(button);
      return item;
    }),
  );
}

function draw() {
  drawGoals();
  drawSuggestions();
  drawTree(tree, element("tree"), (node) => look(node).catch(report));
  element("tree-count").textContent = `${tree.nodes().length} states`;
  element("script").textContent = scriptOf(tree.current);
  element("check").disabled = element("copy").disabled = tree.current.status !== "proved";
}

// What the prover accepted in a state, put into the tree as it comes.
async function ask(node, signal) {
  node.asked = true;
  await prover.suggest(
    textAt(node),
    (found) => {
      const status = found.kind === "proof" ? "proved" : "suggested";
      tree.add(node, found.text, { status, probability: found.probability, goals: found.goals, isSuggested: true });
      draw();
    },
    signal,
  );
}

// Go to a state: its goals, and suggestions if it was not asked about yet.
async function look(node) {
  asking?.abort();
  const mine = (asking = new AbortController());
  tree.current = node;
  say("");
  say("", "verdict");
  if (node.status === "suggested") node.status = "open";
  draw();
  if (node.status === "proved") return checkScript();
  if (node.asked || node.status === "failed") return;
  element("suggestion-state").textContent = "asking …";
  try {
    await ask(node, mine.signal);
    element("suggestion-state").textContent = node.children.length ? "" : "nothing that the prover accepts was found";
  } catch (error) {
    node.asked = false;
    if (asking === mine) element("suggestion-state").textContent = "";
    throw error;
  }
}

async function checkScript() {
  const node = tree.current;
  say("checking …", "verdict");
  const verdict = await prover.check(scriptOf(node));
  if (tree.current !== node) return;
  if (verdict.accepted) {
    const axioms = verdict.axioms.length ? `axioms: ${verdict.axioms.join(", ")}` : "no axioms";
    say(`Checked again from a fresh start: accepted by the kernel, ${axioms}.`, "verdict", "good");
  } else {
    say(`Not accepted: ${verdict.reason}`, "verdict", "bad");
  }
}

async function start() {
  searching = false;
  asking?.abort();
  say("starting …");
  opening = withProof(element("text").value);
  const goals = await prover.goals(`${opening}\n`);
  tree = new ProofTree(goals);
  element("state").hidden = element("proof").hidden = false;
  await look(tree.root);
}

async function runOwn() {
  const tactic = element("own-text").value.trim();
  if (!tactic) return;
  const node = tree.current;
  const child = tree.add(node, tactic, {});
  say("");
  try {
    child.goals = await prover.goals(textAt(child));
    child.status = child.goals.length ? "open" : "proved";
    element("own-text").value = "";
    await look(child);
  } catch (error) {
    Object.assign(child, { status: "failed", message: error.message });
    draw();
    throw error;
  }
}

// Best first, through what the prover accepted, until a proof is found or nothing is left.
async function search() {
  if (searching) return void (searching = false);
  const mine = tree;
  asking?.abort();
  searching = true;
  element("search").textContent = "Stop";
  try {
    while (searching && tree === mine && !tree.proved()) {
      const next = tree.best();
      if (!next) break;
      tree.current = next;
      if (next.status === "suggested") next.status = "open";
      await ask(next);
    }
    if (tree === mine) await look(tree.proved() ?? tree.current);
  } finally {
    searching = false;
    element("search").textContent = "Search on its own";
  }
}

for (const name of Object.keys(EXAMPLES)) element("examples").append(new Option(name));
element("examples").addEventListener("change", (event) => {
  if (event.target.value) element("text").value = EXAMPLES[event.target.value];
});
element("start").addEventListener("click", () => start().catch(report));
element("own").addEventListener("submit", (event) => {
  event.preventDefault();
  runOwn().catch(report);
});
element("search").addEventListener("click", () => search().catch(report));
element("check").addEventListener("click", () => checkScript().catch(report));
element("copy").addEventListener("click", () => navigator.clipboard.writeText(element("script").textContent).catch(report));
addEventListener("pagehide", () => prover.close());
