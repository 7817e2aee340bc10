// Closes menus on Escape and on a click elsewhere, and moves the focus to the search for a database on "/", ⌘K or Ctrl-K.
"use strict";

(() => {
  const apple = /Mac|iPhone|iPad/.test(navigator.platform);
  const field = () => document.querySelector("main form[role=search] input[name=q]") || document.getElementById("find");

  // The list of databases has its own field; elsewhere it is the one at the top, or the list if that is not shown.
  function find() {
    const search = field();
    if (!search) return false;
    if (search.offsetParent === null) {
      window.location.assign(`${search.form.getAttribute("action")}#find`);
      return true;
    }
    search.focus();
    search.select();
    return true;
  }

  const keys = document.getElementById("find-keys");
  if (keys) {
    keys.textContent = apple ? "⌘K" : "Ctrl K";
    keys.hidden = false;
  }
  if (window.location.hash === "#find") find();

  // Back from the page that an upload led to (upload.js): only the address changes by itself.
  const path = window.location.pathname;
  window.addEventListener("popstate", () => { if (window.location.pathname !== path) window.location.reload(); });

  const open = () => document.querySelectorAll("details.menu[open]");

  document.addEventListener("click", (event) => {
    for (const menu of open()) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
    const letter = event.key.toLowerCase() === "k" && (apple ? event.metaKey : event.ctrlKey) && !event.altKey && !event.shiftKey;
    if ((slash || letter) && find()) {
      event.preventDefault();
      return;
    }
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  });
})();
