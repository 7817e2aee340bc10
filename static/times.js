// Shows the local time beside UTC: on hover of each time, and after times that are written out.
"use strict";

(() => {
  const style = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const zone = style.resolvedOptions().timeZone;

  function complete(time) {
    const at = new Date(time.dateTime);
    if (time.dataset.local || Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) return;
    time.dataset.local = "true";
    const local = `${style.format(at)} ${zone}`;
    if (time.classList.contains("written")) time.append(`, ${local}`);
    else time.title = `${time.title} · ${local}`;
  }

  const all = (from) => from.querySelectorAll("time[datetime]").forEach(complete);
  all(document);
  // Parts of the page that are replaced while a job runs.
  const live = document.getElementById("steps");
  if (live) new MutationObserver(() => all(live)).observe(live, { childList: true });
})();
