// The time until the line opens. The server's clock counts.

// How old what the server says may be when it says it.
const STALE_MS = 1_000;
// With so many minutes left, a screen reader is told.
const MILESTONES_MIN = [60, 30, 10, 5, 2, 1, 0];

let opensAt = Infinity;
let ticking;

function showEarly(place) {
  showLine(place);
  reveal("progress", false);
  setCountdown(place);
  tick(place);
}

// What the server said was true some time between the question and the answer, so that answers that come slowly need not
// move the countdown. While the store is lost, the server itself knows no newer time.
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
  cancel(ticking);
  const leftMs = Math.max(0, opensAt - performance.now());
  fill(part("countdown"), countdownInWords(leftMs));
  part("countdown-part").dataset.spoken = `${part("countdown-label").textContent} ${waitInWords([0, leftMs / 1000])}`;
  reveal("countdown-part", leftMs > 0);
  reveal("opening", leftMs === 0);
  if (!failures) say([MILESTONES_MIN.filter((minutes) => leftMs <= minutes * 60_000).length, place.paused, place.message]);
  if (leftMs > 0) ticking = later(() => tick(place), leftMs % 1000 || 1000);
}
