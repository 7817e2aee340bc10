// Follows a log: appends new lines, scrolls to the newest unless the reader has scrolled up, and removes the oldest
// beyond a limit. While it is paused, new lines are counted and kept.
"use strict";

(() => {
  const log = document.getElementById("log");
  const button = document.getElementById("follow");
  if (!log || !button || !log.dataset.events || !window.EventSource) return;

  const limit = 5000;
  const said = document.getElementById("said");
  let source = null;
  let paused = false;
  let waiting = [];
  let lines = log.textContent === "" ? 0 : log.textContent.split("\n").length;

  function show(announce) {
    const count = waiting.length === limit ? `${limit} or more` : waiting.length;
    button.textContent = !source ? "Follow log" : !paused ? "Pause" : waiting.length === 0 ? "Resume" : `Resume (${count} new)`;
    button.setAttribute("aria-pressed", String(Boolean(source) && !paused));
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

  function end() {
    if (source) source.close();
    source = null;
    resume();
    show("Stopped following the log.");
  }

  function follow() {
    source = new EventSource(log.dataset.events);
    source.onmessage = (event) => {
      if (!paused) {
        append(event.data);
        return;
      }
      waiting.push(event.data);
      if (waiting.length > limit) waiting.shift();
      show();
    };
    source.addEventListener("end", end);
    show("Following the log.");
  }

  button.hidden = false;
  log.scrollTop = log.scrollHeight;
  button.addEventListener("click", () => {
    if (!source) {
      follow();
    } else if (paused) {
      resume();
      show("Following the log.");
    } else {
      paused = true;
      show("Paused.");
    }
  });
  window.addEventListener("pagehide", () => source && source.close());
})();
