// The charts of a room: what was sampled each ten seconds for six hours, and what comes in live.

import { count, duration, milliseconds, rate, share } from "./format.js";
import { fill, make } from "./page.js";
import uPlot from "./vendor/uplot.js";

export const SPANS = [["15 minutes", "15 min", 900], ["hour", "1 h", 3_600], ["6 hours", "6 h", 21_600]];
const SLOT_MS = 10_000;
const KEPT_MS = 6 * 3_600_000;
const HEIGHT = 168;
// By which an axis of durations goes on: whole minutes and hours, not hundreds of seconds.
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];

// `tone` is one of the style sheet's; a `bound` is drawn in dashes, as a step.
const CHARTS = [
  { name: "Waiting", tell: count, series: [{ name: "waiting", of: "waiting", tone: "one", fill: true }] },
  { name: "Inside", tell: count, series: [{ name: "inside", of: "inside", tone: "one", fill: true }, { name: "cap", of: "cap", tone: "bound", bound: true }] },
  { name: "Calls and joins a minute", tell: rate, series: [
    { name: "joins", of: "joins_per_minute", tone: "three" },
    { name: "calls", of: "measured_per_minute", tone: "one" },
    { name: "rate", of: "rate_per_minute", tone: "bound", bound: true }] },
  { name: "Wait until let in", tell: duration, steps: STEPS_S, series: [{ name: "9 in 10", of: "wait_p90_s", tone: "two" }, { name: "half", of: "wait_p50_s", tone: "one" }] },
  { name: "Origin, time to the first byte", tell: milliseconds, series: [{ name: "95 %", of: "origin_p95_ms", tone: "two" }, { name: "half", of: "origin_p50_ms", tone: "one" }] },
  { name: "Errors and no-shows", tell: share, least: 0.05, series: [{ name: "no-shows", of: "no_show_share", tone: "three" }, { name: "errors", of: "error_share", tone: "bad" }] },
];

export class Charts {
  constructor(place, signal) {
    this.samples = [];
    this.span_s = 3_600;
    this.parts = CHARTS.map((chart) => new Part(chart));
    place.replaceChildren(...this.parts.map((part) => part.figure));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
    const resized = new ResizeObserver(() => this.parts.forEach((part) => part.fit()));
    this.parts.forEach((part) => resized.observe(part.place));
    signal.addEventListener("abort", () => resized.disconnect());
  }

  begin(samples) {
    this.samples = samples.toSorted((one, other) => one.at_ms - other.at_ms);
    this.draw();
  }

  // The newest state takes the place of the last one of the same ten seconds.
  add(now_ms, room) {
    const sample = sampled(now_ms, room);
    const last = this.samples.at(-1);
    if (last && Math.floor(last.at_ms / SLOT_MS) === Math.floor(now_ms / SLOT_MS)) this.samples.pop();
    this.samples.push(sample);
    while (this.samples[0].at_ms < now_ms - KEPT_MS) this.samples.shift();
    this.draw();
  }

  span(seconds) {
    this.span_s = seconds;
    this.draw();
  }

  draw() {
    if (!this.samples.length || document.hidden) return;
    const end_ms = this.samples.at(-1).at_ms;
    const shown = this.samples.filter((sample) => sample.at_ms >= end_ms - this.span_s * 1_000 - SLOT_MS);
    for (const part of this.parts) part.draw(shown, end_ms / 1_000 - this.span_s, end_ms / 1_000);
  }
}

function sampled(at_ms, room) {
  return {
    at_ms,
    inside: room.inside, cap: room.limits.cap, waiting: room.waiting,
    rate_per_minute: room.limits.rate_per_minute, measured_per_minute: room.measured_per_minute,
    joins_per_minute: room.joins_per_minute, no_show_share: room.no_show_share,
    wait_p50_s: room.wait_s.p50, wait_p90_s: room.wait_s.p90,
    origin_p50_ms: room.origin.p50_ms, origin_p95_ms: room.origin.p95_ms, error_share: room.origin.error_share,
  };
}

class Part {
  constructor(chart) {
    this.chart = chart;
    this.place = make("div", { class: "plot", role: "img" });
    this.now = chart.series.map(({ tone }) => make("span", { class: `key ${tone}` }));
    this.figure = make("figure", {}, make("figcaption", {}, make("span", { class: "name" }, chart.name), make("span", { class: "keys", "aria-hidden": "true" }, ...this.now)), this.place);
  }

  draw(samples, from_s, to_s) {
    const columns = [samples.map((sample) => sample.at_ms / 1_000), ...this.chart.series.map(({ of }) => samples.map((sample) => sample[of]))];
    const theme = getComputedStyle(document.documentElement).getPropertyValue("--ground");
    if (theme !== this.theme) {
      this.plot?.destroy();
      this.plot = new uPlot(options(this.chart, this.place.clientWidth), null, this.place);
      this.theme = theme;
      this.plot.over.addEventListener("mouseleave", () => this.tell(null));
      this.plot.hooks.setCursor = [(plot) => this.tell(plot.cursor.idx)];
    }
    this.columns = columns;
    this.plot.batch(() => {
      this.plot.setData(columns, false);
      this.plot.setScale("x", { min: from_s, max: to_s });
      const highest = Math.max(this.chart.least ?? 4, ...columns.slice(1).flat().filter((value) => value !== null && value !== undefined));
      this.plot.setScale("y", { min: 0, max: highest * 1.12 });
    });
    this.tell(this.plot.cursor.idx);
    this.place.setAttribute("aria-label", this.described());
  }

  fit() {
    if (this.plot && this.place.clientWidth !== this.plot.width) this.plot.setSize({ width: this.place.clientWidth, height: HEIGHT });
  }

  tell(index) {
    this.chart.series.forEach(({ name }, at) => {
      const values = this.columns?.[at + 1] ?? [];
      fill(this.now[at], `${name} ${this.chart.tell(index === null || index === undefined ? values.at(-1) : values[index])}`);
    });
  }

  described() {
    const parts = this.chart.series.map(({ name }, at) => {
      const known = this.columns[at + 1].filter((value) => value !== null && value !== undefined);
      if (!known.length) return `${name}: nothing measured`;
      return `${name}: now ${this.chart.tell(known.at(-1))}, lowest ${this.chart.tell(Math.min(...known))}, highest ${this.chart.tell(Math.max(...known))}`;
    });
    return `${this.chart.name}. ${parts.join("; ")}.`;
  }
}

function options({ series, tell, steps }, width) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: color("quiet"), font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: color("rule"), width: 1 } };
  return {
    width, height: HEIGHT, padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "desk" }, y: false, drag: { setScale: false, x: false }, points: { size: 6 } },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 26, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
      { ...axis, size: 54, space: 36, ...(steps && { incrs: steps }), values: (_, splits) => splits.map((value) => tell(value)) },
    ],
    series: [{}, ...series.map(({ tone, fill: isFilled, bound }) => ({
      stroke: color(`chart-${tone}`), width: bound ? 1.5 : 2, spanGaps: false, points: { show: false },
      ...(bound && { dash: [4, 4], paths: uPlot.paths.stepped({ align: 1 }) }),
      ...(isFilled && { fill: color(`chart-${tone}-fill`) }),
    }))],
  };
}
