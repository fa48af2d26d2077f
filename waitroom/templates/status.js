// Finds the place by the status of the line, which is the same for everybody and may come from a cache: the line itself
// is asked only now and then, so that the visitor stays present, and once the number is near, was called, or the status
// says nothing of it. waitroom/status.py says how it is read.

const PUBLIC = { cache: "default", credentials: "omit" };
// From one look to the next, as the share of the time that is left: a tenth, in milliseconds of a second.
const SHARE_MS = 100;
const LONGEST_LOOK_MS = 60_000;
// No cache is to keep a status for so long.
const OLD_MS = 90_000;

const { numberUrl, statusUrl, statusS } = part("status").dataset;
// What the line itself has told last, when, and until when that is enough.
let told = null;
let toldAt = 0;
let askBy = 0;

async function lookUp() {
  const status = performance.now() < askBy ? await ask(statusUrl, "GET", PUBLIC) : null;
  return (status && placeBy(status)) || askLine();
}

async function askLine() {
  const place = await ask(numberUrl);
  askBy = 0;
  if (!place?.number) return place;
  const isFar = !isNear(place.wait_s);
  if (isFar) {
    told = place;
    toldAt = performance.now();
    askBy = toldAt + place.ask_after_ms;
  }
  return { ...place, poll_after_ms: Math.min(place.poll_after_ms, lookMs(place.wait_s, isFar ? statusS * 1000 : MOST_OFTEN_MS)) };
}

function placeBy({ state, made_ms, head, late, waiting, steps, pace, paused, message, ask_after_ms }) {
  const now = performance.now();
  // The window may have been made shorter meanwhile.
  askBy = Math.min(askBy, toldAt + ask_after_ms);
  const isOld = made_ms < told.now_ms + now - toldAt - OLD_MS;
  if (isOld || state !== "waiting" || told.number <= head || now >= askBy) return null;
  const position = late + 1 + presentBefore(told.number, head, waiting - late, steps);
  const wait_s = pace && waitBy(pace, position);
  if (isNear(wait_s)) return null;
  const poll_after_ms = Math.max(MOST_OFTEN_MS, Math.min(lookMs(wait_s, statusS * 1000), askBy - now));
  return { ...told, position, waiting: Math.max(waiting, position), wait_s, paused, message, poll_after_ms };
}

// The line itself tells of it sooner than a cache can.
function isNear(wait) {
  return wait && wait[0] * SHARE_MS < statusS * 1000;
}

function lookMs(wait, leastMs) {
  const ms = wait ? Math.max(leastMs, wait[0] * SHARE_MS) : LONGEST_LOOK_MS;
  return Math.min(ms, LONGEST_LOOK_MS) * (0.8 + Math.random() * 0.4);
}

function presentBefore(number, head, present, steps) {
  let rank = 0, at = head;
  for (const step of steps) {
    const next = Math.min(present, rank + Math.max(1, rank >> 4));
    if (number <= at + step) return rank + Math.floor(((number - at - 1) * (next - rank)) / step);
    rank = next;
    at += step;
  }
  return present;
}

// As waitroom/estimate.py.
function waitBy({ rate_per_s, free, slow_per_s, fast_per_s, vanishing_per_s }, position) {
  const timeS = (calls, perS) => (vanishing_per_s ? Math.log1p((vanishing_per_s * calls) / perS) / vanishing_per_s : calls / perS);
  const waitS = (turnoverPerS) => {
    if (rate_per_s <= turnoverPerS) return timeS(position, rate_per_s);
    const atRate = Math.min(position, (free * rate_per_s) / (rate_per_s - turnoverPerS));
    return timeS(atRate, rate_per_s) + timeS(position - atRate, turnoverPerS);
  };
  return [Math.floor(waitS(fast_per_s) * 0.8), Math.ceil(waitS(slow_per_s) * 1.25)];
}

// A clock of the page may stand still while the machine sleeps.
onJump(() => (askBy = 0));
// The cookie may be another place's by now.
tabs?.addEventListener("message", () => (askBy = 0));
addEventListener("pageshow", () => (askBy = 0));
