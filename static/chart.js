// Shows the value under the pointer beside the title of a chart. Without this script, a tooltip shows it.
"use strict";

(() => {
  const area = (target) => (target instanceof Element ? target.closest(".chart .area") : null);
  const value = (found) => found.closest(".chart").querySelector("figcaption strong");

  document.addEventListener("pointerover", (event) => {
    const found = area(event.target);
    const shown = found && value(found);
    if (!shown) return;
    shown.dataset.last ??= shown.textContent;
    shown.textContent = found.querySelector("title").textContent;
  });
  document.addEventListener("pointerout", (event) => {
    const found = area(event.target);
    const shown = found && value(found);
    if (shown && shown.dataset.last !== undefined && !area(event.relatedTarget)) shown.textContent = shown.dataset.last;
  });
})();
