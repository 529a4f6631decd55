// The five situations that somebody who has never seen the program must understand from the first screen alone: what is
// wrong, and what to type. Each names the texts that have to be visible without scrolling.
"use strict";
const { World, urls } = require("./world.cjs");

// Seconds from now, as a directive wants it.
const at = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();

const STAGES = [
  {
    name: "all is well",
    async set() {
      const world = await new World().start("");
      world.drop("film.txt", urls("film", 20));
      await world.says("select submitted from v_status", 20);
      await world.shows("All is well");
      return world;
    },
    en: ["All is well: nothing needs you", "The daemon is running"],
    zh: ["一切正常：无需处理", "守护进程正在运行"],
    command: null,
  },
  {
    name: "the quota is eaten by others",
    async set() {
      const world = await new World().start('[quota]\nper_day = 500\nused = 500\n', '[schedule]\nlinger = "1s"\n');
      world.drop("premiere.txt", `#: priority = urgent\n${urls("premiere", 30)}`);
      await world.shows("urgent URLs wait");
      return world;
    },
    en: ["1 thing needs you", "30 urgent URLs wait and what the day may cost is spent"],
    zh: ["有 1 项需要处理", "30 个紧急 URL"],
    command: "prefetchd forecast",
  },
  {
    name: "the account is suspended",
    async set() {
      const world = await new World().start("[account]\nsuspended = true\n");
      world.drop("film.txt", urls("film", 20));
      await world.says("select paused_code from v_status", "suspended");
      await world.shows("overdue payment");
      return world;
    },
    en: ["1 thing needs you", "the account is suspended for an overdue payment"],
    zh: ["有 1 项需要处理", "账号因欠费被停用"],
    command: "prefetchd resume",
  },
  {
    name: "a deadline is at risk",
    async set() {
      const world = await new World().start("[limits]\nurls_per_call = 10\n", "[budget]\nrequests_per_day = 2\n[schedule]\nbatch_urls_max = 10\n");
      world.drop("premiere.txt", `#: deadline = ${at(7200)}\n${urls("premiere", 60)}`);
      await world.shows("will miss");
      return world;
    },
    en: ["thing needs you", "URLs of premiere.txt will miss their deadline"],
    zh: ["需要处理", "premiere.txt"],
    command: "prefetchd forecast premiere.txt",
  },
  {
    name: "a domain is offline",
    async set() {
      const domains = ["vod.example.com", "off.example.com"];
      const rules = domains.map((name, n) => `[[domain]]\nname = "${name}"\nstatus = "${n ? "offline" : "online"}"\n`);
      const world = await new World().start(rules.join(""));
      world.drop("film.txt", urls("film", 20) + urls("film", 7, "off.example.com"));
      await world.shows("off.example.com");
      await world.shows("not online in this account");
      return world;
    },
    en: ["1 thing needs you", "7 URLs belong to domains that are not online in this account"],
    zh: ["有 1 项需要处理", "7 个 URL"],
    command: "prefetchd hosts",
  },
];

module.exports = { STAGES };
