// The live part of the seat map: says what is chosen and what it costs, and marks the seats that others take meanwhile.
// Without it the map shows how things were when it was loaded, and the sale itself says which seats were lost.
const form = document.getElementById("seats");
const words = form.dataset;
const boxes = new Map([...form.querySelectorAll("input[name=seat]")].map((box) => [box.dataset.label, box]));
const [choice, total, news, free] = ["choice", "total", "news", "free"].map((id) => document.getElementById(id));
const money = new Intl.NumberFormat(words.locale, { style: "currency", currency: words.currency });

const POLL_MS = 3_000;
const SLOWEST_POLL_MS = 60_000;
let etag = "";
let pauseMs = POLL_MS;
let timer = 0;
let isLeaving = false;

function chosen() {
  return [...boxes.values()].filter((box) => box.checked);
}

function say(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function showChoice() {
  const seats = chosen();
  const prices = form.querySelector("input[name=fare]:checked").dataset;
  const minor = seats.reduce((sum, box) => sum + Number(prices[box.dataset.cabin]), 0);
  choice.textContent = seats.length ? say(words.chosen, { seats: seats.map((box) => box.dataset.label).join(", ") }) : words.none;
  total.textContent = seats.length ? say(words.total, { total: money.format(minor / 10 ** words.digits) }) : "";
}

function change(event) {
  news.textContent = "";
  if (event.target.name === "seat" && chosen().length > words.party) {
    event.target.checked = false;
    news.textContent = say(words.most, { most: words.party });
  }
  showChoice();
}

// Takes over what the site says of one seat. Tells whether it was chosen here, and is lost.
function mark({ label, state, version }) {
  const box = boxes.get(label);
  const lost = box.checked && state !== "free";
  box.value = `${label}:${version}`;
  box.disabled = state !== "free";
  if (lost) box.checked = false;
  box.parentElement.className = `seat ${state}`;
  const [place, cabin] = box.getAttribute("aria-label").split(", ");
  box.setAttribute("aria-label", `${place}, ${cabin}, ${words[state]}`);
  box.nextElementSibling.title = `${label}: ${words[state]}`;
  return lost;
}

function update(seats) {
  // The seats that were just sent are held soon: by us.
  if (isLeaving) return;
  const lost = seats.filter(mark).map((seat) => seat.label);
  free.textContent = seats.filter((seat) => seat.state === "free").length;
  if (!lost.length) return;
  news.textContent = say(words.lost, { seats: lost.join(", ") });
  showChoice();
}

async function poll() {
  try {
    const answer = await fetch(words.url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      etag = answer.headers.get("ETag") ?? "";
      update((await answer.json()).seats);
    } else if (answer.status !== 304) {
      throw new Error(`the seat map answers ${answer.status}`);
    }
    pauseMs = POLL_MS;
  } catch {
    pauseMs = Math.min(2 * pauseMs, SLOWEST_POLL_MS);
  }
  plan();
}

// Some earlier, some later, so that all who look at one flight do not ask at once. Nobody asks for a hidden page.
function plan() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, pauseMs * (0.75 + Math.random() / 2));
}

form.addEventListener("change", change);
form.addEventListener("submit", () => { isLeaving = true; });
document.addEventListener("visibilitychange", plan);
if (chosen().length) showChoice();
plan();
