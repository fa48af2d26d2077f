// The desk: asks for a token, listens, and shows the room that was chosen.

import { get } from "./api.js";
import { Charts, SPANS } from "./charts.js";
import { Controls } from "./controls.js";
import { count, time } from "./format.js";
import { listen } from "./live.js";
import { by, clear, fill, make, show } from "./page.js";
import { showAudit, showRoom } from "./room.js";
import * as token from "./token.js";

const AUDIT_EVERY_MS = 10_000;

class Desk {
  constructor(holder) {
    this.stopping = new AbortController();
    this.charts = new Charts(by("charts"), this.stopping.signal);
    this.controls = new Controls({ mayAct: holder.role === "operator", onDone: () => this.readAudit(), signal: this.stopping.signal });
    this.seen_ms = null;
    this.shown = null;
    by("holder").textContent = holder.role === "operator" ? holder.name : `${holder.name}, who may only look`;
    this.spans(SPANS[1]);
  }

  run() {
    const { signal } = this.stopping;
    addEventListener("hashchange", () => this.state && this.show(this.state), { signal });
    document.addEventListener("visibilitychange", () => this.charts.draw(), { signal });
    const audit = setInterval(() => this.readAudit(), AUDIT_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(audit));
    return listen({ signal, onState: (state) => this.show(state), onLost: () => this.lost(), onRefused: (error) => leave(error.message) });
  }

  stop() {
    this.stopping.abort();
  }

  show(state) {
    this.state = state;
    this.seen_ms = Date.now();
    by("desk").classList.remove("stale");
    live("Live", "good");
    fill(by("processes"), state.processes.length === 1 ? "1 process" : `${state.processes.length} processes`);
    show(by("alerts"), alerts(state), () => alerts(state).map((text) => make("p", { class: "alert bad" }, text)));
    const room = state.rooms.find(({ name }) => `#/${name}` === location.hash) ?? state.rooms[0];
    this.rooms(state.rooms, room);
    showRoom(room);
    this.controls.show(room);
    if (room.name === this.shown) this.charts.add(state.now_ms, room);
    else this.choose(room);
  }

  async choose(room) {
    this.shown = room.name;
    document.title = `${room.title} · Waitroom desk`;
    this.charts.begin([]);
    this.readAudit();
    const samples = await get(`/api/rooms/${encodeURIComponent(room.name)}/history`).catch(() => []);
    if (this.shown !== room.name) return;
    this.charts.begin(samples);
    if (!samples.length || samples[0].at_ms > Date.now() - SPANS[0][2] * 1_000) this.spans(SPANS[0]);
  }

  rooms(rooms, chosen) {
    by("rooms").hidden = rooms.length < 2;
    const rows = rooms.map((room) => [room.name, room.title, `${count(room.inside)} inside`, `${count(room.waiting)} wait`, room.name === chosen.name]);
    show(by("rooms"), rows, () => rows.map(([name, title, inside, waiting, isChosen]) =>
      make("a", { href: `#/${name}`, "data-name": name, "aria-current": isChosen ? "page" : null }, make("strong", {}, title), make("span", {}, `${inside} · ${waiting}`))));
  }

  async readAudit() {
    const asked = this.shown;
    if (!asked) return;
    const entries = await get(`/api/audit?most=60&room=${encodeURIComponent(asked)}`).catch(() => null);
    if (entries && this.shown === asked) showAudit(entries);
  }

  spans(chosen) {
    const [name, , seconds] = chosen;
    this.charts.span(seconds);
    fill(by("span-name"), name);
    show(by("spans"), name, () => SPANS.map((span) =>
      make("button", { type: "button", "data-name": span[0], "aria-pressed": String(span === chosen), onclick: () => this.spans(span) }, span[1])));
  }

  lost() {
    by("desk").classList.add("stale");
    live(this.seen_ms ? `Not live since ${time(this.seen_ms)}: trying on` : "Not live: trying on", "bad");
  }
}

function alerts(state) {
  const lost = state.rooms.filter((room) => room.store_lost).map((room) => room.title);
  return [
    ...(lost.length ? [`Redis is lost for ${lost.join(", ")}: places are kept, nobody is called until it is back.`] : []),
    ...state.origin_faults.map(({ url, why_not, fault }) => `The origin ${url} is ${why_not}${fault ? `: ${fault}` : ""}.`),
    ...state.config_faults.map((fault) => `The new configuration is refused, the old one is in force. ${fault}`),
  ];
}

function live(text, kind) {
  fill(by("live"), text);
  by("live").className = `live ${kind}`;
}

let desk = null;

function leave(fault = "") {
  desk?.stop();
  desk = null;
  clear();
  token.forget();
  live("", "");
  fill(by("holder"), "");
  fill(by("processes"), "");
  enter(fault);
}

function enter(fault) {
  by("desk").hidden = true;
  by("door").hidden = false;
  by("sign-out").hidden = true;
  fill(by("door-fault"), fault);
  by("token").value = "";
  by("token").focus();
}

async function open() {
  if (!token.current()) return enter("");
  live("Connecting", "");
  let holder;
  try {
    holder = await get("/api/me");
  } catch (error) {
    if (error.status) return leave(error.message);
    live("The desk does not answer: trying on", "bad");
    setTimeout(open, 2_000);
    return;
  }
  by("door").hidden = true;
  by("desk").hidden = false;
  by("sign-out").hidden = false;
  desk = new Desk(holder);
  desk.run();
}

by("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.keep(by("token").value);
  open();
});
by("sign-out").addEventListener("click", () => leave());
open();
