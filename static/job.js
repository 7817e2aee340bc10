// Shows the steps of a job as the page's stream brings them (live.js), and when it is done continues with the page that
// shows the result. Without this script the page refreshes itself.
"use strict";

(() => {
  const said = document.getElementById("said");
  let last = "";

  // A tab keeps the steps with their result and updates its other parts, because something may be typed in it. The
  // overview loads again, and the page of the job opens the one that shows its result.
  function end(box, next) {
    const here = window.location;
    if (box.dataset.after === "parts") document.dispatchEvent(new Event("refresh"));
    else if (box.dataset.after === "reload") here.reload();
    else if (typeof next === "string" && next.startsWith("/") && !next.startsWith("//")) {
      if (next === here.pathname) here.reload();
      else here.assign(next);
    }
  }

  document.addEventListener("job-steps", (event) => {
    const box = document.getElementById("steps");
    if (!box || "ended" in box.dataset) return;
    let news;
    try {
      news = JSON.parse(event.detail);
    } catch {
      return;
    }
    if (typeof news.html === "string") {
      box.innerHTML = news.html; // rendered and escaped by the portal
      const inner = box.querySelector("[data-now]");
      const now = inner ? inner.dataset.now : "";
      if (said && now && now !== last) said.textContent = now;
      last = now;
      document.dispatchEvent(new Event("steps"));
    }
    if (news.done) {
      box.dataset.ended = "true";
      document.dispatchEvent(new Event("listen"));
      end(box, news.next);
    }
  });
})();
