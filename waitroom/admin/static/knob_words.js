// The knobs: what each is called, in which unit, and what turning it does.

import { count, duration } from "./format.js";

export const MODES = [
  ["auto", "Auto", "The line calls as rate and cap allow; while there is room, visitors go straight in."],
  ["queue", "Queue", "Everyone waits in turn, even while there is room."],
  ["hold", "Hold", "Nobody is called. Who is inside stays, who waits keeps the place."],
  ["open", "Open", "Everyone passes: neither rate nor cap protect the site."],
  ["closed", "Closed", "New visitors are turned away. Nobody is called."],
];
export const modeName = (mode) => MODES.find(([name]) => name === mode)?.[1] ?? mode;
export const modeMeans = (mode) => MODES.find(([name]) => name === mode)?.[2] ?? "";

const seconds = (value) => duration(value);
export const KNOBS = {
  rate_per_minute: { name: "Rate", unit: "calls a minute", tell: (value) => `${count(value)} a minute` },
  cap: { name: "Cap", unit: "visitors inside", tell: (value) => `${count(value)} inside` },
  burst: { name: "Burst", unit: "calls at once", tell: (value) => `${count(value)} at once` },
  session_s: { name: "Session", unit: "seconds", tell: seconds },
  claim_s: { name: "Time to claim", unit: "seconds", tell: seconds },
  presence_s: { name: "Presence", unit: "seconds", tell: seconds },
  mode: { name: "Mode", tell: modeName },
  message: { name: "Message", tell: (value) => (value ? `“${value}”` : "none") },
};

export const told = (knob, value) => (value === null || value === undefined ? "as configured" : KNOBS[knob]?.tell(value) ?? String(value));
