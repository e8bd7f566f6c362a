// look.mjs MODULES BASE PAGE...     look at pages with Debian's chromium; what was seen is printed as JSON
//
// MODULES is the folder that `fetch` has filled, BASE the address of the site.  Nothing is judged here: that the tests
// do.  Per page: {"status", "requests", "bytes", "elsewhere", "said" on the console, "refused" by the policy, "axe":
// {"light", "dark"}, "invalid" HTML, "wide": widths at which it must be scrolled sideways, "links", "bare": what it says
// without scripts, "refresh", "keys": what the keyboard reaches}, and what the filter does, of the first page.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, base, ...pages] = process.argv.slice(2);
const require = createRequire(`${modules}/node_modules/x.js`);
const { chromium } = require("playwright-core");
const { HtmlValidate } = require("html-validate");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [320, 390, 768, 1280, 1920, 3840];

const validator = new HtmlValidate({
  extends: ["html-validate:standard", "html-validate:a11y"],
  // The refresh stands in <noscript>, for who reads without scripts; whoever has them is not interrupted.
  rules: { "no-trailing-whitespace": "off", "meta-refresh": "off" },
});
const args = ["--disable-dev-shm-usage", "--disable-gpu"];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", chromiumSandbox: false, args });
const settings = { ignoreHTTPSErrors: true, reducedMotion: "reduce" };

async function opened(options) {
  const context = await browser.newContext({ ...settings, ...options });
  const page = await context.newPage();
  const seen = { requests: [], elsewhere: [], said: [], refused: [], bytes: 0, answers: [] };
  page.on("console", (message) => seen.said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.said.push(`error: ${error.message}`));
  page.on("request", (request) => {
    seen.requests.push(request.url());
    if (!request.url().startsWith(base)) {
      seen.elsewhere.push(request.url());
    }
  });
  page.on("response", (answer) => seen.answers.push(answer));
  await page.exposeFunction("refused", (what) => seen.refused.push(what));
  await page.addInitScript(() =>
    addEventListener("securitypolicyviolation", (event) => refused(`${event.violatedDirective} ${event.blockedURI}`))
  );
  return { context, page, seen };
}

async function judged(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

async function reached(page) {
  const wanted = await page.evaluate(
    () =>
      [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")].filter((e) =>
        e.checkVisibility()
      ).length
  );
  await page.evaluate(() => document.activeElement.blur());
  const found = [];
  for (let n = 0; n < wanted + 5; n++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) {
        return null;
      }
      const known = "reached" in element.dataset;
      element.dataset.reached = "";
      const style = getComputedStyle(element);
      return { known, ring: style.outlineStyle !== "none" && style.outlineWidth !== "0px", tag: element.tagName };
    });
    if (at === null || at.known) {
      break;
    }
    found.push(at);
  }
  return { wanted, reached: found.length, ringless: found.filter((at) => !at.ring).length };
}

async function look(path) {
  const address = base + path;
  const { context, page, seen } = await opened({ colorScheme: "light", viewport: { width: 1280, height: 900 } });
  const answer = await page.goto(address, { waitUntil: "networkidle" });
  const source = await answer.text();
  const told = { status: answer.status(), html: source.length, axe: { light: await judged(page) } };
  await page.emulateMedia({ colorScheme: "dark" });
  told.axe.dark = await judged(page);
  for (const one of seen.answers) {
    seen.bytes += (await one.body().catch(() => "")).length;
  }
  told.wide = [];
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const [needs, has] = await page.evaluate(() => {
      const root = document.documentElement;
      return [root.scrollWidth, root.clientWidth];
    });
    if (needs > has) {
      told.wide.push(`${width}: ${needs}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  told.keys = await reached(page);
  told.links = await page.evaluate(() => [...document.links].map((link) => link.href));
  await context.close();

  const bare = await opened({ javaScriptEnabled: false });
  await bare.page.goto(address);
  told.bare = await bare.page.locator("main").innerText();
  told.refresh = (await bare.page.locator("meta[http-equiv=refresh]").count()) > 0;
  told.controls = await bare.page.locator("input, button").count();
  await bare.context.close();

  const report = await validator.validateString(source);
  told.invalid = report.results.flatMap((result) =>
    result.messages.map((one) => `${one.line}:${one.column} ${one.ruleId}: ${one.message}`)
  );
  const { requests, elsewhere, said, refused, bytes } = seen;
  return { ...told, requests: requests.length, elsewhere, said, refused, bytes };
}

async function filtered(path) {
  const { context, page, seen } = await opened({ viewport: { width: 1280, height: 900 } });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
  await page.goto(base + path);
  const shown = () => page.locator(".card:visible").count();
  const told = { all: await shown() };
  await page.keyboard.press("/");
  await page.keyboard.type("BLOCKED");
  told.blocked = await shown();
  told.status = await page.locator("[role=status]").innerText();
  told.address = page.url().replace(base, "");
  await page.reload();
  told.reloaded = await shown();
  told.typing = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Escape");
  told.cleared = await shown();
  await page.keyboard.press("/");
  await page.keyboard.type("-blocked");
  told.without = await shown();
  await page.keyboard.press("Escape");
  await page.locator(".card h4 a").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ticket/*");
  await page.locator("button.copy").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("button.copy").textContent === "copied", null, {
    timeout: 10000,
  });
  told.copied = await page.evaluate(() => navigator.clipboard.readText());
  told.said = seen.said;
  await context.close();
  return told;
}

// Whether a page asks again by itself, and waits while a text is marked.
async function renewed(path) {
  const { context, page } = await opened({});
  await page.clock.install();
  await page.goto(base + path);
  let count = 0;
  page.on("load", () => count++);
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector("h1")));
  await page.clock.runFor(60000);
  const marked = count;
  await page.locator("details summary").first().click();
  await page.evaluate(() => getSelection().removeAllRanges());
  const loaded = page.waitForEvent("load");
  await page.clock.runFor(2000);
  await loaded;
  const unfolded = await page.locator("details").first().getAttribute("open");
  await context.close();
  return { marked, unfolded: unfolded !== null };
}

const found = { pages: {} };
for (const path of pages) {
  found.pages[path] = await look(path);
}
found.filter = await filtered(pages[0]);
found.renewed = await renewed(pages[0]);
const links = new Set(Object.values(found.pages).flatMap((one) => one.links.map((link) => link.split("#")[0])));
const context = await browser.newContext(settings);
found.dead = [];
for (const link of links) {
  if (link.startsWith(base)) {
    const status = (await context.request.head(link)).status();
    if (status !== 200) {
      found.dead.push(`${link}: ${status}`);
    }
  }
}
await browser.close();
console.log(JSON.stringify(found));
