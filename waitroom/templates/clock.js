// Keeps time, also where nobody looks: browsers let the timers of a hidden tab ring once a minute, and those of its
// workers as they should. And notices when time stood still here, because the tab was frozen or the machine slept.

const BEAT_MS = 5_000;
const JUMP_MS = 10_000;
const WORK = "onmessage = ({ data: [alarm, ms] }) => setTimeout(postMessage, ms, alarm)";

const alarms = new Map();
let lastAlarm = 0;
const timekeeper = startTimekeeper();

function startTimekeeper() {
  try {
    const worker = new Worker(URL.createObjectURL(new Blob([WORK], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => ring(data);
    return worker;
  } catch {
    return null;
  }
}

// Of the two that ring, the first counts.
function later(work, ms) {
  const alarm = ++lastAlarm;
  alarms.set(alarm, work);
  timekeeper?.postMessage([alarm, ms]);
  setTimeout(ring, ms, alarm);
  return alarm;
}

function cancel(alarm) {
  alarms.delete(alarm);
}

function ring(alarm) {
  const work = alarms.get(alarm);
  alarms.delete(alarm);
  work?.();
}

function onJump(work, lastBeat = Date.now()) {
  later(() => {
    const now = Date.now();
    onJump(work, now);
    if (Math.abs(now - lastBeat - BEAT_MS) > JUMP_MS) work();
  }, BEAT_MS);
}
