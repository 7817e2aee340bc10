// Follows a job: updates its steps, and opens the page of the database when it is done.
// Without this script the page refreshes itself.
"use strict";

(() => {
  const box = document.getElementById("steps");
  if (!box || !box.dataset.events || !window.EventSource) return;

  const said = document.getElementById("said");
  const source = new EventSource(box.dataset.events);
  let last = "";

  source.onmessage = (event) => {
    let news;
    try {
      news = JSON.parse(event.data);
    } catch {
      return;
    }
    if (typeof news.html === "string") {
      box.innerHTML = news.html; // rendered and escaped by the portal
      const inner = box.querySelector("[data-now]");
      const now = inner ? inner.dataset.now : "";
      if (said && now && now !== last) said.textContent = now;
      last = now;
    }
    if (news.done) {
      source.close();
      const here = window.location;
      // A page about something else than the job stays, unless there is a reason to show.
      if ("stay" in box.dataset && news.state === "succeeded") {
        here.reload();
        return;
      }
      if (typeof news.next === "string" && news.next.startsWith("/") && !news.next.startsWith("//")) {
        if (news.next === here.pathname) here.reload();
        else here.assign(news.next);
      }
    }
  };

  // Refused permanently, or interrupted by a proxy: reload the page.
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => window.location.reload(), 5000);
  };

  window.addEventListener("pagehide", () => source.close());
})();
