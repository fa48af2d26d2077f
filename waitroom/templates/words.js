// How times read: the same words as waitroom/words.py, which come with the page in its language.

const page = document.querySelector("main");
const words = JSON.parse(page.dataset.words);
// As the server does: some languages, such as Spanish, would leave four digits together.
const number = new Intl.NumberFormat(page.dataset.tag, { useGrouping: "always" });
const inUnits = (value, unit) =>
  new Intl.NumberFormat(page.dataset.tag, { style: "unit", unit, unitDisplay: "long" }).format(value);

function waitInWords(range) {
  if (!range) return words.unknown;
  const [shortest, longest] = range;
  if (longest <= 60) return words.minute;
  const [unit, step, share] = longest <= 7200 ? ["minute", 60, 1] : ["hour", 1800, 2];
  const low = Math.floor(shortest / step) / share, high = Math.ceil(longest / step) / share;
  const sentence = low === 0 ? words.less : low === high ? words.about : words.between;
  return sentence.replace("%(low)s", number.format(low)).replace("%(time)s", inUnits(high, unit));
}

function countdownInWords(leftMs) {
  const left = Math.ceil(Math.max(0, leftMs) / 1000);
  const days = Math.floor(left / 86400), hours = Math.floor((left % 86400) / 3600);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const minutes = (left % 3600) / 60, seconds = two(left % 60);
  if (days) return `${inUnits(days, "day")} ${inUnits(hours, "hour")}`;
  return hours ? `${hours}:${two(minutes)}:${seconds}` : `${Math.floor(minutes)}:${seconds}`;
}
