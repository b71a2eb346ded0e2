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

// Buttons that write a usual value into the field before them.
document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("input[data-choices]")) {
    for (const value of field.dataset.choices.split(" ").reverse()) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "choice";
      button.textContent = value;
      button.addEventListener("click", () => (field.value = value));
      field.insertAdjacentElement("afterend", button);
    }
  }
});

// Copies what another element holds. Without the clipboard of a secure origin it is selected, to be copied by hand.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) {
    return;
  }
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
});
