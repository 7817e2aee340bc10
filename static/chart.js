// Shows the value under the pointer beside the title of a chart, also in local time. Without this script, a tooltip shows
// it.
"use strict";

(() => {
  const options = { hour: "2-digit", minute: "2-digit", timeZoneName: "short", hourCycle: "h23" };
  const clock = new Intl.DateTimeFormat(undefined, options);
  const area = (target) => (target instanceof Element ? target.closest(".chart .area") : null);
  const value = (found) => found.closest(".chart").querySelector("figcaption strong");

  function text(found) {
    const said = found.querySelector("title").textContent;
    const at = new Date(found.dataset.at);
    return at.getTimezoneOffset() ? said.replace(" UTC:", ` UTC · ${clock.format(at)}:`) : said;
  }

  document.addEventListener("pointerover", (event) => {
    const found = area(event.target);
    const shown = found && value(found);
    if (!shown) return;
    shown.dataset.last ??= shown.textContent;
    shown.textContent = text(found);
  });
  document.addEventListener("pointerout", (event) => {
    const found = area(event.target);
    const shown = found && value(found);
    if (shown && shown.dataset.last !== undefined && !area(event.relatedTarget)) shown.textContent = shown.dataset.last;
  });
})();
