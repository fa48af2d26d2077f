// Keeps the waiting page true: asks for the place, shows it, goes in when called. All prose is in the page itself; this
// only fills in, shows and hides.

const MOST_OFTEN_MS = 1_000;
const ANSWER_MS = 10_000;
const LONGEST_RETRY_MS = 30_000;
const LOOP_MS = 120_000;
const WITHOUT_MEMORY_MS = 3_000;
// How old what the server says may be when it says it.
const STALE_MS = 1_000;
// With so many minutes left, a screen reader is told.
const MILESTONES_MIN = [60, 30, 10, 5, 2, 1, 0];

const { placeUrl, titleEarly, titleWaiting, titleCalled } = page.dataset;
const time = (options, at) => new Intl.DateTimeFormat(page.dataset.tag, options).format(at);

let pollAfterMs = Number(page.dataset.pollAfterMs);
let failures = 0;
let polledAt = -Infinity;
let polling = false;
let leaving = false;
let timer;
let heard;
let opensAt = Infinity;
let ticking;

// What must outlive this document, but not this tab. Browsers that block storage throw.
function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`waitroom ${name} ${placeUrl}`));
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    sessionStorage.setItem(`waitroom ${name} ${placeUrl}`, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

// Asking

async function askPlace() {
  const patience = new AbortController();
  const deadline = setTimeout(() => patience.abort(), ANSWER_MS);
  try {
    const answer = await fetch(placeUrl, { cache: "no-store", credentials: "same-origin", signal: patience.signal });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  } finally {
    clearTimeout(deadline);
  }
}

async function poll() {
  clearTimeout(timer);
  polling = true;
  polledAt = performance.now();
  const place = await askPlace();
  polling = false;
  if (leaving) return;
  failures = place ? 0 : failures + 1;
  if (place) pollAfterMs = place.poll_after_ms;
  timer = setTimeout(poll, place ? pollAfterMs : retryMs());
  showConnection();
  if (place) follow(place);
}

// Starts at the pace that the server last asked for, so that a crowd that lost the server together does not come back
// faster than it was meant to.
function retryMs() {
  const ms = pollAfterMs * 2 ** Math.min(failures - 1, 10);
  return Math.min(LONGEST_RETRY_MS, Math.max(MOST_OFTEN_MS, ms)) * (0.75 + Math.random() / 2);
}

function pollNow() {
  if (polling || leaving) return;
  clearTimeout(timer);
  timer = setTimeout(poll, polledAt + MOST_OFTEN_MS - performance.now());
}

// Going on

function follow(place) {
  if (place.state === "waiting") return showPlace(place);
  if (place.state === "early" && part("countdown")) return showEarly(place);
  if (place.state === "called" || place.state === "inside") showCalled();
  goOn();
}

// Loading the page again leads in (called), to a new place (none) or to the reason (closed, revoked). Should it lead back
// here time after time, each further try waits twice as long.
function goOn() {
  const last = recall("moves") || { count: 0, at: 0 };
  const ago = Math.abs(Date.now() - last.at);
  const count = ago < LOOP_MS ? last.count : 0;
  const pause = count ? 1_000 * 2 ** Math.min(count, 6) : 0;
  clearTimeout(timer);
  if (ago < pause) {
    timer = setTimeout(poll, Math.max(MOST_OFTEN_MS, pause - ago));
    return;
  }
  leaving = true;
  remember("first", null);
  const remembered = remember("moves", { count: count + 1, at: Date.now() });
  setTimeout(loadAgain, remembered ? 0 : WITHOUT_MEMORY_MS);
}

// Showing

const part = (id) => document.getElementById(id);

function reveal(id, shown) {
  part(id).hidden = !shown;
}

// Leaves alone what has not changed: somebody may be about to copy it.
function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showState(state) {
  clearTimeout(ticking);
  for (const element of document.querySelectorAll("[data-in]")) element.hidden = element.dataset.in !== state;
  reveal("in-line", state !== "called");
}

function showLine(place) {
  showState(place.state);
  fill(part("waiting"), number.format(place.waiting));
  fill(part("message"), place.message);
  fill(part("updated"), time({ timeStyle: "medium" }, new Date()));
  reveal("position-part", place.position !== null);
  reveal("waiting-part", place.waiting);
  reveal("wait-part", place.state === "waiting" && !place.paused);
  reveal("hold", place.paused === "hold");
  reveal("origin", place.paused === "origin");
  reveal("store_lost", place.paused === "store_lost");
  reveal("message-part", place.message);
  reveal("updated-part", true);
  if (place.draw && part("draw")) showDraw(place.draw);
}

function showPlace(place) {
  showLine(place);
  if (part("opening")) reveal("opening", false);
  fill(part("position"), number.format(place.position));
  fill(part("wait"), waitInWords(place.wait_s));
  const first = showProgress(place.position);
  document.title = place.position === null ? titleWaiting : `#${number.format(place.position)} · ${titleWaiting}`;
  say([part("wait").textContent, place.paused, place.message, Math.ceil((10 * place.position) / first)]);
}

function showDraw(draw) {
  for (const element of document.querySelectorAll("[data-draw-has]")) {
    element.hidden = draw[element.dataset.drawHas] === null;
  }
  for (const element of document.querySelectorAll("[data-draw]")) {
    const value = draw[element.dataset.draw] ?? "";
    fill(element, element.tagName === "DD" && typeof value === "number" ? number.format(value) : String(value));
  }
}

// How far one has come since one's arrival, which this tab remembers.
function showProgress(position) {
  if (position === null) return 1;
  const first = Math.max(recall("first") || 0, position);
  remember("first", first);
  part("progress").max = first;
  part("progress").value = first - position;
  reveal("progress", true);
  return first;
}

function showCalled() {
  document.title = titleCalled;
  showState("called");
  say(["called"]);
}

function showConnection() {
  reveal("offline", failures && !navigator.onLine);
  reveal("lost", failures && navigator.onLine);
  if (failures) say(["lost"]);
}

// A screen reader hears what is on the page, but only when something worth saying has changed.
function say(facts) {
  const before = heard;
  heard = JSON.stringify(facts);
  if (before === undefined || before === heard) return;
  const spoken = [...document.querySelectorAll("[data-spoken]")].filter((element) => !element.closest("[hidden]"));
  const texts = spoken.map((element) => element.dataset.spoken || element.textContent);
  part("spoken").textContent = texts.map((text) => text.replace(/\s+/g, " ").trim()).join(". ");
}

// Before the opening

function showEarly(place) {
  showLine(place);
  reveal("progress", false);
  setCountdown(place);
  tick(place);
}

// The server's clock counts. What it said was true some time between the question and the answer, so that answers that
// come slowly need not move the countdown. While the store is lost, the server itself knows no newer time.
function setCountdown(place) {
  const latest = performance.now() + place.opens_in_ms;
  const earliest = place.paused ? -Infinity : polledAt + place.opens_in_ms - STALE_MS;
  opensAt = Math.min(latest, Math.max(earliest, opensAt));
  const opens = new Date(place.opens_ms);
  const minute = { hour: "numeric", minute: "2-digit", second: opens.getSeconds() ? "2-digit" : undefined };
  const day = { weekday: "long", month: "long", day: "numeric", timeZoneName: "short" };
  fill(part("opens"), time({ ...day, ...minute }, opens));
  document.title = titleEarly.replace("%", time({ ...minute, weekday: "short" }, opens));
}

function tick(place) {
  const leftMs = Math.max(0, opensAt - performance.now());
  fill(part("countdown"), countdownInWords(leftMs));
  part("countdown-part").dataset.spoken = `${part("countdown-label").textContent} ${waitInWords([0, leftMs / 1000])}`;
  reveal("countdown-part", leftMs > 0);
  reveal("opening", leftMs === 0);
  if (!failures) say([MILESTONES_MIN.filter((minutes) => leftMs <= minutes * 60_000).length, place.paused, place.message]);
  if (leftMs > 0) ticking = setTimeout(() => tick(place), leftMs % 1000 || 1000);
}

// Beginning

const { position, opensInMs, opensMs } = page.dataset;
if (opensMs) {
  const place = { paused: null, message: part("message").textContent };
  setCountdown({ ...place, opens_in_ms: Number(opensInMs), opens_ms: Number(opensMs) });
  tick(place);
} else {
  showProgress(position ? Number(position) : null);
}
poll();

addEventListener("online", pollNow);
addEventListener("offline", showConnection);
document.addEventListener("visibilitychange", () => document.hidden || pollNow());
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false;
  pollNow();
});
part("leave").addEventListener("submit", () => {
  leaving = true;
  remember("first", null);
});
