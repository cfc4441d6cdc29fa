// Starts the copilot's language server; VS Code shows what it offers: inline completion, completion, quick
// fixes, goals on hover, and diagnostics.

const path = require("node:path");
const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

async function start() {
  const settings = vscode.workspace.getConfiguration("ntp");
  const directory = settings.get("directory");
  if (!directory) {
    vscode.window.showErrorMessage("ntp copilot: set ntp.directory to the checkout of ntp (after `make setup` there)");
    return;
  }
  const server = {
    command: path.join(directory, ".venv", "bin", "python"),
    args: ["-m", "ntp.run", "+experiment=serve", "serve.protocol=lsp", ...settings.get("overrides")],
    options: { cwd: directory },
    transport: TransportKind.stdio,
  };
  client = new LanguageClient("ntp", "ntp copilot", server, {
    documentSelector: [{ language: "coq" }, { language: "rocq" }, { pattern: "**/*.v" }],
  });
  await client.start();
}

async function stop() {
  await client?.stop();
  client = undefined;
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("ntp.restart", async () => {
      await stop();
      await start();
    }),
  );
  await start();
};

exports.deactivate = stop;
