// Says beside the patterns what they come to, while they are written.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const patterns = document.getElementById("id_patterns");
  const address = patterns && patterns.dataset.matches;
  if (!address) return;
  const told = document.createElement("p");
  told.id = "policy-told";
  told.className = "help";
  told.setAttribute("role", "status");
  patterns.insertAdjacentElement("afterend", told);
  let asked = 0;
  let timer = 0;
  const ask = async () => {
    const mine = ++asked;
    const answer = await fetch(address, { method: "POST", body: new FormData(patterns.form) });
    // An answer that was overtaken is not shown.
    if (mine === asked && answer.ok) told.textContent = (await answer.json()).told;
  };
  patterns.form.addEventListener("input", (event) => {
    if (event.target === patterns) {
      clearTimeout(timer);
      timer = setTimeout(ask, 300);
    }
  });
  // The menus of users and groups tell only jQuery of a choice.
  window.django.jQuery(patterns.form).on("change", "[name=mode], [name=user], [name=group]", ask);
  ask();
});
