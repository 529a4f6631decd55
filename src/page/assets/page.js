// Refreshes the page without a jump: fetches it and swaps <main>. It begins only when the reader asks for it, waits
// while nobody looks or something in <main> is in use, and stops and says so when the page does not come.
"use strict";
(() => {
  const live = document.getElementById("live");
  const link = document.getElementById("refresh");
  if (!live || !link) return;
  const said = live.dataset;
  const url = new URL(said.still, location.href);
  const MARK = "#live";
  // The header would reload the page under the reader; the script goes on by itself instead.
  if (new URL(location.href).searchParams.has("refresh")) {
    location.replace(url.pathname + url.search + MARK);
    return;
  }
  const seconds = Number(said.seconds) || 30;
  let timer = 0;
  const isOn = () => timer !== 0;
  const say = (text) => { if (live.textContent !== text) live.textContent = text; };
  const asOf = () => document.getElementById("asof")?.textContent ?? "";
  const isInUse = () => {
    const main = document.getElementById("main");
    return document.hidden || (main !== document.activeElement && main.contains(document.activeElement))
      || main.querySelector("details[open]") !== null || String(getSelection()) !== "";
  };
  const mark = (hash) => history.replaceState(null, "", location.pathname + location.search + hash);
  const stop = (text) => {
    clearInterval(timer);
    timer = 0;
    link.textContent = said.start;
    mark("");
    say(text);
  };
  const turn = async () => {
    if (isInUse()) return say(said.paused);
    let page;
    try {
      const answer = await fetch(url, { cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(String(answer.status));
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return isOn() ? stop(said.failed.replace("{at}", asOf())) : undefined;
    }
    const main = page.getElementById("main");
    if (!main) return stop(said.failed.replace("{at}", asOf()));
    if (!isOn() || isInUse()) return undefined;
    document.title = page.title;
    document.getElementById("main").replaceWith(document.adoptNode(main));
    return say(said.on);
  };
  const start = () => {
    timer = setInterval(turn, seconds * 1000);
    link.textContent = said.stop;
    mark(MARK);
    say(said.on);
  };
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (isOn()) stop(""); else start();
  });
  document.addEventListener("visibilitychange", () => { if (isOn() && !document.hidden) turn(); });
  if (location.hash === MARK) start();
})();
