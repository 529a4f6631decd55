// A folder with a sandbox and a daemon that serves its pages; everything ends with the process.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const PROGRAM = process.env.PREFETCHD;
const KEYS = { ALIBABA_CLOUD_ACCESS_KEY_ID: "sandbox", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "sandbox-secret" };
const DEADLINE_MS = 60000;

const worlds = [];

async function until(what, is) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const value = await is();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

class World {
  constructor() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "prefetchd-pages-"));
    this.processes = [];
    worlds.push(this);
  }

  file(name) { return path.join(this.dir, name); }

  spawn(args, log) {
    const out = fs.openSync(this.file(log), "a");
    const child = spawn(PROGRAM, args, { stdio: ["ignore", out, out], env: { ...process.env, ...KEYS } });
    this.processes.push(child);
    return child;
  }

  // With a sandbox that plays `scenario`, and `config` as a part of the configuration.
  async start(scenario, config = "") {
    fs.writeFileSync(this.file("scenario.toml"), scenario);
    this.spawn(["sandbox", "--listen", "127.0.0.1:0", "--scenario", this.file("scenario.toml")], "sandbox.log");
    const read = (log, pattern) => fs.readFileSync(this.file(log), "utf8").match(pattern)?.[1];
    const endpoint = await until("the sandbox", () => read("sandbox.log", /^listening on (\S+)/m));
    fs.writeFileSync(this.file("prefetchd.toml"), `
[api]
endpoint = "${endpoint}"
[spool]
dir = "${this.file("spool")}"
[database]
url = "sqlite:${this.file("prefetchd.db")}"
[http]
listen = "127.0.0.1:0"
pages = true
${config}`);
    await this.run();
    return this;
  }

  async run() {
    fs.writeFileSync(this.file("daemon.log"), "");
    this.daemon = this.spawn(["run", "--allow-root", "--config", this.file("prefetchd.toml")], "daemon.log");
    const log = () => fs.readFileSync(this.file("daemon.log"), "utf8");
    const address = await until("the daemon", () => log().match(/are served listen=(\S+)/)?.[1]);
    this.origin = `http://${address}`;
  }

  async stop() {
    const ended = new Promise((end) => this.daemon.once("exit", end));
    this.daemon.kill("SIGTERM");
    await ended;
  }

  drop(name, text) {
    const incoming = this.file("spool/incoming");
    fs.writeFileSync(path.join(incoming, `.${name}`), text);
    fs.renameSync(path.join(incoming, `.${name}`), path.join(incoming, name));
  }

  command(...args) {
    const done = spawnSync(PROGRAM, [...args, "--config", this.file("prefetchd.toml")], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`prefetchd ${args.join(" ")}: ${done.stderr}`);
  }

  sql(text) {
    const done = spawnSync("sqlite3", ["-bail", this.file("prefetchd.db")], { input: text, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`sqlite3: ${done.stderr}`);
    return done.stdout.trim();
  }

  // Waits until a query of the database says so.
  async says(query, value) {
    await until(`${value} from ${query}`, () => this.sql(query) === String(value));
  }

  // Waits until a page shows a text.
  async shows(text, at = "/") {
    await until(`${at} to show ${text}`, async () => (await (await fetch(this.origin + at)).text()).includes(text));
  }
}

function end() {
  for (const world of worlds) {
    world.processes.forEach((child) => child.kill("SIGKILL"));
    fs.rmSync(world.dir, { recursive: true, force: true });
  }
}

const urls = (film, count, host = "vod.example.com") =>
  Array.from({ length: count }, (_, n) => `https://${host}/${film}/seg-${String(n).padStart(6, "0")}.ts\n`).join("");

module.exports = { World, end, urls };
