// A menu that filters sends its form at once. Without this script its button does.
"use strict";
document.documentElement.classList.add("js");
document.addEventListener("change", (event) => {
  const menu = event.target;
  if (menu instanceof HTMLSelectElement && menu.hasAttribute("data-submit")) {
    menu.form.requestSubmit();
  }
});

// A form that makes something is sent once: the answer to a second click would not be the page that shows what was made.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.elements.namedItem("_once")) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
  }
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});
