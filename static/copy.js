// Copy buttons: hidden in the page, shown by this script.
"use strict";

(() => {
  const said = document.getElementById("said");

  async function copy(text, source) {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if (!document.execCommand("copy")) {
      throw new Error("copying is not allowed here");
    }
    selection.removeAllRanges();
  }

  function prepare(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !button.hidden) return;
    const label = button.textContent;
    let timer;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await copy(source.textContent, source);
        button.textContent = "Copied";
        if (said) said.textContent = "Copied to the clipboard.";
      } catch {
        button.textContent = "Select manually";
        if (said) said.textContent = "This browser does not allow copying. Select the text manually.";
      }
      clearTimeout(timer);
      timer = setTimeout(() => {
        button.textContent = label;
        if (said) said.textContent = "";
      }, 2500);
    });
  }

  const all = () => document.querySelectorAll("button[data-copy]").forEach(prepare);
  all();
  // Parts of the page that were replaced.
  document.addEventListener("parts", all);
})();
