// Small help on top of pages that work without it: drafts that survive a closed tab, the progress of uploads, signing in
// at a provider, filters that are folded on phones, lists that load without their frame, and a word when what is shown
// has changed.
"use strict";

const main = document.getElementById("main");

// Prepares the content of the page; once more after another content was loaded into it.
function prepare() {
  main.querySelectorAll("form[data-draft]").forEach(keepDraft);
  main.querySelectorAll("form[data-upload]").forEach(showProgress);
  main.querySelectorAll("form[data-code]").forEach(finishSignIn);
  if (matchMedia("(max-width: 40rem)").matches) {
    for (const box of main.querySelectorAll("details.filter-box")) box.open = false;
  }
  watch();
}

// Drafts

const draftOf = (form) => `draft-${form.dataset.draft}`;

function keepDraft(form) {
  const fields = [...form.querySelectorAll("textarea, input:not([type=hidden]):not([type=file]):not([type=password])")];
  try {
    const kept = JSON.parse(localStorage.getItem(draftOf(form)) ?? "{}");
    for (const field of fields) {
      if (kept[field.name] && !field.defaultValue) field.value = kept[field.name];
    }
    form.addEventListener("input", () => {
      const values = Object.fromEntries(fields.filter((field) => field.value).map((field) => [field.name, field.value]));
      localStorage.setItem(draftOf(form), JSON.stringify(values));
    });
  } catch {
    // Without storage there are no drafts.
  }
}

function forget(form) {
  try {
    localStorage.removeItem(draftOf(form));
  } catch {
    // Without storage there is nothing to forget.
  }
}

// Uploads: the progress of a form with files, whose attribute says what to do if it did not arrive.

function showProgress(form) {
  const picker = form.querySelector("input[type=file]");
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", (event) => {
    if (!picker?.files.length) return forget(form);
    event.preventDefault();
    form.querySelector(".upload-list")?.remove();
    const list = document.createElement("ul");
    list.className = "upload-list";
    const item = document.createElement("li");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.setAttribute("aria-label", picker.labels[0]?.textContent ?? "");
    item.append(bar);
    list.append(item);
    picker.after(list);
    button.disabled = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (at) => {
      if (at.lengthComputable) bar.value = at.loaded / at.total;
    });
    request.addEventListener("load", () => {
      if (request.status < 300) forget(form);
      // What the page says was for this request alone: the page that came is shown, not asked for once more.
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      if (!replace(page, request.responseURL, request.status < 300)) location.assign(request.responseURL);
    });
    // It may have arrived all the same, so it is not sent again without being asked for.
    request.addEventListener("error", () => {
      button.disabled = false;
      item.className = "error";
      item.setAttribute("role", "alert");
      item.textContent = form.dataset.upload;
    });
    request.send(new FormData(form));
  });
}

// A provider of sign-ins brings its code back behind the address, where only a script can read it.

function finishSignIn(form) {
  const code = /^#sign-in-code=(\w+)$/.exec(location.hash)?.[1];
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  form.elements.code.value = code;
  form.submit();
}

// The filters of a list and its pages load only the content of the page. A page with scripts of its own, such as one
// with charts, is visited as usual.

async function load(address, isNew) {
  const response = await fetch(address).catch(() => undefined);
  const page = new DOMParser().parseFromString((await response?.text()) ?? "", "text/html");
  if (!response?.ok || response.redirected || !replace(page, address, isNew)) location.assign(address);
}

// Shows the content of another page in place of this one's. Returns false if that page has to be visited: it has scripts
// of its own, reloads itself, or is for other people, such as the sign-in.
function replace(page, address, isNew) {
  const content = page.getElementById("main");
  const isOther = !page.querySelector("nav.main") !== !document.querySelector("nav.main");
  if (!content || isOther || page.querySelector("script:not([src*='/desk.js']), meta[http-equiv]")) return false;
  if (isNew) history.pushState(null, "", address);
  document.title = page.title;
  document.body.className = page.body.className;
  main.replaceChildren(...content.childNodes);
  const { hash } = new URL(address);
  (main.querySelector(hash || null) ?? document.body).scrollIntoView();
  const heading = main.querySelector("[role=alert], h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  prepare();
  return true;
}

main.addEventListener("click", (event) => {
  const link = event.target.closest(".pager a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  load(link.href, true);
});

main.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form.filters[method=get]")) return;
  event.preventDefault();
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const address = new URL(form.action);
  address.search = new URLSearchParams(fields);
  load(address.href, true);
});

addEventListener("popstate", () => load(location.href, false));

// Says when the item that is shown, or anything on a list, has changed, and shows the latest on demand. While the tab is
// hidden, nothing is watched: browsers allow few connections to one server.

let changes;

function unwatch() {
  changes?.close();
  changes = undefined;
}

function watch() {
  const note = main.querySelector("[data-live]");
  unwatch();
  if (!note || note.textContent || document.hidden) return;
  changes = new EventSource("/live");
  changes.addEventListener("next", (event) => {
    const change = JSON.parse(event.data).data?.ledgerChanged;
    if (!change) return;
    const { problem, measure, assignment, inspectionCase, removedId } = change;
    const ids = [problem?.id, measure?.id, assignment?.id, inspectionCase?.id, removedId];
    if (note.dataset.live && !ids.includes(note.dataset.live)) return;
    unwatch();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = note.dataset.button;
    button.addEventListener("click", () => location.reload());
    note.classList.add("banner");
    note.append(note.dataset.words, " ", button);
  });
  changes.addEventListener("complete", unwatch);
}

document.addEventListener("visibilitychange", watch);

prepare();
