// The proof tree: every state that has been reached or suggested, and the one that is looked at.

export class ProofTree {
  constructor(goals) {
    this.root = { parent: null, tactic: "", status: "open", goals, probability: null, children: [] };
    this.current = this.root;
  }

  // The child of a state by a tactic; asked for twice, it is the same one.
  add(parent, tactic, values) {
    let node = parent.children.find((child) => child.tactic === tactic);
    if (!node) {
      node = { parent, tactic, status: "suggested", goals: [], probability: null, asked: false, children: [] };
      parent.children.push(node);
    }
    return Object.assign(node, values);
  }

  // The tactics from the root to a state.
  path(node) {
    const tactics = [];
    for (; node.parent; node = node.parent) tactics.unshift(node.tactic);
    return tactics;
  }

  nodes() {
    const found = [this.root];
    for (const node of found) found.push(...node.children);
    return found;
  }

  // How promising a state is: the server's probability, and without one fewer goals after fewer tactics.
  hope(node) {
    if (node.status === "proved") return 2;
    return node.probability ?? 1 / (1 + node.goals.length + this.path(node).length);
  }

  // The state to look at next in a search: the most promising of those not yet asked about.
  best() {
    const open = this.nodes().filter((node) => !node.asked && !["failed", "proved"].includes(node.status));
    return open.sort((one, other) => this.hope(other) - this.hope(one))[0];
  }

  proved() {
    return this.nodes().find((node) => node.status === "proved");
  }
}

// Draw the tree as nested lists; `choose` is called with the state that was clicked.
export function drawTree(tree, container, choose) {
  const list = document.createElement("ul");
  list.append(drawNode(tree, tree.root, choose));
  container.replaceChildren(list);
}

function drawNode(tree, node, choose) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.className = `tactic ${node.status}${node === tree.current ? " current" : ""}`;
  button.textContent = node.tactic.split("\n").join(" ") || "statement";
  if (node.status === "proved") button.textContent += "  ✓";
  button.title = node.message || node.status;
  button.addEventListener("click", () => choose(node));
  item.append(button);
  if (node.children.length) {
    const list = document.createElement("ul");
    list.append(...node.children.map((child) => drawNode(tree, child, choose)));
    item.append(list);
  }
  return item;
}
