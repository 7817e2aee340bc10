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

  const all = () => document.querySelectorAll("time[datetime]").forEach(complete);
  all();
  // Parts of the page that were replaced.
  document.addEventListener("parts", all);
  document.addEventListener("steps", all);
})();
