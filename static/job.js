// Follows a job: updates its steps, and when it is done continues with the page that shows the result.
// Without this script the page refreshes itself.
"use strict";

(() => {
  if (!window.EventSource) return;
  const said = document.getElementById("said");
  let followed = null;
  let source = null;

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

  function follow() {
    const box = document.getElementById("steps");
    if (!box || box === followed || !box.dataset.events) return;
    source?.close();
    followed = box;
    source = new EventSource(box.dataset.events);
    const stream = source;
    let last = "";

    stream.onmessage = (event) => {
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
        document.dispatchEvent(new Event("steps"));
      }
      if (news.done) {
        stream.close();
        end(box, news.next);
      }
    };

    // Refused permanently, or interrupted by a proxy.
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => end(box, window.location.pathname), 5000);
    };
  }

  follow();
  document.addEventListener("parts", follow);
  window.addEventListener("pagehide", () => source?.close());
})();
