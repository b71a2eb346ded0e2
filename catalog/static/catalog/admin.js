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

// Gives what Django's widgets build by script the names that are read out: of the field they stand for.
document.addEventListener("DOMContentLoaded", () => {
  const name = () => {
    for (const box of document.querySelectorAll(":is(.select2-selection, .select2-selection__rendered, .select2-search__field):not([aria-label])")) {
      const field = box.closest(".select2")?.previousElementSibling;
      box.setAttribute("aria-label", field?.labels?.[0]?.textContent.trim() || "Search");
    }
    document.getElementById("searchbar")?.setAttribute("aria-label", "Search");
    for (const icon of document.querySelectorAll(".help-tooltip:not([role])")) {
      icon.setAttribute("role", "img");
    }
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
});
