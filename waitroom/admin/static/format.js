// How figures are told: in digits of one width, with their units, and a dash where nobody knows.

export const DASH = "–";
const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

const known = (tell) => (value) => (value === null || value === undefined ? DASH : tell(value));

export const count = known((value) => whole.format(Math.round(value)));
export const rate = known((value) => (value < 10 ? tenths.format(value) : whole.format(Math.round(value))));
export const share = known((value) => percents.format(value));
export const milliseconds = known((value) =>
  value < 1_000 ? `${whole.format(Math.round(value))} ms` : `${tenths.format(value / 1_000)} s`);
export const duration = known((seconds) => {
  if (seconds < 90) return `${whole.format(Math.round(seconds))} s`;
  if (seconds < 5_400) return `${whole.format(Math.round(seconds / 60))} min`;
  if (seconds < 172_800) return `${tenths.format(seconds / 3_600)} h`;
  return `${tenths.format(seconds / 86_400)} days`;
});
export const time = (ms) => clock.format(ms);
export const moment = (ms) => (isToday(ms) ? hours.format(ms) : `${days.format(ms)}, ${hours.format(ms)}`);

function isToday(ms) {
  return new Date(ms).toDateString() === new Date().toDateString();
}
