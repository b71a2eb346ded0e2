// The picker of models finds those of the provider that is chosen in the form.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const provider = document.getElementById("id_provider");
  const picker = document.getElementById("id_chosen");
  django.jQuery.ajaxPrefilter((request) => {
    if (picker && provider?.value && request.url.startsWith(picker.getAttribute("data-ajax--url"))) {
      request.url += `?provider=${encodeURIComponent(provider.value)}`;
    }
  });
});
