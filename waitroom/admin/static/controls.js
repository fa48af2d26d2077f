// The controls of a room: its mode, its knobs with who has turned them, and acts on single places.

import { act } from "./api.js";
import { ask } from "./dialog.js";
import { count, moment } from "./format.js";
import { KNOBS, MODES, modeMeans, modeName, told } from "./knob_words.js";
import { by, fill, make, show } from "./page.js";

const SHOWN = ["rate_per_minute", "cap", "burst", "session_s", "claim_s", "presence_s", "message"];

export class Controls {
  // `mayAct`: whether the token is an operator's. `onDone` is called after each act.
  constructor({ mayAct, onDone, signal }) {
    this.mayAct = mayAct;
    this.onDone = onDone;
    by("clear-all").addEventListener("click", () => this.clear(null), { signal });
    by("places").addEventListener("click", (event) => {
      const name = event.target.dataset.act;
      if (name) this[name]();
    }, { signal });
  }

  show(room) {
    this.room = room;
    by("places").hidden = !this.mayAct;
    by("clear-all").hidden = !this.mayAct || room.overrides.length < 2;
    fill(by("mode-means"), modeMeans(room.mode));
    const overrides = Object.fromEntries(room.overrides.map((each) => [each.knob, each]));
    show(by("modes"), [room.name, room.mode], () => this.modes(room));
    show(by("knobs"), [room.name, room.mode, room.limits, room.message, room.config, overrides, room.adaptive?.rate_per_minute], () =>
      [...(overrides.mode ? ["mode"] : []), ...SHOWN].map((knob) => this.row(room, knob, overrides[knob])));
  }

  modes(room) {
    return MODES.map(([mode, name]) =>
      make("button", {
        type: "button", "data-name": mode, "aria-pressed": String(room.mode === mode),
        disabled: !this.mayAct, onclick: () => this.turn("mode", mode),
      }, name));
  }

  row(room, knob, override) {
    const value = inForce(room, knob);
    const adapted = knob === "rate_per_minute" && room.adaptive && room.adaptive.rate_per_minute === value;
    const note = override
      ? make("div", { class: "override" }, make("p", {}, overridden(room, override)), this.mayAct ? this.clearing(knob) : null)
      : adapted ? make("p", { class: "quiet" }, `adaptive, at most ${told(knob, room.config[knob])}`) : null;
    return make("li", { class: knob },
      make("h3", {}, KNOBS[knob].name),
      make("p", { class: "value" }, told(knob, value)),
      this.mayAct && knob !== "mode" ? this.turning(knob) : null,
      note);
  }

  turning(knob) {
    const label = `Change ${KNOBS[knob].name.toLowerCase()}`;
    return make("button", { type: "button", "data-name": `turn-${knob}`, "aria-label": label, onclick: () => this.turn(knob) }, "Change…");
  }

  clearing(knob) {
    const label = `Clear the override of ${KNOBS[knob].name.toLowerCase()}`;
    return make("button", { type: "button", class: "plain", "data-name": `clear-${knob}`, "aria-label": label, onclick: () => this.clear(knob) }, "Clear…");
  }

  async turn(knob, wanted = null) {
    const room = this.room;
    const before = inForce(room, knob);
    const value = (given) => (wanted ?? (knob === "message" ? given.value.trim() : number(given.value)));
    const words = KNOBS[knob];
    await this.done(ask({
      title: wanted ? `${words.name}: ${told(knob, wanted)}?` : words.name,
      text: wanted ? modeMeans(wanted) : "",
      fields: wanted ? [] : [valueField(knob, before)],
      hasEnd: true,
      isDangerous: wanted === "open" || wanted === "closed",
      change: (given) => (value(given) === null || value(given) === before ? "" : `${words.name}: ${told(knob, before)} → ${told(knob, value(given))}`),
      confirm: (given) => (value(given) === null ? "Set" : wanted ? `Set ${modeName(wanted)}` : knob === "message" ? "Show this message" : `Set ${told(knob, value(given))}`),
      act: ({ for_s, why, ...given }) => act(room.name, "knobs", { set: { [knob]: value(given) }, ...(for_s && { for_s }), why }),
    }));
  }

  async clear(knob) {
    const room = this.room;
    const knobs = knob ? [knob] : room.overrides.map((each) => each.knob);
    const back = knobs.map((each) => `${KNOBS[each].name}: ${told(each, inForce(room, each))} → ${told(each, room.config[each])}`);
    await this.done(ask({
      title: knob ? `Clear the override of ${KNOBS[knob].name.toLowerCase()}?` : "Clear all overrides?",
      text: "What the configuration says is then in force.",
      change: () => back.join("\n"),
      confirm: () => (knob ? "Clear it" : `Clear all ${knobs.length}`),
      act: ({ why }) => act(room.name, "clear", { knobs, why }),
    }));
  }

  async release() {
    const room = this.room;
    await this.done(ask({
      title: "Give places back",
      text: "Whoever holds one of these numbers leaves, and may join the line anew.",
      fields: placeFields(room),
      confirm: (given) => `Give back ${numbers(given).length || ""}`.trim(),
      act: ({ why, ...given }) => act(room.name, "release", { ...line(given), numbers: numbers(given), why }),
    }));
  }

  async revoke() {
    const room = this.room;
    await this.done(ask({
      title: "Take places away",
      text: "Whoever holds one of these numbers leaves, and is refused: for a day, unless you say how long.",
      fields: placeFields(room),
      hasEnd: true,
      isDangerous: true,
      confirm: (given) => `Take away ${numbers(given).length || ""}`.trim(),
      act: ({ why, for_s, ...given }) => act(room.name, "revoke", { ...line(given), numbers: numbers(given), ...(for_s && { for_s }), why }),
    }));
  }

  // In two steps: the first only asks what it would do.
  async reset() {
    const room = this.room;
    let given = { key: "" };
    if (room.has_keys) {
      const isChosen = await ask({ title: "Begin a line anew", fields: [keyField()], confirm: () => "Go on", act: async (values) => { given = values; await act(room.name, "reset", line(given)); } });
      if (!isChosen) return;
    }
    const seen = await act(room.name, "reset", line(given)).catch((error) => ({ fault: error.message }));
    await this.done(ask({
      title: "Begin the line anew?",
      text: seen.fault ?? `${count(seen.waiting)} wait in it, ${count(seen.inside)} are inside. The places of all who wait become void, and nobody can undo that. Those inside stay until they leave.`,
      fields: seen.fault ? [] : [{ name: "name", label: `Type ${room.name} to go on`, spellcheck: "false" }],
      isDangerous: true,
      change: (values) => (!seen.fault && values.name === room.name ? `Epoch ${seen.epoch} → ${seen.epoch + 1}` : ""),
      confirm: () => "Void all places",
      act: ({ why }) => act(room.name, "reset", { ...line(given), epoch: seen.epoch + 1, why }),
    }));
  }

  async done(asked) {
    if (await asked) this.onDone();
  }
}

export function inForce(room, knob) {
  return knob === "mode" || knob === "message" ? room[knob] : room.limits[knob];
}

function overridden(room, { knob, who, why, since_ms, until_ms }) {
  const end = until_ms ? `until ${moment(until_ms)}` : "until it is cleared";
  const configured = `configured: ${told(knob, room.config[knob])}`;
  return [`Set by ${who} at ${moment(since_ms)}, ${end}`, why && `“${why}”`, configured].filter(Boolean).join(" · ");
}

function valueField(knob, value) {
  if (knob === "message") return { name: "value", label: "Those who wait read", kind: "long", value, maxlength: 500 };
  return { name: "value", label: KNOBS[knob].unit[0].toUpperCase() + KNOBS[knob].unit.slice(1), kind: "number", value, min: 1, step: 1, inputmode: "numeric" };
}

function number(text) {
  const value = Number(text);
  return text.trim() && Number.isInteger(value) ? value : null;
}

const keyField = () => ({ name: "key", label: "Key of the line", spellcheck: "false" });
const placeFields = (room) => [
  ...(room.has_keys ? [keyField()] : []),
  { name: "numbers", label: "Numbers", hint: "Several with spaces or commas between.", inputmode: "numeric" },
];
const line = ({ key }) => (key ? { key: key.trim() } : {});
const numbers = (given) => (given.numbers ?? "").split(/[\s,]+/).filter(Boolean).map(Number);
