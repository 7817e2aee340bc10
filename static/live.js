// Keeps a page current: when the portal says that something has changed, fetches the page again and replaces the parts
// that differ. Parts have a name (data-part); a part that is being used is left alone until the next time. The page has one
// stream of events: it also brings the steps of a job that is shown (job.js) and the lines of a log that is followed
// (logs.js).
"use strict";

(() => {
  const main = document.querySelector("main.content");
  const address = document.body.dataset.live;
  if (!main || !window.EventSource) return;

  const said = document.getElementById("said");
  const name = (part) => part.dataset.part;
  const parts = (from) => [...from.children].filter((child) => child.dataset.part);
  // What the portal sent, because scripts change the parts of the page.
  const sent = new Map(parts(main).map((part) => [name(part), part.outerHTML]));
  let stream = null;
  let opened = null;
  let log = null;
  let busy = false;
  let again = false;

  // What a button of the mouse, a finger or a pen is on: there is no click if a part is replaced between press and release.
  let held = null;
  let delayed = false;
  function release(event) {
    const target = held;
    // The click follows the release.
    setTimeout(() => {
      if (held !== target) return;
      held = null;
      if (delayed) refresh();
      delayed = false;
    }, event.type === "pointerup" ? 100 : 0);
  }
  // A context menu takes the release for itself, and so does another window.
  document.addEventListener("pointerdown", (event) => { if (event.button === 0) held = event.target; }, true);
  for (const type of ["pointerup", "pointercancel", "click", "contextmenu", "visibilitychange"]) {
    document.addEventListener(type, release, true);
  }
  window.addEventListener("blur", release);

  function clicking(part) {
    const here = held !== null && part.contains(held);
    delayed ||= here;
    return here;
  }

  // Whether somebody is using a part: has typed in it, is choosing from a menu, is clicking, or is selecting text.
  function used(part) {
    const selection = window.getSelection();
    const typed = [...part.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue);
    return typed || clicking(part) || part.contains(document.activeElement) || part.querySelector("details.menu[open]") !== null ||
      (selection && !selection.isCollapsed && part.contains(selection.anchorNode));
  }

  // Folds stay open, and text keeps its scroll position.
  function keep(old, part) {
    const label = (fold) => fold.querySelector("summary")?.textContent;
    const open = [...old.querySelectorAll("details[open]")].map(label);
    for (const fold of part.querySelectorAll("details")) {
      if (open.includes(label(fold))) fold.open = true;
    }
    const texts = old.querySelectorAll(".pre");
    return () => part.querySelectorAll(".pre").forEach((pre, n) => { if (texts[n]) pre.scrollTop = texts[n].scrollTop; });
  }

  function replace(old, part, html) {
    const scroll = keep(old, part);
    old.replaceWith(part);
    scroll();
    sent.set(name(part), html);
  }

  // The steps of a job come with the stream.
  const job = (part) => part.querySelector("#steps")?.dataset.events;
  const follows = (old, part) => name(part) === "job" && job(old) === job(part);

  function merge(page) {
    const fresh = page.querySelector("main.content");
    if (!fresh) return;
    const state = () => main.querySelector(".head .chip")?.textContent;
    const before = state();
    const wanted = new Set();
    let last = null;
    for (const part of parts(fresh)) {
      const key = name(part);
      const html = part.outerHTML;
      const old = parts(main).find((one) => name(one) === key);
      wanted.add(key);
      if (!old) {
        if (last) last.after(part);
        else main.prepend(part);
        sent.set(key, html);
        last = part;
      } else if (sent.get(key) === html || "still" in old.dataset || follows(old, part) || used(old)) {
        last = old;
      } else {
        replace(old, part, html);
        last = part;
      }
    }
    for (const part of parts(main)) {
      // The steps of a job that has ended stay, with their result.
      if (!wanted.has(name(part)) && name(part) !== "job" && !used(part)) {
        part.remove();
        sent.delete(name(part));
      }
    }
    const now = state();
    if (said && now && now !== before) said.textContent = now;
    document.dispatchEvent(new Event("parts"));
  }

  async function refresh() {
    if (!address) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const here = window.location;
      const reply = await fetch(here.pathname + here.search, { headers: { "X-DB4SCI-Live": "1" }, cache: "no-store" });
      // Signed out, or the database no longer exists.
      if (reply.redirected || reply.status === 401 || reply.status === 404) here.reload();
      else if (reply.ok) merge(new DOMParser().parseFromString(await reply.text(), "text/html"));
    } catch {
      // The portal cannot be reached; the stream reconnects by itself.
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }

  // The stream of the job whose steps are shown, until it has ended: /jobs/ID/events.
  function shownJob() {
    const box = document.getElementById("steps");
    return box && !("ended" in box.dataset) ? box.dataset.events : undefined;
  }

  // The address of the stream that this page needs now. Nobody sees a hidden page, unless it shows what is going on.
  function needed() {
    const shown = shownJob();
    const base = log || address;
    if (document.hidden && !shown && !log) return null;
    if (!base) return shown || null;
    const url = new URL(base, window.location.href);
    if (shown) url.searchParams.set("job", shown.split("/")[2]);
    return url.pathname + url.search;
  }

  function close() {
    stream?.close();
    stream = null;
    opened = null;
  }

  const tell = (type) => (event) => document.dispatchEvent(new CustomEvent(type, { detail: event.data }));

  function listen() {
    const wanted = needed();
    if (wanted === opened) return;
    close();
    if (!wanted) return;
    const source = new EventSource(wanted);
    stream = source;
    opened = wanted;
    source.addEventListener("changed", refresh);
    source.addEventListener("steps", tell("job-steps"));
    source.addEventListener("end", tell("log-end"));
    source.onmessage = tell(log ? "log-line" : "job-steps");
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(() => retry(source), 5000); };
  }

  // After a stream was refused, or interrupted by a proxy.
  function retry(source) {
    if (source !== stream) return;
    close();
    if (log) {
      document.dispatchEvent(new CustomEvent("log-end"));
    } else if (address) {
      refresh();
      listen();
    } else {
      window.location.reload();
    }
  }

  document.addEventListener("refresh", refresh);
  document.addEventListener("listen", listen);
  document.addEventListener("parts", listen);
  // The log to follow, or null.
  document.addEventListener("follow", (event) => {
    log = event.detail;
    listen();
  });
  document.addEventListener("visibilitychange", () => {
    const missed = !document.hidden && !stream;
    listen();
    if (missed) refresh();
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", listen);
  listen();
})();
