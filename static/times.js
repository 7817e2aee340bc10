// Shows the local time beside UTC: after times that are written out, and on hover of the others.
"use strict";

(() => {
  const clock = { hour: "2-digit", minute: "2-digit", timeZoneName: "short", hourCycle: "h23" };
  const time = new Intl.DateTimeFormat(undefined, clock);
  const day = new Intl.DateTimeFormat(undefined, { ...clock, month: "short", day: "numeric" });
  const written = /(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) UTC/;
  // Not in what a server or a program says, nor in what is copied or typed.
  const literal = "pre, code, option, textarea, script, noscript, time, .local, .moment";

  // The local time, with the day if that differs from the one in UTC. Nothing if this is where UTC applies.
  function local(at) {
    if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) return "";
    return (at.getUTCDate() === at.getDate() ? time : day).format(at);
  }

  function beside(node, text) {
    const span = document.createElement("span");
    const time = document.createElement("span");
    span.className = "local";
    time.className = "moment";
    time.textContent = text;
    span.append(" · ", time);
    node.after(span);
  }

  function complete(element) {
    if (element.dataset.local) return;
    element.dataset.local = "true";
    const text = local(new Date(element.dateTime));
    if (!text) return;
    if (element.classList.contains("written")) beside(element, text);
    else if (element.title) element.title += ` · ${text}`;
  }

  // Times within sentences.
  function completeText(root) {
    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (written.test(node.data) && !node.parentElement.closest(literal)) found.push(node);
    }
    for (let node of found) {
      for (let match = written.exec(node.data); match; match = written.exec(node.data)) {
        const text = local(new Date(`${match[1]}T${match[2]}Z`));
        const utc = node.splitText(match.index);
        node = utc.splitText(match[0].length);
        if (!text) continue;
        const span = document.createElement("span");
        span.className = "moment";
        utc.replaceWith(span);
        span.append(utc);
        beside(span, text);
      }
    }
  }

  function all() {
    document.querySelectorAll("time[datetime]").forEach(complete);
    const main = document.querySelector("main");
    if (main) completeText(main);
  }
  all();
  // Parts of the page that were replaced.
  document.addEventListener("parts", all);
  document.addEventListener("steps", all);
})();
