// The parts of the page: fills them in, shows and hides them, and lets a screen reader know. All prose is in the page.

const { placeUrl, titleEarly, titleWaiting, titleCalled } = page.dataset;
const IN_LINE = ["early", "waiting"];

let said;

const part = (id) => document.getElementById(id);
const time = (options, at) => new Intl.DateTimeFormat(page.dataset.tag, options).format(at);
const textOf = (element) => (element.dataset.spoken || element.textContent).replace(/\s+/g, " ").trim();

function reveal(id, shown) {
  part(id).hidden = !shown;
}

// Leaves alone what has not changed: somebody may be about to copy it.
function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showState(state) {
  for (const element of document.querySelectorAll("[data-in]")) element.hidden = element.dataset.in !== state;
  reveal("in-line", IN_LINE.includes(state));
  reveal("foot", [...IN_LINE, "called"].includes(state));
}

// What can be read and is worth being said.
function spoken() {
  const shown = [...document.querySelectorAll("[data-spoken]")].filter((element) => !element.closest("[hidden]"));
  return shown.map(textOf).join(". ");
}

// A screen reader hears what is on the page, but only when something worth saying has changed.
function say(facts) {
  const before = said;
  said = JSON.stringify(facts);
  if (before !== undefined && before !== said) part("spoken").textContent = spoken();
}

// It hears at once what can't wait, and once only.
function alarm(text) {
  fill(part("alert"), text);
}
