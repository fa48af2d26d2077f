// How times read: the same words as waitroom/words.py.

function waitInWords(range) {
  if (!range) return "We will tell you the time as soon as people are being let in";
  const [shortest, longest] = range;
  const between = (unit, text) => {
    const low = Math.floor(shortest / unit), high = Math.ceil(longest / unit);
    if (low === 0) return `less than ${text(high)}`;
    return low === high ? `about ${text(high)}` : `between ${text(low)} and ${text(high)}`;
  };
  const hours = (halves) => `${Math.floor(halves / 2) || ""}${halves % 2 ? "½" : ""}`;
  if (longest <= 60) return "less than a minute";
  return longest <= 7200 ? `${between(60, String)} minutes` : `${between(1800, hours)} hours`;
}

function countdownInWords(leftMs) {
  const left = Math.ceil(Math.max(0, leftMs) / 1000);
  const days = Math.floor(left / 86400), hours = Math.floor((left % 86400) / 3600);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const minutes = (left % 3600) / 60, seconds = two(left % 60);
  if (days) return `${days} ${days === 1 ? "day" : "days"} ${hours} h`;
  return hours ? `${hours}:${two(minutes)}:${seconds}` : `${Math.floor(minutes)}:${seconds}`;
}
