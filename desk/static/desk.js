// The staff desk's pages work without this. It keeps the list and an open request up to date, counts the seconds of an undo, puts canned
// replies into an answer, and listens to keyboard shortcuts. Nothing of a visitor is kept in the browser.

const HEARTBEAT = 10_000; // milliseconds; a lease of presence lasts 30 seconds
const TYPING = 15_000; // milliseconds after the last key during which somebody counts as writing
const REFRESH = 60_000; // milliseconds after which a list is read again even if nothing was heard: « dans 3 h » grows old
const SWITCH = "passerelle-shortcuts";
const live = document.querySelector("[data-live]");
const byId = (id) => document.getElementById(id);

// ------------------------------------------------------------ events: one connection for all tabs of a browser

function listen(hear, cut) {
  const others = new BroadcastChannel("passerelle-desk");
  others.addEventListener("message", ({ data }) => hear(data));
  const tell = (event) => {
    others.postMessage(event);
    hear(event);
  };
  const connect = () =>
    new Promise(() => {
      // Held for as long as the page lives: when its tab closes, the lock goes to another tab, which connects in its turn.
      const source = new EventSource("/desk/events");
      // What happened between the page's making and now, during a break, or while another tab handed over, was told to nobody here.
      source.addEventListener("open", () => tell({ kind: "missed", reference: "" }));
      source.addEventListener("message", ({ data }) => tell(JSON.parse(data)));
      source.addEventListener("error", () => source.readyState === EventSource.CLOSED && cut());
    });
  if (navigator.locks) navigator.locks.request("passerelle-events", connect);
  else connect(); // a page that came over plain http from another machine
}

// ------------------------------------------------------------ the list

function keepList() {
  let asked = 0;
  const refresh = async () => {
    if (live.contains(document.activeElement) && document.activeElement.matches("select")) return; // somebody is choosing
    const turn = ++asked;
    const answer = await fetchList();
    const fresh = answer && new DOMParser().parseFromString(answer, "text/html");
    const region = fresh?.getElementById("direct");
    if (!region || turn !== asked) return;
    const before = references(live);
    const focused = document.activeElement?.closest("#direct a[href]")?.getAttribute("href");
    live.replaceChildren(...region.childNodes);
    document.title = fresh.title;
    if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    const arrived = [...references(live)].filter((reference) => !before.has(reference)).length;
    if (arrived) byId("annonce").textContent = arrived === 1 ? "Une demande de plus dans la liste." : `${arrived} demandes de plus dans la liste.`;
  };
  const soon = debounce(refresh, 300);
  listen(soon, () => (byId("coupure").hidden = false));
  setInterval(soon, REFRESH);
  soon(); // where another tab holds the connection, nobody tells this one what happened while it was loading
}

const references = (region) => new Set([...region.querySelectorAll("[data-reference]")].map((row) => row.dataset.reference));

async function fetchList() {
  const filters = live.querySelector("form.filters");
  const searched = "search" in live.dataset; // what is searched for goes by POST, so that it is in no address
  const body = searched ? new URLSearchParams(new FormData(filters)) : undefined;
  try {
    const answer = await fetch(searched ? "/desk/search" : location.href, { method: searched ? "POST" : "GET", body });
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null; // the network is away; the next event or minute tries again
  }
}

// ------------------------------------------------------------ one request

function keepRequest() {
  const { reference } = live.dataset;
  let lastKey = 0;
  let isWriting = false;
  const report = async (fields = {}) => {
    isWriting = Date.now() - lastKey < TYPING;
    const body = new URLSearchParams({ csrf: live.dataset.csrf, writing: isWriting ? "1" : "0", ...fields });
    try {
      const answer = await fetch(`/desk/requests/${reference}/presence`, { method: "POST", body });
      if (answer.redirected) sayEnded();
      else if (answer.ok) show(await answer.json());
    } catch {
      /* the next heartbeat tries again */
    }
  };
  const show = (pulse) => {
    byId("presence").replaceChildren(...pulse.present.map(badge));
    if (pulse.stamp === Number(live.dataset.stamp)) return;
    const box = byId("change");
    if (box.dataset.stamp === String(pulse.stamp)) return; // said already
    box.dataset.stamp = pulse.stamp;
    const text = element("p", `${box.dataset.text}\u00a0: ${pulse.what.toLowerCase()}, par ${pulse.who}, ${pulse.at}.`);
    box.replaceChildren(text, renewer("Afficher la demande à jour"));
  };
  live.addEventListener("input", (event) => {
    if (!event.target.matches("[data-writes]")) return;
    lastKey = Date.now();
    if (!isWriting) report();
  });
  setInterval(() => document.visibilityState === "visible" && report(), HEARTBEAT);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && report());
  addEventListener("pagehide", () => navigator.sendBeacon(`/desk/requests/${reference}/presence`, new URLSearchParams({ csrf: live.dataset.csrf, gone: "1" })));
  addEventListener("pageshow", (event) => event.persisted && report());
  const soon = debounce(report, 200);
  listen((event) => (event.reference === reference || event.kind === "missed") && soon(), () => {});
  report();
}

/** The session is over: what was typed stays, and can be sent once somebody has signed in again. */
function sayEnded() {
  const box = byId("change");
  if (box.dataset.stamp === "ended") return;
  box.dataset.stamp = "ended";
  const text = element("p", "Votre session a pris fin. Reconnectez-vous dans un autre onglet, puis reprenez ici\u00a0: ce que vous avez écrit est gardé.");
  const link = Object.assign(element("a", "Se reconnecter"), { href: "/desk/login", target: "_blank", className: "button main" });
  box.replaceChildren(text, link, renewer("Reprendre ici"));
}

function renewer(label) {
  const button = Object.assign(element("button", label), { type: "button", className: "button" });
  button.addEventListener("click", renew);
  return button;
}

/** Reads the page again and keeps what was typed, and where the cursor was. */
async function renew() {
  const typed = new Map([...live.querySelectorAll("textarea:not([readonly]), select, input:not([type=hidden])")].map((field) => [fieldKey(field), field.value]));
  const focused = document.activeElement && fieldKey(document.activeElement);
  const answer = await fetch(location.pathname);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const region = fresh.querySelector("[data-live]");
  if (!region) return answer.redirected ? sayEnded() : location.reload();
  live.replaceChildren(...region.childNodes);
  Object.assign(live.dataset, region.dataset);
  document.title = fresh.title;
  for (const field of live.querySelectorAll("textarea, select, input:not([type=hidden])")) {
    const value = typed.get(fieldKey(field));
    typed.delete(fieldKey(field));
    if (value) field.value = value;
    if (value && field.closest("details")) field.closest("details").open = true;
    if (value && fieldKey(field) === focused) field.focus();
  }
  const lost = [...typed].filter(([key, value]) => value && key.startsWith("TEXTAREA"));
  if (lost.length) keepLost(lost.map(([, value]) => value).join("\n\n"));
  dress(live);
  if (!live.contains(document.activeElement)) byId("contenu").focus();
}

const fieldKey = (field) => `${field.tagName} ${field.form?.getAttribute("action")} ${field.name}`;

/** The form it was typed into is gone (somebody else owns the request now): the text stays readable. */
function keepLost(text) {
  const box = byId("change");
  const label = element("label", "Ce que vous aviez écrit");
  const area = element("textarea", text);
  label.htmlFor = area.id = "garde";
  area.readOnly = true;
  area.rows = 6;
  box.replaceChildren(label, area);
  area.focus();
}

const badge = (text) => Object.assign(element("span", text), { className: text.endsWith(" écrit") ? "present writing" : "present" });

// ------------------------------------------------------------ what is in a page: undo, canned replies, unsent text, printing

function dress(root) {
  root.querySelectorAll("[data-seconds]").forEach(countDown);
  root.querySelectorAll("[data-insert]").forEach(insertCanned);
  root.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });
  const answer = root.querySelector("#reponse");
  answer?.addEventListener("input", () => tellMissing(answer));
}

function countDown(form) {
  const end = Date.now() + Number(form.dataset.seconds) * 1000;
  const tick = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    form.querySelector("[data-countdown]").textContent = Math.max(left, 0);
    if (left > 0) return;
    clearInterval(tick);
    form.remove();
  }, 250);
}

function insertCanned(button) {
  button.addEventListener("click", (event) => {
    const area = byId(button.dataset.insert);
    const text = button.form.elements.canned.selectedOptions[0]?.dataset.text;
    event.preventDefault();
    if (!text) return;
    area.value = [area.value.trimEnd(), text].filter(Boolean).join("\n\n");
    area.rows = Math.max(area.rows, 12);
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
    const gap = area.value.search(/\{[^{}\n]+\}/);
    if (gap >= 0) area.setSelectionRange(gap, area.value.indexOf("}", gap) + 1);
  });
}

function tellMissing(area) {
  const missing = [...new Set(area.value.match(/\{[^{}\n]{1,40}\}/g) ?? [])];
  const told = missing.length ? `À compléter avant l'envoi\u00a0: ${missing.join(", ")}` : "";
  const box = byId("manquants");
  if (box.textContent !== told) box.textContent = told;
}

let isSending = false;
addEventListener("submit", (event) => {
  if (isSending && event.target.matches("[data-unsent]")) event.preventDefault(); // a second click is no second note
  isSending = true;
  setTimeout(() => (isSending = false), 4000); // a download leaves the page where it is
});
addEventListener("pageshow", () => (isSending = false));
addEventListener("beforeunload", (event) => {
  const unsent = [...document.querySelectorAll("[data-unsent] textarea")].some((area) => area.value.trim() && area.value !== area.defaultValue);
  if (unsent && !isSending) event.preventDefault();
});

// ------------------------------------------------------------ keyboard

const areShortcutsOn = () => localStorage.getItem(SWITCH) !== "off";
let afterG = 0;

addEventListener("keydown", (event) => {
  const field = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && field?.matches("textarea, input")) return field.blur();
  if (field || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !areShortcutsOn() || !document.querySelector(".account")) return;
  if (press(event.key)) event.preventDefault();
});

function press(key) {
  if (key === "l" && Date.now() - afterG < 1500) return go("/desk/");
  afterG = key === "g" ? Date.now() : 0;
  switch (key) {
    case "?":
      return go("/desk/shortcuts");
    case "/":
      return use(key) || go("/desk/#q");
    case "j":
    case "ArrowDown":
      return step(1);
    case "k":
    case "ArrowUp":
      return step(-1);
    default:
      return /^[a-z]$/.test(key) && use(key);
  }
}

function go(address) {
  location.assign(address);
  return true;
}

function use(key) {
  const target = document.querySelector(`[data-shortcut="${key}"]`);
  if (!target) return false;
  if (target.matches("button")) target.click();
  else target.focus();
  return true;
}

/** Moves the focus between the rows of a list. Arrow keys scroll until a row was chosen. */
function step(places) {
  const rows = [...document.querySelectorAll("tr[data-reference] a")];
  const here = rows.indexOf(document.activeElement);
  if (!rows.length) return false;
  rows[here < 0 ? 0 : Math.min(Math.max(here + places, 0), rows.length - 1)].focus();
  return true;
}

function offerSwitch() {
  const box = document.querySelector("[data-shortcut-switch]");
  if (!box) return;
  const check = byId("raccourcis");
  box.hidden = false;
  check.checked = areShortcutsOn();
  check.addEventListener("change", () => {
    if (check.checked) localStorage.removeItem(SWITCH);
    else localStorage.setItem(SWITCH, "off");
    byId("raccourcis-etat").textContent = check.checked ? "Activés." : "Désactivés.";
  });
}

// ------------------------------------------------------------ small things

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function debounce(act, wait) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
}

dress(document);
offerSwitch();
if (location.hash === "#q") byId("q")?.focus();
if (live?.dataset.live === "list") keepList();
if (live?.dataset.live === "request") keepRequest();
