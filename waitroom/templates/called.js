// The call. Goes in at once where somebody looks. Elsewhere it fetches the visitor, who may take the time that the place
// is reserved, and goes in before that is over.

const GO_IN_MS = 5_000;
// Another tab, that is looked at, goes in meanwhile.
const SIGNAL_AFTER_MS = 500;

let reservedUntil = null;
let counting;
let signalling;

function beCalled(place) {
  const isSeen = !document.hidden && reservedUntil === null;
  if (isSeen || place.claim_in_ms === null || place.claim_in_ms <= GO_IN_MS) goIn();
  else reserve(place);
}

function goIn() {
  cancelReservation();
  document.title = titleCalled;
  showCalled(false);
  alarm(textOf(part("called").querySelector("h1")));
  tellTabs({ isGoingIn: true });
  goOn();
}

function showCalled(isReserved) {
  showState("called");
  reveal("called", true);
  reveal("going", !isReserved);
  reveal("reserved", isReserved);
  if (!isReserved) reveal("extend", false);
}

function reserve(place) {
  const isNews = reservedUntil === null;
  reservedUntil = performance.now() + place.claim_in_ms;
  showCalled(true);
  reveal("extend", place.can_extend);
  countReserved();
  if (!isNews) return;
  document.title = titleCalled;
  alarm(spoken());
  part("go-in").focus();
  signalling = later(signal, SIGNAL_AFTER_MS);
}

// While the line can't be reached, neither can the site: loading it would show an error page of the browser.
function countReserved() {
  cancel(counting);
  const leftMs = Math.max(0, reservedUntil - performance.now());
  fill(part("claim"), countdownInWords(leftMs));
  if (leftMs <= GO_IN_MS && !failures && !leaving) goIn();
  else if (leftMs > 0) counting = later(countReserved, leftMs % 1000 || 1000);
}

function cancelReservation() {
  reservedUntil = null;
  cancel(counting);
  silence();
}

function silence() {
  cancel(signalling);
  stopSignals();
}

part("extend").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  const place = await ask(event.target.action, "POST");
  button.disabled = false;
  reveal("extended", place?.state === "called");
  reveal("not-extended", !place);
  alarm(textOf(part(place ? "extended" : "not-extended")));
  if (!place || leaving) return;
  tellTabs({ place });
  take(place);
});
