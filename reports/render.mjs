// Renders Allure's results as one HTML file that opens anywhere, also without a network.
//
//     node render.mjs RESULTS OUTPUT [FILE...]
//
// RESULTS is a folder of Allure's results, OUTPUT/index.html what is written; each FILE
// (a summary, trends) is shown beside the tests.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
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
const done = spawnSync(
  process.execPath,
  [allure, "generate", "--config", config, "--cwd", here, "--output", output, results],
  {
    stdio: "inherit",
    env: { ...process.env, REPORT_RESULTS: results, REPORT_EXTRAS: extras.join(":") },
  },
);
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

const page = join(output, "index.html");
const html = readFileSync(page, "utf8")
  .replace(ANALYTICS, "")
  .replace(TAG, "")
  .replace("<head>", `<head>${POLICY}${EMBEDDED}`);
if (!html.includes(EMBEDDED) || html.includes("googletagmanager")) {
  console.error(`${page} is not as this version of Allure wrote it; what to do: adapt render.mjs`);
  process.exit(1);
}
writeFileSync(page, html);
// Attachments are kept small (harness/allure_report.py); of many failures there is more evidence.
const LARGE = 40e6;
if (html.length > LARGE) {
  console.error("the report is larger than 40 MB and may open slowly: many tests failed, or " +
    "recordings are long; what lies in the recordings' folders is the same evidence");
}
console.log(`report: ${page} (${(html.length / 1e6).toFixed(1)} MB)`);
