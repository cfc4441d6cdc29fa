// The server's routes, as the page needs them: texts whose end is looked at.

export class Prover {
  #token;
  #id = null;
  #turn = Promise.resolve(); // a text must stay as it is until the answer about it has come

  constructor(token) {
    this.#token = token;
  }

  // The goals at the end of a text.
  goals(text, signal) {
    return this.#with(text, async (path) => {
      const view = await this.#json("POST", `${path}/goals`, endOf(text), signal);
      if (view.problem) throw new Error(`line ${view.problem.begin.line + 1}: ${view.problem.message}`);
      if (!view.statement) throw new Error("no proof is open at the end of the text: end it with the statement to prove");
      return [...view.goals, ...view.unfocused];
    });
  }

  // Calls `found` with each suggestion for the end of a text.
  suggest(text, found, signal) {
    return this.#with(text, async (path) => {
      const response = await this.#send("POST", `${path}/suggestions`, { ...endOf(text), stream: true }, signal);
      for await (const { event, data } of eventsOf(response)) {
        if (event === "error") throw new Error(data.error);
        if (event === "suggestion") found({ ...data, goals: data.goals_after.map(readGoal) });
      }
    });
  }

  // Whether a whole text is accepted, by a prover that has seen nothing of it before.
  async check(text) {
    const { id } = await this.#json("POST", "/api/documents", { text });
    const path = `/api/documents/${id}`;
    try {
      const found = await this.#json("POST", `${path}/check`, {});
      const { problem } = found;
      const reason = problem ? `line ${problem.begin.line + 1}: ${problem.message}` : "the proof is still open";
      return { accepted: found.accepted && found.axioms !== null, axioms: found.axioms ?? [], reason };
    } finally {
      await this.#send("DELETE", path);
    }
  }

  // End the server's prover; also while the page goes away.
  close() {
    if (this.#id) fetch(`/api/documents/${this.#id}`, { method: "DELETE", headers: this.#headers(), keepalive: true });
    this.#id = null;
  }

  // Do something with the document when it holds a text and nobody else is at work on it.
  #with(text, work) {
    const done = this.#turn.then(async () => {
      try {
        return await work(await this.#edited(text));
      } catch (error) {
        if (error.status !== 404) throw error;
        this.#id = null; // it was closed while nobody used it
        return work(await this.#edited(text));
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #edited(text) {
    if (this.#id) await this.#send("PUT", `/api/documents/${this.#id}`, { text });
    else this.#id = (await this.#json("POST", "/api/documents", { text })).id;
    return `/api/documents/${this.#id}`;
  }

  async #json(...request) {
    return (await this.#send(...request)).json();
  }

  async #send(method, path, body, signal) {
    const response = await fetch(path, { method, headers: this.#headers(), body: body && JSON.stringify(body), signal });
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    throw Object.assign(new Error(error ?? `the server answers ${response.status}`), { status: response.status });
  }

  #headers() {
    const token = this.#token();
    return { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  }
}

function endOf(text) {
  const lines = text.split("\n");
  // The server counts characters, JavaScript halves of some.
  return { line: lines.length - 1, character: [...lines.at(-1)].length };
}

function readGoal(printed) {
  const [before, conclusion] = printed.split("⊢ ");
  return { hypotheses: before.split("\n").filter(Boolean), conclusion };
}

// Server-sent events of an answer; EventSource itself can neither post nor send a token.
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.match(/^(\w*): ?(.*)$/)?.slice(1) ?? []));
      if (fields.data) yield { event: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
