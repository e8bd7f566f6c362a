// harm.mjs MODULES PAGE...     open pages that may mean harm with Debian's chromium; what they did is printed as JSON
//
// PAGE is an address, or a folder of which each file is opened.  Nothing is judged here: that the tests do.  Of all pages
// together, each with the page's address: {"opened", "dialogs", "ran": calls of what only a page that acts would call,
// "refused" by the policy, "said" on the console, "asked": requests but for the page and what lies beside it, "unseen":
// control and bidi characters, "acting": elements and attributes that could act, "left": pages that went elsewhere}.
import { createRequire } from "node:module";
import { readdirSync, statSync } from "node:fs";

const [modules, ...given] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/node_modules/x.js`)("playwright-core");
const TABS = 2;
const BESIDE = /\/(style\.css|pco\.js|icon\.svg)$/;
const addresses = given.flatMap((one) =>
  one.includes("://") ? [one] : statSync(one).isDirectory() ? readdirSync(one).map((name) => `file://${one}/${name}`) : []
);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  chromiumSandbox: false,
  args: ["--disable-dev-shm-usage", "--disable-gpu"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true, reducedMotion: "reduce" });
const found = { opened: 0, dialogs: [], ran: [], refused: [], said: [], asked: [], unseen: [], acting: [], left: [] };

// What a page that runs anything would call.  It goes on as it would have: the dialog is counted, too.
await context.exposeBinding("told", ({ page }, kind, what) => found[kind].push(`${page.wanted}: ${what}`));
await context.addInitScript(() => {
  for (const name of ["alert", "confirm", "prompt", "open", "print", "fetch"]) {
    const before = globalThis[name];
    globalThis[name] = (...words) => (told("ran", name), before.apply(globalThis, words));
  }
  addEventListener("securitypolicyviolation", (event) => told("refused", `${event.violatedDirective} ${event.blockedURI}`));
});

// In the page: what stands in it that nobody sees, and what could act if somebody clicked, or a browser were older.
async function inspect() {
  // What the page has begun comes to its end.
  await new Promise((done) => setTimeout(done));
  // A joiner has its place between pictures, and between letters of scripts that need it.
  const JOINED = /(?<=[\u2190-\u2bff\ufe0f\u{1f000}-\u{1faff}])\u200d(?=[\u2190-\u2bff\u{1f000}-\u{1faff}])|(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])/gu;
  const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const TAGS = ["BASE", "EMBED", "FORM", "FRAME", "IFRAME", "IMG", "MATH", "META", "OBJECT", "SCRIPT", "STYLE", "TEMPLATE"];
  const unseen = new Set();
  const acting = new Set();
  const read = (words) => {
    for (const one of words.replace(JOINED, "").match(UNSEEN) ?? []) {
      if (one !== "\n" && one !== "\t") {
        unseen.add(one.codePointAt(0).toString(16));
      }
    }
  };
  read(document.documentElement.textContent);
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      read(name + value);
      const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name);
      if (/^on|^style$|^srcdoc$/.test(name) || (leads && !/^(https?:|mailto:|#|(\.\.\/)?[\w/-]*(\.\w+)?(#[\w-]*)?$)/i.test(value))) {
        acting.add(`${name}=${value}`.slice(0, 120));
      }
    }
    // In <head> stand the page's own.
    if (TAGS.includes(element.tagName) && !(element.closest("head") && document.head.querySelectorAll("title").length === 1)) {
      acting.add(`<${element.tagName}>`);
    }
  }
  return { unseen: [...unseen], acting: [...acting] };
}

async function walk(page) {
  for (let address = addresses.shift(); address; address = addresses.shift()) {
    page.wanted = address;
    await page.goto(address, { waitUntil: "load" }).catch((error) => found.left.push(`${address}: ${error.message}`));
    const { unseen, acting } = await page.evaluate(inspect).catch((error) => ({ unseen: [], acting: [`${error}`] }));
    for (const one of unseen) {
      found.unseen.push(`${address}: ${one}`);
    }
    for (const one of acting) {
      found.acting.push(`${address}: ${one}`);
    }
    if (page.url() !== address) {
      found.left.push(`${address}: ${page.url()}`);
    }
    found.opened++;
  }
}

async function tab() {
  const page = await context.newPage();
  page.on("console", (message) => found.said.push(`${page.wanted}: ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => found.said.push(`${page.wanted}: error: ${error.message}`));
  page.on("dialog", (dialog) => {
    found.dialogs.push(`${page.wanted}: ${dialog.type()}`);
    return dialog.dismiss().catch(() => {});
  });
  page.on("request", (request) => {
    const url = request.url();
    if (url !== page.wanted && !(url.startsWith(new URL(page.wanted).origin + "/") && BESIDE.test(url))) {
      found.asked.push(`${page.wanted}: ${url}`);
    }
  });
  return walk(page);
}

await Promise.all(Array.from({ length: TABS }, tab));
await browser.close();
console.log(JSON.stringify(found));
