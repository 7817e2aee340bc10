// Shows how far a file has been sent, and how long the rest takes. Without this script, the browser sends the form itself.
"use strict";

(() => {
  const box = document.getElementById("sending");
  const form = box && box.closest("form");
  const input = form && form.querySelector("input[type=file]");
  if (!input || !window.FormData) return;

  const bar = box.querySelector("progress");
  const text = box.querySelector("span");
  const said = document.getElementById("said");
  const button = form.querySelector(".button.primary");

  function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    let value = bytes;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit += 1;
    }
    return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
  }

  function time(seconds) {
    if (seconds < 60) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s`;
    const minutes = Math.ceil(seconds / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function show(sent, all, begun) {
    bar.value = all > 0 ? (100 * sent) / all : 0;
    const seconds = (performance.now() - begun) / 1000;
    const left = sent > 0 && seconds > 2 ? ` · about ${time(((all - sent) * seconds) / sent)} left` : "";
    text.textContent = sent < all
      ? `${size(sent)} of ${size(all)} sent, ${Math.floor(bar.value)} %${left}`
      : "Sent. The portal checks the file.";
  }

  function stopped(why) {
    text.textContent = why;
    bar.hidden = true;
    button.disabled = false;
    delete form.dataset.sent;
    if (said) said.textContent = why;
  }

  // The page that the portal answers with, at its address, as if the browser had sent the form.
  function open(request) {
    const here = window.location.pathname;
    const there = new URL(request.responseURL).pathname;
    if (there !== here) history.pushState(null, "", request.responseURL);
    document.open();
    document.write(request.responseText); // a page of the portal
    document.close();
  }

  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !input.files.length) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    const begun = performance.now();
    request.upload.addEventListener("progress", (news) => show(news.loaded, news.total, begun));
    request.addEventListener("load", () => open(request));
    request.addEventListener("error", () => stopped("The upload was interrupted. Nothing was created. Try again."));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
    button.disabled = true;
    bar.hidden = false;
    box.hidden = false;
    show(0, 1, begun);
    if (said) said.textContent = "The file is being sent.";
  });
})();
