// Small help on top of pages that work without it: drafts that survive a closed tab, the progress of uploads, signing in
// at a provider, and filters that are folded on phones.
"use strict";

const drafts = (form) => `draft-${form.dataset.draft}`;

for (const form of document.querySelectorAll("form[data-draft]")) {
  const fields = [...form.querySelectorAll("textarea, input:not([type=hidden]):not([type=file]):not([type=password])")];
  try {
    const kept = JSON.parse(localStorage.getItem(drafts(form)) ?? "{}");
    for (const field of fields) {
      if (kept[field.name] && !field.defaultValue) field.value = kept[field.name];
    }
    form.addEventListener("input", () => {
      const values = Object.fromEntries(fields.filter((field) => field.value).map((field) => [field.name, field.value]));
      localStorage.setItem(drafts(form), JSON.stringify(values));
    });
  } catch {
    // Without storage there are no drafts.
  }
}

for (const form of document.querySelectorAll("form[data-upload]")) {
  const picker = form.querySelector("input[type=file]");
  form.addEventListener("submit", (event) => {
    if (!picker?.files.length) return forget(form);
    event.preventDefault();
    const list = form.querySelector(".upload-list");
    const item = document.createElement("li");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.setAttribute("aria-label", picker.labels[0]?.textContent ?? "");
    item.append(bar);
    list.append(item);
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (at) => {
      if (at.lengthComputable) bar.value = at.loaded / at.total;
    });
    request.addEventListener("load", () => {
      if (request.status < 300) {
        forget(form);
        location.assign(request.responseURL);
        location.reload();
      } else {
        document.open();
        document.write(request.responseText);
        document.close();
      }
    });
    request.addEventListener("error", () => {
      button.disabled = false;
      item.remove();
      form.submit();
    });
    request.send(new FormData(form));
  });
}

function forget(form) {
  try {
    localStorage.removeItem(drafts(form));
  } catch {
    // Without storage there is nothing to forget.
  }
}

if (matchMedia("(max-width: 40rem)").matches) {
  for (const box of document.querySelectorAll("details.filter-box")) box.open = false;
}

// A provider of sign-ins brings its code back behind the address, where only a script can read it.
for (const form of document.querySelectorAll("form[data-code]")) {
  const code = /^#sign-in-code=(\w+)$/.exec(location.hash)?.[1];
  if (code) {
    history.replaceState(null, "", location.pathname);
    form.elements.code.value = code;
    form.submit();
  }
}
