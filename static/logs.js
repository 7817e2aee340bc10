// Follows a log: appends new lines, scrolls to the newest unless the reader has scrolled up,
// and removes the oldest beyond a limit.
"use strict";

(() => {
  const log = document.getElementById("log");
  const button = document.getElementById("follow");
  if (!log || !button || !log.dataset.events || !window.EventSource) return;

  const limit = 5000;
  const said = document.getElementById("said");
  let source = null;
  let lines = log.textContent === "" ? 0 : log.textContent.split("\n").length;

  function show(following) {
    button.textContent = following ? "Stop following" : "Follow log";
    button.setAttribute("aria-pressed", String(following));
    if (said) said.textContent = following ? "Following the log." : "Stopped following the log.";
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

  button.hidden = false;
  log.scrollTop = log.scrollHeight;
  button.addEventListener("click", () => {
    if (source) {
      source.close();
      source = null;
      show(false);
      return;
    }
    source = new EventSource(log.dataset.events);
    source.onmessage = (event) => append(event.data);
    source.addEventListener("end", () => {
      source.close();
      source = null;
      show(false);
    });
    show(true);
  });
  window.addEventListener("pagehide", () => source && source.close());
})();
