// A room's figures, its lines, its counters, and what was done: shown, nothing more.

import * as told from "./format.js";
import { KNOBS, modeName, told as value } from "./knob_words.js";
import { by, figures, fill, make, show } from "./page.js";

const COUNTS = [["joined", "Joined"], ["called", "Called"], ["claimed", "Came"], ["missed", "Did not come"], ["released", "Left early"]];
const ACTS = { set: "set", clear: "cleared", ended: "ended", release: "gave places back", revoke: "took places away", reset: "began the line anew", config: "new configuration", refused: "refused a configuration", adapted: "adapted" };

export function showRoom(room) {
  fill(by("title"), room.title);
  show(by("chips"), [room.mode, room.phase, room.overrides.length, room.store_lost, room.limits.rate_per_minute], () => chips(room));
  const { limits, origin, wait_s } = room;
  const lines = room.has_keys ? `${told.count(room.line_count)} lines` : "";
  figures({
    inside: told.count(room.inside),
    cap: room.has_keys ? `${told.count(limits.cap)} each` : told.count(limits.cap),
    "inside-note": [lines, room.has_keys ? "" : places(room)].filter(Boolean).join(" · "),
    waiting: told.count(room.waiting),
    "waiting-note": [`${told.rate(room.joins_per_minute)} join a minute`, room.late ? `${told.count(room.late)} late` : ""].filter(Boolean).join(" · "),
    measured: told.rate(room.measured_per_minute),
    rate: room.has_keys ? `${told.count(limits.rate_per_minute)} each` : told.count(limits.rate_per_minute),
    "rate-note": clears(room),
    "wait-p50": told.duration(wait_s.p50),
    "wait-note": wait_s.p90 === null ? "nobody was let in lately" : `half of those let in lately · 9 in 10 within ${told.duration(wait_s.p90)}`,
    "origin-p95": told.milliseconds(origin.p95_ms),
    "origin-note": `half within ${told.milliseconds(origin.p50_ms)} · ${told.share(origin.error_share)} errors · ${told.rate(origin.requests_per_second)}/s · ${origin.up} of ${origin.of} up`,
    "no-shows": told.share(room.no_show_share),
    "no-shows-note": "of those called lately did not come",
  });
  const share = room.has_keys ? 0 : Math.min(1, room.inside / Math.max(1, limits.cap));
  by("meter").style.width = `${share * 100}%`;
  by("meter").parentElement.hidden = room.has_keys;
  adaptive(room.adaptive);
  counts(room);
  lineTable(room);
}

function places({ inside, waiting, limits }) {
  const free = Math.max(0, limits.cap - inside);
  return free || !waiting ? `${told.count(free)} places free` : "full: whoever leaves makes room for a call";
}

// How long it takes until all who wait now are called: the question behind the rate.
function clears(room) {
  if (room.mode === "hold" || room.mode === "closed" || !room.limits.rate_per_minute) return "paused: nobody is called";
  if (!room.waiting || room.has_keys) return "";
  return `all who wait are called within ${told.duration((room.waiting * 60) / (room.measured_per_minute || room.limits.rate_per_minute))}`;
}

function chips(room) {
  const phases = { early: "not open yet", over: "over" };
  return [
    make("span", { class: `chip mode-${room.mode}` }, modeName(room.mode)),
    phases[room.phase] && make("span", { class: "chip warn" }, phases[room.phase]),
    room.overrides.length && make("span", { class: "chip note" }, room.overrides.length === 1 ? "1 override" : `${room.overrides.length} overrides`),
    room.limits.rate_per_minute === 0 && make("span", { class: "chip warn" }, "paused by adaptive admission"),
    room.store_lost && make("span", { class: "chip bad" }, "Redis lost"),
  ].filter(Boolean);
}

function adaptive(decided) {
  by("adaptive").hidden = !decided;
  if (!decided) return;
  figures({
    "adaptive-rate": `${told.count(decided.rate_per_minute)} a minute`,
    "adaptive-state": `${decided.state}, since ${told.moment(decided.since_ms)}`,
    "adaptive-reason": decided.reason,
  });
}

function counts(room) {
  const rows = COUNTS.map(([of, name]) => [name, told.count(room[of])]);
  show(by("counts"), rows, () => rows.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text))));
}

function lineTable(room) {
  by("lines-section").hidden = !room.has_keys;
  if (!room.has_keys) return;
  show(by("lines"), room.lines, () => room.lines.map((line) =>
    make("tr", {}, make("th", { scope: "row" }, line.key), make("td", {}, modeName(line.mode)),
      ...[told.count(line.inside), told.count(line.waiting), told.count(line.late), told.rate(line.measured_per_minute)].map((text) => make("td", { class: "number" }, text)))));
  fill(by("lines-more"), room.line_count > room.lines.length ? `The busiest ${room.lines.length} of ${told.count(room.line_count)} lines.` : room.line_count ? "" : "Nobody has come yet.");
}

export function showAudit(entries) {
  by("audit-none").hidden = entries.length > 0;
  show(by("audit"), entries, () => entries.map((entry) =>
    make("li", {},
      make("time", { datetime: new Date(entry.at_ms).toISOString() }, told.moment(entry.at_ms)),
      make("span", { class: "who" }, entry.who),
      make("span", {}, sentence(entry), entry.why ? make("em", {}, ` “${entry.why}”`) : null))));
}

function sentence({ act, knob, before, after, until_ms }) {
  const words = ACTS[act] ?? act;
  if (!KNOBS[knob]) return [words, knob, after].filter(Boolean).join(" ");
  const end = until_ms ? `, until ${told.moment(until_ms)}` : "";
  return `${words} ${KNOBS[knob].name.toLowerCase()}: ${value(knob, before)} → ${value(knob, after)}${end}`;
}
