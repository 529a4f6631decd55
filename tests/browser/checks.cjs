// What must hold of every page, and how it is found out.
"use strict";
const assert = require("node:assert/strict");

const AXE = require("axe-core").source;
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// Most bytes of a page.
const BYTES_MAX = 60000;

// Collects what a page says to the console and asks of other places.
function listen(page, origin) {
  const said = [];
  page.on("console", (message) => said.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) said.push(`request of ${request.url()}`);
  });
  page.on("requestfailed", (request) => said.push(`failed: ${request.url()}`));
  return said;
}

// Opens a page and says how long that took and how large it is.
async function open(page, url, status = 200) {
  const answer = await page.goto(url, { waitUntil: "load" });
  assert.equal(answer.status(), status, url);
  const bytes = (await answer.body()).length;
  assert.ok(bytes <= BYTES_MAX, `${url} has ${bytes} bytes`);
  const { responseStart, responseEnd, requestStart } = await page.evaluate(() => {
    const { responseStart, responseEnd, requestStart } = performance.getEntriesByType("navigation")[0];
    return { responseStart, responseEnd, requestStart };
  });
  return { bytes, ms: Math.max(responseStart, responseEnd) - requestStart };
}

// No rule of WCAG 2.2 AA is violated.
async function accessible(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } }), TAGS);
  const told = violations.map((one) => `${one.id}: ${one.help}\n    ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join("\n    ")}`);
  assert.equal(told.length, 0, `${where}:\n  ${told.join("\n  ")}`);
}

// Nothing is wider than the screen.
async function fits(page, where) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const beyond = [...document.body.querySelectorAll("*")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.right > width + 1 && box.left >= 0 && !one.closest("thead");
    });
    return { scroll: document.documentElement.scrollWidth, width, beyond: beyond.slice(0, 3).map((one) => one.outerHTML.slice(0, 150)) };
  });
  assert.ok(wide.scroll <= wide.width, `${where} scrolls sideways: ${JSON.stringify(wide)}`);
}

// Every link and button is reached by the Tab key alone, can be seen then, and shows that it has the focus.
async function reachable(page, where) {
  const wanted = await page.evaluate(() => document.querySelectorAll("a[href], summary").length);
  const reached = new Set();
  await page.evaluate(() => document.activeElement?.blur());
  for (let turn = 0; turn < wanted + 5; turn += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const style = getComputedStyle(one);
      const box = one.getBoundingClientRect();
      const all = [...document.querySelectorAll("a[href], summary")];
      return { at: all.indexOf(one), what: one.outerHTML.slice(0, 100), outline: style.outlineStyle, seen: box.width > 0 && box.right > 0 && box.top < innerHeight && box.bottom > 0 };
    });
    if (!at) continue;
    assert.ok(at.outline !== "none" && at.seen, `${where}: the focus is not visible at ${at.what}`);
    reached.add(at.at);
  }
  reached.delete(-1);
  assert.equal(reached.size, wanted, `${where}: only ${reached.size} of ${wanted} links are reached`);
}

// Texts that can be read without scrolling.
async function onFirstScreen(page, texts, where) {
  const missing = await page.evaluate((texts) => {
    const shown = [...document.querySelectorAll("h1, h2, p, pre, dd")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight && box.width > 0;
    });
    const text = shown.map((one) => one.innerText).join("\n").toLowerCase();
    return texts.filter((wanted) => !text.includes(wanted.toLowerCase()));
  }, texts);
  assert.deepEqual(missing, [], `${where}: not on the first screen`);
}

module.exports = { accessible, fits, listen, onFirstScreen, open, reachable };
