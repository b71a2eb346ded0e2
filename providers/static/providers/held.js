// How much of a held run is chosen. An author's box stands for all of that author's lines, which are not sent then.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("held");
  const told = document.getElementById("held-chosen");
  if (!told) {
    return;
  }
  const count = () => {
    let chosen = 0;
    for (const branch of form.querySelectorAll(".branch")) {
      const whole = branch.querySelector("[name=author]");
      const boxes = [...branch.querySelectorAll("[name=id]")];
      for (const box of boxes) {
        if (whole.checked !== box.disabled) {
          box.checked = box.disabled = whole.checked;
        }
      }
      chosen += whole.checked ? Number(whole.dataset.count) : boxes.filter((box) => box.checked).length;
    }
    told.textContent = `${chosen} chosen`;
    form.elements.accept_chosen.disabled = form.elements.accept_and_reject.disabled = chosen === 0;
  };
  form.addEventListener("change", count);
  window.addEventListener("pageshow", count);
  count();
});
