// Renders Allure's results as one HTML file that opens anywhere, also without a network.
//
//     node render.mjs RESULTS OUTPUT [FILE...]
//
// RESULTS is a folder of Allure's results, OUTPUT/index.html what is written; each FILE
// (a summary, trends) is shown beside the tests.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [results, output, ...extras] = process.argv.slice(2).map((path) => resolve(path));
if (output === undefined) {
  console.error("usage: node render.mjs RESULTS OUTPUT [FILE...]");
  process.exit(2);
}
if (!existsSync(results)) {
  console.error(`${results} does not exist; what to do: run pytest or make demo first`);
  process.exit(2);
}

const allure = join(here, "node_modules", "allure", "cli.js");
const config = join(here, "allurerc.mjs");
// Inside another page links lead nowhere: the copies there have none.
const LINK = /( · )?<a href="[^"]*">(.*?)<\/a>/g;
const copies = mkdtempSync(join(tmpdir(), "report-extras-"));
const attached = extras.map((path) => {
  const copy = join(copies, basename(path));
  const text = (_, beside, words) => (beside ? "" : words);
  writeFileSync(copy, readFileSync(path, "utf8").replace(LINK, text));
  return copy;
});

const done = spawnSync(
  process.execPath,
  [allure, "generate", "--config", config, "--cwd", here, "--output", output, results],
  {
    stdio: "inherit",
    env: { ...process.env, REPORT_RESULTS: results, REPORT_EXTRAS: attached.join(":") },
  },
);
rmSync(copies, { recursive: true });
if (done.status !== 0) process.exit(done.status ?? 1);

// Allure's page counts its readers with Google. Nobody asked for that, and a page that is
// opened offline would wait for it.
const ANALYTICS = /<script async src="https:\/\/www\.googletagmanager\.com[^>]*><\/script>/g;
const TAG = /<script>\s*window\.dataLayer = [\s\S]*?<\/script>/g;
// The page's program asks whether the data is in the page before the script that puts it
// there has run, and would then look for files beside it.
const EMBEDDED = "<script>window.allureReportData = {}; window.allureReportDataReady = false;</script>";
// The browser sees to it: whatever a test's text or attachment holds, nothing is loaded.
const POLICY =
  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self' data: blob: " +
  "'unsafe-inline' 'unsafe-eval'\">";

// A page that is attached is shown without its scripts, in a slit: no timeline, no viewer. Here
// it is shown whole. Its frame's sandbox lets scripts run and gives them an origin of their own,
// so that they reach neither this page nor, by the policy above, which it inherits, a network.
// It is the frame's source rather than a blob: there a browser has WebCodecs, for the viewer.
const PURIFIED =
  /(\w+)=(\w+)\.length>0\?\(e=>\{const (\w+)=\w+\(e,\w+\);return \3\?`<!DOCTYPE html>\$\{\3\}`:\3\}\)\(\2\):"";/g;
const FRAME = /(title:"HTML attachment",)src:\w+,([^{}]*sandbox:)"allow-same-origin"/g;
const HIGH =
  '<style>[data-testid="html-attachment-preview"] iframe{height:calc(100vh - 130px)}</style>';

const page = join(output, "index.html");
const strange = () => {
  console.error(`${page} is not as this version of Allure wrote it; what to do: adapt render.mjs`);
  process.exit(1);
};

// The page's program is the largest of its scripts, each a data URL.
function withScripts(html) {
  const programs = [...html.matchAll(/<script[^>]* src="data:text\/javascript;base64,([^"]+)"/g)];
  const [, program] = programs.sort((a, b) => b[1].length - a[1].length)[0] ?? strange();
  const text = Buffer.from(program, "base64").toString("utf8");
  const purified = [...text.matchAll(PURIFIED)];
  if (purified.length !== 1 || text.match(FRAME)?.length !== 1) strange();
  const [whole, shown, attached] = purified[0];
  const changed = text.replace(whole, () => `${shown}=${attached};`)
    .replace(FRAME, `$1srcDoc:${shown},$2"allow-scripts"`);
  return html.replace(program, () => Buffer.from(changed, "utf8").toString("base64"));
}

const html = withScripts(readFileSync(page, "utf8"))
  .replace(ANALYTICS, "")
  .replace(TAG, "")
  .replace("<head>", `<head>${POLICY}${EMBEDDED}${HIGH}`);
if (!html.includes(EMBEDDED) || html.includes("googletagmanager")) strange();
writeFileSync(page, html);
// Attachments are kept small (harness/allure_report.py); of many failures there is more evidence.
const LARGE = 40e6;
if (html.length > LARGE) {
  console.error("the report is larger than 40 MB and may open slowly: many tests failed, or " +
    "recordings are long; what lies in the recordings' folders is the same evidence");
}
console.log(`report: ${page} (${(html.length / 1e6).toFixed(1)} MB)`);
