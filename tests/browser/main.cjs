// The tests of the pages in a real browser; `run` starts this.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const { accessible, fits, listen, onFirstScreen, open, reachable } = require("./checks.cjs");
const { STAGES } = require("./stages.cjs");
const { World, end, urls } = require("./world.cjs");

const FILL = fs.readFileSync(path.join(__dirname, "fill.sql"), "utf8");
const PICTURES = path.join(__dirname, "../../docs/images");
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 320, height: 640 };

const started = Date.now();
const say = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

// Each in turn, in a tab of its own.
async function tab(browser, options, visit) {
  const context = await browser.newContext(options);
  try {
    await visit(await context.newPage());
  } finally {
    await context.close();
  }
}

async function large() {
  const world = await new World().start("");
  await world.stop();
  world.sql(FILL);
  await world.run();
  await world.shows("batch-");
  say(`${world.sql("select count(*) from files")} files and ${world.sql("select count(*) from urls")} URLs`);
  return world;
}

// Every page in both languages, by day and by night, wide and narrow, with and without its script.
async function matrix(browser, world) {
  const next = (await (await fetch(world.origin)).text()).match(/href="\/\?(page=w[^"#]*)/)[1];
  const places = [["/", 200], [`/?${next}`, 200], ["/files/1", 200], ["/files/60010", 200], ["/files/100001", 404], ["/?page=no", 400]];
  const seen = new Map();
  for (const lang of ["en", "zh"]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const viewport of [WIDE, NARROW]) {
        for (const javaScriptEnabled of [true, false]) {
          await tab(browser, { colorScheme, viewport, javaScriptEnabled, locale: lang === "zh" ? "zh-CN" : "en-GB" }, async (page) => {
            const said = listen(page, world.origin);
            for (const [at, status] of places) {
              const where = `${at} ${lang} ${colorScheme} ${viewport.width} px, script ${javaScriptEnabled ? "on" : "off"}`;
              said.length = 0;
              const { bytes, ms } = await open(page, world.origin + at, status);
              // An answer that is no page for readers is told to the console by the browser itself.
              const heard = said.filter((line) => status === 200 || !line.includes("Failed to load resource"));
              assert.deepEqual(heard, [], where);
              assert.equal(await page.locator("html").getAttribute("lang"), lang === "zh" ? "zh-CN" : "en", where);
              await fits(page, where);
              // The two pages that only say something are alike.
              if (javaScriptEnabled && status !== 400) await accessible(page, where);
              const before = seen.get(at) ?? { bytes: 0, all: [] };
              seen.set(at, { bytes: Math.max(before.bytes, bytes), all: [...before.all, ms] });
            }
          });
        }
      }
    }
  }
  for (const [at, { bytes, all }] of seen) {
    all.sort((a, b) => a - b);
    const [least, middle, most] = [all[0], all[all.length >> 1], all[all.length - 1]].map((ms) => ms.toFixed(0));
    say(`${at}: ${least} to ${most} ms, ${middle} at the median; ${bytes} bytes`);
  }
}

async function keyboard(browser, world) {
  for (const viewport of [WIDE, NARROW]) {
    await tab(browser, { viewport, locale: "en-GB" }, async (page) => {
      for (const at of ["/", "/files/60010"]) {
        await open(page, world.origin + at);
        await reachable(page, `${at} ${viewport.width} px`);
      }
      await page.keyboard.press("Home");
      await open(page, world.origin);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the first link leads to the content");
      // A table opens by the keyboard, and nothing scrolls sideways then.
      await page.locator("summary").first().focus();
      await page.keyboard.press("Enter");
      assert.ok(await page.locator("details[open]").count() > 0, "the table opens by the keyboard");
      await fits(page, `an open table, ${viewport.width} px`);
      await accessible(page, `an open table, ${viewport.width} px`);
    });
  }
}

// The script swaps the content, waits while somebody reads, and stops and says so when no answer comes.
async function refresh(browser, world) {
  await tab(browser, { viewport: WIDE, locale: "en-GB" }, async (page) => {
    const said = listen(page, world.origin);
    await page.clock.install();
    await page.goto(world.origin);
    const live = page.locator("#live");
    const mark = () => page.evaluate(() => { document.getElementById("main").dataset.old = "1"; });
    const isOld = () => page.evaluate(() => document.getElementById("main").dataset.old === "1");
    const turn = () => page.clock.runFor(31000);
    await page.locator("#refresh").click();
    assert.equal(await live.innerText(), "Refreshed every 30 s");
    assert.equal(await page.locator("#refresh").innerText(), "Stop refreshing");
    await mark();
    await turn();
    await page.waitForFunction(() => document.getElementById("main").dataset.old !== "1");
    await mark();
    await page.locator("summary").first().click();
    await turn();
    assert.ok(await isOld(), "an open table waits");
    assert.equal(await live.innerText(), "Refreshing waits while you read");
    await page.locator("summary").first().click();
    await page.evaluate(() => document.querySelector("#files a").focus());
    await turn();
    assert.ok(await isOld(), "the focus waits");
    await page.evaluate(() => {
      document.activeElement.blur();
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    });
    await turn();
    assert.ok(await isOld(), "what is hidden waits");
    await page.evaluate(() => { delete document.hidden; });
    await page.locator("#refresh").click();
    await turn();
    assert.ok(await isOld(), "what was stopped stays");
    assert.deepEqual(said, []);
    await page.locator("#refresh").click();
    await page.route("**/*", (route) => route.abort());
    await turn();
    await page.waitForFunction(() => document.getElementById("live").textContent.startsWith("Refreshing has stopped"));
    assert.match(await live.innerText(), /as of .*UTC\+8/);
    assert.equal(await page.locator("#refresh").innerText(), "Refresh every 30 s");
  });
  // Without the script the header does it, and the link stops it; with it, the header is left at once.
  await tab(browser, { javaScriptEnabled: false, locale: "zh-CN" }, async (page) => {
    await open(page, `${world.origin}/?refresh=5`);
    const reloaded = page.waitForEvent("framenavigated", { timeout: 20000 });
    await reloaded;
    await page.locator("#refresh").click();
    assert.equal(page.url(), `${world.origin}/`);
  });
  await tab(browser, { locale: "en-GB" }, async (page) => {
    await page.goto(`${world.origin}/?lang=zh&refresh=30`);
    await page.waitForURL(`${world.origin}/?lang=zh#live`);
    await page.waitForFunction(() => document.getElementById("live").textContent === "每 30 秒刷新一次");
  });
}

// What is wrong and what to type can be seen without scrolling.
async function stages(browser) {
  const worlds = await Promise.all(STAGES.map((stage) => stage.set()));
  for (const [n, stage] of STAGES.entries()) {
    const world = worlds[n];
    for (const lang of ["en", "zh"]) {
      for (const viewport of [WIDE, NARROW]) {
        await tab(browser, { viewport, locale: lang === "zh" ? "zh-CN" : "en-GB" }, async (page) => {
          const where = `${stage.name} ${lang} ${viewport.width} px`;
          await open(page, world.origin);
          const command = stage.command ? [stage.command] : [];
          await onFirstScreen(page, [...stage[lang], ...command], where);
          assert.equal(await page.locator("#needs").count(), stage.command ? 1 : 0, where);
          // In every form, the matrix looks for that.
          if (lang === "en") await accessible(page, where);
          await fits(page, where);
        });
      }
    }
    say(stage.name);
  }
}

// A few, of an ordinary day.
async function pictures(browser) {
  const world = await new World();
  await world.start('[tasks]\ntakes = "2s"\n[[domain]]\nname = "vod.example.com"\n[[domain]]\nname = "old.example.com"\nstatus = "offline"\n', '[track]\nfirst_after = "1s"\n[budget]\nrequests_per_day = 60\n[schedule]\nbatch_urls_max = 50\n');
  world.drop("catalogue.txt", `${urls("catalogue", 400)}not a url\n`);
  world.drop("第一集-首映.txt", `#: priority = urgent\n#: label = 首映\n#: deadline = ${new Date(Date.now() + 3e7).toISOString()}\n${urls("e01", 900)}`);
  await world.says("select complete >= 1300 from v_status", 1);
  world.drop("old-films.txt", urls("old", 40, "old.example.com"));
  await world.shows("old.example.com");
  // As if the batches had gone all day long.
  await world.stop();
  world.sql(`update submissions set opened_at = start + (submission_id - 1) * step
             from (select starts_at as start, (unixepoch() * 1000 - starts_at) / 30 as step from budget_days)`);
  await world.run();
  await world.shows("old.example.com");
  fs.mkdirSync(PICTURES, { recursive: true });
  const shots = [
    ["page-en.png", "/", { viewport: { width: 1000, height: 1150 }, locale: "en-GB", colorScheme: "light" }],
    ["page-zh.png", "/", { viewport: { width: 1000, height: 1150 }, locale: "zh-CN", colorScheme: "dark" }],
    ["page-phone-en.png", "/files/2", { viewport: { width: 390, height: 844 }, locale: "en-GB", colorScheme: "dark" }],
    ["page-phone-zh.png", "/", { viewport: { width: 390, height: 844 }, locale: "zh-CN", colorScheme: "light" }],
  ];
  for (const [name, at, options] of shots) {
    await tab(browser, options, async (page) => {
      await open(page, world.origin + at);
      // As where the configuration lies in its usual place.
      await page.evaluate((flag) => {
        for (const code of document.querySelectorAll("code")) code.textContent = code.textContent.replace(flag, "");
      }, ` --config ${world.file("prefetchd.toml")}`);
      await page.screenshot({ path: path.join(PICTURES, name) });
    });
  }
}

async function main() {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    if (process.argv.includes("--pictures")) return await pictures(browser);
    const world = await large();
    await matrix(browser, world);
    say("every page in every form");
    await keyboard(browser, world);
    say("by the keyboard alone");
    await refresh(browser, world);
    say("refreshing");
    await stages(browser);
    return undefined;
  } finally {
    await browser.close();
    end();
  }
}

process.on("exit", end);
main().then(() => say("done"), (error) => {
  console.error(error.message ?? error);
  process.exitCode = 1;
});
