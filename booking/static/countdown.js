// Counts the minutes of a hold down. Without it the page shows what was left when it was loaded.
const shown = document.getElementById("countdown");
const line = shown.closest(".countdown");
const endsAt = performance.now() + Number(shown.dataset.seconds) * 1000;

function show() {
  const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
  shown.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (left === 0) {
    clearInterval(ticking);
    line.textContent = line.dataset.over;
  }
}

const ticking = setInterval(show, 1000);
