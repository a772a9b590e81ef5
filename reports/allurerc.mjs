// How `make report` renders Allure's results: one file that opens from anywhere, offline.
// The environment names what is rendered: REPORT_RESULTS, the folder of results;
// REPORT_OUTPUT, where the gate leaves its files; REPORT_EXTRAS, files shown beside the tests
// (summary, trends), separated by colons.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Allure's quality gate calls Iterator.prototype.toArray, which Node has from version 22 on.
const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
iterator.toArray ??= function toArray() {
  return Array.from(this);
};

const here = dirname(fileURLToPath(import.meta.url));
const results = process.env.REPORT_RESULTS ?? join(here, "latest", "allure-results");

// The harness writes its rules beside its results: reports and rules cannot differ.
function categories() {
  try {
    return JSON.parse(readFileSync(join(results, "categories.json"), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

const isEnvironment = (test) =>
  test.labels.some(({ name, value }) => name === "blame" && value === "environment");

export default {
  name: "UI scenarios",
  // The quality gate leaves files, too, and has no option for where.
  output: process.env.REPORT_OUTPUT ?? join(here, "gate"),
  historyPath: process.env.REPORT_HISTORY ?? join(here, "history.jsonl"),
  historyLimit: 60,
  categories: categories(),
  globalAttachments: (process.env.REPORT_EXTRAS ?? "").split(":").filter(Boolean),
  qualityGate: {
    rules: [
      // A run in which nothing ran must not look like one in which nothing failed.
      { id: "something ran", minTestsCount: 1 },
      { id: "the product", maxFailures: 0, filter: (test) => !isEnvironment(test) },
      // A machine that cannot record proves nothing either: counted apart, so that it is said.
      { id: "the environment", maxFailures: 0, filter: isEnvironment },
    ],
  },
  plugins: {
    awesome: {
      options: {
        reportName: "UI scenarios",
        reportLanguage: "en",
        singleFile: true,
        groupBy: ["titlePath"],
        stepTreeExpansion: "expand_failed_only",
      },
    },
  },
};
