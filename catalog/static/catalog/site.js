// What the pages are nicer with. Each of them is whole without this file.
"use strict";

document.documentElement.classList.add("scripted");

// "/" puts the cursor into the search, as long as nothing is being typed.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !(typing && typing.type !== "checkbox")) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// Copy buttons beside ids, keys and examples.
function addCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const text of root.querySelectorAll("[data-copy]")) {
    if (text.dataset.copy === "added") continue;
    text.dataset.copy = "added";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${text.dataset.copyName || text.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    text.after(button);
  }
}

// The box of models to compare keeps its picks while the list around them changes.
const picked = new Map();
function showPicks() {
  const box = document.querySelector("[data-compare]");
  if (!box) return;
  for (const tick of document.querySelectorAll("input[form=compare]")) {
    tick.checked = picked.has(tick.value);
    tick.disabled = picked.size >= 4 && !tick.checked;
  }
  box.querySelector("span").textContent = picked.size ? [...picked.values()].join(", ") : "Tick two to four models.";
  box.querySelector("button").disabled = picked.size < 2;
  box.classList.toggle("waiting", picked.size === 0);
}
document.addEventListener("change", (event) => {
  const tick = event.target;
  if (tick.matches("input[form=compare]")) {
    event.stopPropagation();
    if (tick.checked) picked.set(tick.value, tick.getAttribute("aria-label").replace(/^Compare /, ""));
    else picked.delete(tick.value);
    showPicks();
  }
});

// In the order in which they were picked, those that another search has taken out of the list among them.
document.addEventListener("formdata", (event) => {
  // Its `id` is the boxes of that name.
  if (!event.target.matches("#compare")) return;
  event.formData.delete("id");
  for (const id of picked.keys()) event.formData.append("id", id);
});

// Filters are folded on a narrow screen, and stay as they are while the list is fetched anew. They come open; until
// they are folded, as long as the class "folded" is not there, the style sheet hides what is in them, or all below jumps.
const narrow = matchMedia("(max-width: 60rem)");
let areOpen = !narrow.matches;
function foldFilters() {
  const filters = document.getElementById("filters");
  if (filters) filters.open = areOpen;
  document.documentElement.classList.add("folded");
}
narrow.addEventListener("change", () => {
  areOpen = !narrow.matches;
  foldFilters();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  const filters = document.getElementById("filters");
  if (filters) areOpen = filters.open;
  document.documentElement.classList.toggle("folded", areOpen);
  // Such as the page to sign in, where a session has ended: the whole of it, not nothing in place of the list.
  if (xhr.status < 400 && !xhr.responseText.includes(`id="${target.id}"`)) {
    event.preventDefault();
    location.assign(xhr.responseURL);
  }
});
document.addEventListener("htmx:responseError", () => location.reload());
document.addEventListener("htmx:afterSettle", () => {
  foldFilters();
  addCopyButtons(document);
  showPicks();
});

document.addEventListener("DOMContentLoaded", () => {
  addCopyButtons(document);
  for (const tick of document.querySelectorAll("input[form=compare]:checked")) {
    picked.set(tick.value, tick.getAttribute("aria-label").replace(/^Compare /, ""));
  }
  showPicks();
  foldFilters();
});
