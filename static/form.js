// Suggests the names of database and user, filters long lists of choices, updates the button's label when another image
// is selected, and prevents a form from being sent twice. Shows the extensions that the selected image has.
"use strict";

(() => {
  const image = document.querySelector("select[name=image]");
  const button = document.getElementById("create");
  if (image && button) {
    image.addEventListener("change", () => {
      const title = image.selectedOptions[0]?.dataset.title;
      if (title) button.textContent = `Create ${title} database`;
      offered(image.value);
    });
  }

  // Replaces the list of extensions by that of another image, and keeps those chosen that it has too.
  async function offered(image) {
    const engine = document.querySelector("input[name=engine]");
    if (!engine) return;
    const query = new URLSearchParams({ engine: engine.value, image });
    const reply = await fetch(`/containers/new?${query}`, { cache: "no-store" }).catch(() => null);
    if (!reply?.ok || document.querySelector("select[name=image]")?.value !== image) return;
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const [before, after] = [document, page].map((root) => root.getElementById("extensions"));
    const chosen = new Set([...(before?.querySelectorAll("input:checked") || [])].map((input) => input.value));
    for (const input of after?.querySelectorAll("input[name=extensions]") || []) input.checked = chosen.has(input.value);
    if (before && after) before.replaceWith(after);
    else if (before) before.remove();
    else if (after) document.querySelector("details.fold .form")?.append(after);
    if (after) filterable(after);
  }

  // The names that the portal derives from an empty field, as long as nobody has typed others.
  const name = document.querySelector("input[name=name]");
  const list = (text) => (text || "").split(" ").filter(Boolean);
  function derived(field) {
    let text = name.value.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean).join("_");
    if (/^[0-9]/.test(text)) text = `db_${text}`;
    text = text.slice(0, Math.min(40, field.maxLength > 0 ? field.maxLength : 40)).replace(/_+$/, "");
    const reserved = list(field.dataset.reserved).includes(text) || list(field.dataset.prefixes).some((p) => text.startsWith(p));
    return text && reserved ? `db_${text}` : text;
  }
  for (const field of document.querySelectorAll("input[data-reserved]")) {
    if (!name) break;
    let last = field.value === derived(field) ? field.value : "";
    name.addEventListener("input", () => {
      if (field.value !== last) return;
      last = derived(field);
      field.value = last;
    });
  }

  filterable(document);
  function filterable(root) {
    for (const filter of root.querySelectorAll("input[data-filter]")) filtered(filter);
  }
  function filtered(filter) {
    const choices = filter.parentElement.querySelectorAll(".choice");
    filter.hidden = false;
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const choice of choices) choice.hidden = !choice.textContent.toLowerCase().includes(wanted);
    });
    // Enter would send the form.
    filter.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }

  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "true";
    });
    window.addEventListener("pageshow", () => { delete form.dataset.sent; });
  }
})();
