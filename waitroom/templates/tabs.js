// The tabs of one place: one asks, and tells the others, which ask only once that one has fallen silent.

const MARGIN_MS = 1_000;
const tabs = openTabs();

function openTabs() {
  try {
    return new BroadcastChannel(`waitroom ${placeUrl}`);
  } catch {
    return null;
  }
}

function tellTabs(news) {
  tabs?.postMessage(news);
}

// How much longer than the one that asks another tab waits; of several, each differently.
function margin() {
  return MARGIN_MS * (1 + Math.random());
}
