// score.mjs MODULES BASE PAGE...     have Lighthouse score pages, as on a phone; printed as JSON
//
// MODULES is the folder that `fetch` has filled from lighthouse/, BASE the address of the site.  Per page: {"scores":
// {category: 0 to 1}, "poor": what cost points, "error"}.  Nothing is judged here: that lighthouse.py does.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, base, ...pages] = process.argv.slice(2);
const require = createRequire(`${modules}/node_modules/x.js`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: lighthouse } = await load("lighthouse");
const { launch } = await load("chrome-launcher");

const chromeFlags = ["--headless=new", "--no-sandbox", "--ignore-certificate-errors", "--disable-dev-shm-usage"];
// Search engines have no business on a dashboard: it asks them to stay away, which Lighthouse would call a fault.
const onlyCategories = ["performance", "accessibility", "best-practices"];

function poor(report) {
  return Object.values(report.categories)
    .flatMap((category) => category.auditRefs)
    .filter((reference) => reference.weight > 0)
    .map((reference) => report.audits[reference.id])
    .filter((audit) => audit.score !== null && audit.score < 0.9)
    .map((audit) => [audit.id, audit.displayValue, audit.explanation].filter(Boolean).join(" "));
}

const chrome = await launch({ chromePath: "/usr/bin/chromium", chromeFlags });
const found = {};
for (const page of pages) {
  const { lhr } = await lighthouse(base + page, { port: chrome.port, logLevel: "error", onlyCategories });
  const scores = Object.fromEntries(Object.entries(lhr.categories).map(([name, one]) => [name, one.score]));
  found[page] = { scores, poor: poor(lhr), error: lhr.runtimeError?.message ?? "" };
}
await chrome.kill();
console.log(JSON.stringify(found));
