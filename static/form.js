// The words of the button follow the choice of the image, and a form is sent once.
"use strict";

(() => {
  const image = document.querySelector("select[name=image]");
  const button = document.getElementById("create");
  if (image && button) {
    image.addEventListener("change", () => {
      const title = image.selectedOptions[0]?.dataset.title;
      if (title) button.textContent = `Create ${title} database`;
    });
  }

  for (const form of document.querySelectorAll("form[method=post]")) {
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
    });
    window.addEventListener("pageshow", () => { sent = false; });
  }
})();
