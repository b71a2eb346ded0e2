// A menu that filters sends its form at once. Without this script its button does.
"use strict";
document.documentElement.classList.add("js");
document.addEventListener("change", (event) => {
  const menu = event.target;
  if (menu instanceof HTMLSelectElement && menu.hasAttribute("data-submit")) {
    menu.form.requestSubmit();
  }
});
