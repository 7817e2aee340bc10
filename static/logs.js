// Follows a log: appends the lines that the page's stream brings (live.js), scrolls to the newest unless the reader has
// scrolled up, and removes the oldest beyond a limit. While it is paused, new lines are counted and kept.
"use strict";

(() => {
  const log = document.getElementById("log");
  const button = document.getElementById("follow");
  if (!log || !button || !log.dataset.events || !window.EventSource) return;

  const limit = 5000;
  const said = document.getElementById("said");
  let following = false;
  let paused = false;
  let waiting = [];
  let lines = log.textContent === "" ? 0 : log.textContent.split("\n").length;

  function show(announce) {
    const count = waiting.length === limit ? `${limit} or more` : waiting.length;
    button.textContent = !following ? "Follow log" : !paused ? "Pause" : waiting.length === 0 ? "Resume" : `Resume (${count} new)`;
    button.setAttribute("aria-pressed", String(following && !paused));
    if (said && announce) said.textContent = announce;
  }

  function append(line) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    log.append(document.createTextNode((lines === 0 ? "" : "\n") + line));
    lines += 1;
    while (lines > limit && log.firstChild !== log.lastChild) {
      lines -= Math.max(1, log.firstChild.textContent.split("\n").length - 1);
      log.firstChild.remove();
    }
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function resume() {
    paused = false;
    for (const line of waiting) append(line);
    waiting = [];
  }

  // Asks for the lines, or for no more.
  const ask = (address) => document.dispatchEvent(new CustomEvent("follow", { detail: address }));

  document.addEventListener("log-end", () => {
    if (!following) return;
    following = false;
    ask(null);
    resume();
    show("Stopped following the log.");
  });

  document.addEventListener("log-line", (event) => {
    if (!paused) {
      append(event.detail);
      return;
    }
    waiting.push(event.detail);
    if (waiting.length > limit) waiting.shift();
    show();
  });

  function follow() {
    following = true;
    ask(log.dataset.events);
    show("Following the log.");
  }

  button.hidden = false;
  log.scrollTop = log.scrollHeight;
  button.addEventListener("click", () => {
    if (!following) {
      follow();
    } else if (paused) {
      resume();
      show("Following the log.");
    } else {
      paused = true;
      show("Paused.");
    }
  });
})();
