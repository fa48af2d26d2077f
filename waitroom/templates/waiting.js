// Keeps the waiting page true: asks for the place, shows it, goes in when called.

const MOST_OFTEN_MS = 1_000;
const ANSWER_MS = 10_000;
const LONGEST_RETRY_MS = 30_000;
const LOOP_MS = 120_000;
const WITHOUT_MEMORY_MS = 3_000;

// What is asked as the visitor, and is not to be kept.
const OWN = { cache: "no-store", credentials: "same-origin" };

let pollAfterMs = Number(page.dataset.pollAfterMs);
let failures = 0;
let polledAt = -Infinity;
let polling = false;
let leaving = false;
let timer;
// The browser was given a ticket with this page, and has not shown yet that it keeps it.
let isUnproved = "isNew" in page.dataset;
let hasLeft = false;

// Asking

async function ask(url, method = "GET", { cache, credentials } = OWN) {
  const patience = new AbortController();
  const deadline = later(() => patience.abort(), ANSWER_MS);
  const headers = { Accept: "application/json" };
  try {
    const answer = await fetch(url, {
      method, headers, cache, credentials, signal: patience.signal,
    });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  } finally {
    cancel(deadline);
  }
}

async function poll() {
  if (polling || leaving) return;
  polling = true;
  polledAt = performance.now();
  tellTabs({ isAsking: true });
  const place = await (part("status") ? lookUp() : ask(placeUrl));
  polling = false;
  if (leaving) return;
  tellTabs({ place });
  take(place);
}

function pollIn(ms) {
  cancel(timer);
  timer = later(poll, ms);
}

function pollNow() {
  if (!polling) pollIn(Math.max(0, polledAt + MOST_OFTEN_MS - performance.now()));
}

// Starts at the pace that the server last asked for, so that a crowd that lost the server together does not come back
// faster than it was meant to.
function retryMs() {
  const ms = pollAfterMs * 2 ** Math.min(failures - 1, 10);
  return Math.min(LONGEST_RETRY_MS, Math.max(MOST_OFTEN_MS, ms)) * (0.75 + Math.random() / 2);
}

// Takes an answer, or null for none, that this tab or another one was given.
function take(place, isHeard = false) {
  failures = place ? 0 : failures + 1;
  if (place) pollAfterMs = place.poll_after_ms;
  pollIn((place ? pollAfterMs : retryMs()) + (isHeard ? margin() : 0));
  showConnection();
  if (place) follow(place, isHeard);
}

function hear({ data: { isAsking, isGoingIn, hasLeft: left, place } }) {
  if (leaving) return;
  if (isAsking) polledAt = performance.now();
  // Who failed to get an answer is not relied on.
  if (isAsking && !failures) pollIn(ANSWER_MS + margin());
  if (isGoingIn) silence();
  if (left) {
    hasLeft = true;
    pollIn(margin());
  }
  if (place !== undefined) take(place, true);
}

// Going on

function follow(place, isHeard) {
  if (place.state !== "none") isUnproved = false;
  if (place.state === "called") return beCalled(place);
  cancelReservation();
  if (place.state === "waiting") return showPlace(place);
  if (place.state === "early" && part("countdown")) return showEarly(place);
  // Another tab is about to load, and may come back with a new place for both.
  if (isHeard) return pollIn(margin());
  if (place.state === "none" && isUnproved) return end("blocked");
  if (place.state === "none" && hasLeft) return end("left");
  if (place.state === "inside") return goIn();
  goOn();
}

// Loading the page again leads in (called), to a new place (none) or to the reason (closed, revoked). Should it lead back
// here time after time, each further try waits twice as long.
function goOn() {
  const last = recall("moves") || { count: 0, at: 0 };
  const ago = Math.abs(Date.now() - last.at);
  const count = ago < LOOP_MS ? last.count : 0;
  const pause = count ? 1_000 * 2 ** Math.min(count, 6) : 0;
  if (ago < pause) return pollIn(Math.max(MOST_OFTEN_MS, pause - ago));
  cancel(timer);
  leaving = true;
  remember("first", null);
  const remembered = remember("moves", { count: count + 1, at: Date.now() });
  later(loadAgain, remembered ? 0 : WITHOUT_MEMORY_MS);
}

// There is nothing to wait for, and nothing to load: the page says why.
function end(state) {
  leaving = true;
  cancel(timer);
  cancel(ticking);
  showState(state);
  document.title = textOf(document.querySelector(`[data-in=${state}] h1`));
  alarm(document.title);
}

// Showing

function showLine(place) {
  cancel(ticking);
  showState(place.state);
  reveal("called", false);
  fill(part("waiting"), number.format(place.waiting));
  fill(part("message"), place.message);
  fill(part("updated"), time({ timeStyle: "medium" }, new Date()));
  reveal("position-part", place.position !== null);
  reveal("waiting-part", place.waiting);
  reveal("wait-part", place.state === "waiting" && !place.paused);
  reveal("late", place.is_late);
  reveal("hold", place.paused === "hold");
  reveal("origin", place.paused === "origin");
  reveal("store_lost", place.paused === "store_lost");
  reveal("message-part", place.message);
  reveal("updated-part", true);
  showKept(place.kept_until_ms);
  if (place.draw && part("draw")) showDraw(place.draw);
}

function showPlace(place) {
  showLine(place);
  if (part("opening")) reveal("opening", false);
  fill(part("position"), number.format(place.position));
  fill(part("wait"), waitInWords(place.wait_s));
  const first = showProgress(place.position);
  document.title = place.position === null ? titleWaiting : `#${number.format(place.position)} · ${titleWaiting}`;
  say([part("wait").textContent, place.paused, place.is_late, place.message, Math.ceil((10 * place.position) / first)]);
}

function showKept(untilMs) {
  const day = { weekday: "long", month: "long", day: "numeric", hour: "numeric", minute: "2-digit" };
  for (const element of document.querySelectorAll("[data-kept]")) if (untilMs) fill(element, time(day, new Date(untilMs)));
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
  fill(part("first"), first > position ? number.format(first) : "");
  reveal("first-part", first > position);
  return first;
}

function showConnection() {
  reveal("offline", failures && !navigator.onLine);
  reveal("lost", failures && navigator.onLine);
  if (failures) say(["lost"]);
}

// Beginning

const { position, opensInMs, opensMs, keptUntilMs } = page.dataset;
showKept(Number(keptUntilMs));
offerSignals();
if (opensMs) {
  const place = { paused: null, message: part("message").textContent };
  setCountdown({ ...place, opens_in_ms: Number(opensInMs), opens_ms: Number(opensMs) });
  tick(place);
} else {
  showProgress(position ? Number(position) : null);
}
if (navigator.cookieEnabled) poll();
else end("blocked");

tabs?.addEventListener("message", hear);
onJump(pollNow);
addEventListener("online", pollNow);
addEventListener("offline", showConnection);
document.addEventListener("resume", pollNow);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  silence();
  pollNow();
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false;
  pollNow();
});
part("leave").addEventListener("submit", () => {
  leaving = true;
  remember("first", null);
  tellTabs({ hasLeft: true });
});
