// Fetches a called visitor who looks elsewhere: by the title of the tab and by vibration, and if wished for by a sound and
// a notification.

const BLINK_MS = 1_000;
const VIBRATION_MS = [200, 100, 200];
// When each tone begins, in seconds, and its pitch in hertz.
const TUNE = [[0, 660], [0.2, 880], [1, 660], [1.2, 880], [2, 660], [2.2, 880]];
const TONE_S = 0.7;

let audio;
let notification;
let blinking;

function signal() {
  blink(true);
  if (part("sound").checked) play(TUNE);
  if (part("notify").checked) notify(textOf(part("called").querySelector("h1")));
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(VIBRATION_MS);
}

function stopSignals() {
  if (blinking) document.title = titleCalled;
  cancel(blinking);
  blinking = undefined;
  notification?.close();
}

function blink(isMarked) {
  document.title = isMarked ? `● ${titleCalled}` : titleCalled;
  blinking = later(() => blink(!isMarked), BLINK_MS);
}

function play(tune) {
  for (const [afterS, frequency] of tune) {
    const at = audio.currentTime + afterS;
    const volume = new GainNode(audio);
    volume.gain.setValueAtTime(0.2, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + TONE_S);
    const tone = new OscillatorNode(audio, { frequency });
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + TONE_S);
  }
}

// Where only an app may notify, as on Android, the page can't: false.
function notify(text) {
  try {
    notification = new Notification(text, { body: document.querySelector("header").textContent, tag: placeUrl });
  } catch {
    return false;
  }
  notification.onclick = () => window.focus();
  return true;
}

function offerSignals() {
  const sounds = "AudioContext" in window;
  const notifies = "Notification" in window && Notification.permission !== "denied";
  reveal("signals", sounds || notifies);
  reveal("sound-part", sounds);
  reveal("notify-part", notifies);
  if (sounds && isWished("sound")) openAudio();
  part("notify").checked = notifies && Notification.permission === "granted" && isWished("notify");
}

// Browsers let a page sound only after somebody has done something on it: until then, the wish can't be fulfilled.
function openAudio() {
  audio = new AudioContext();
  audio.onstatechange = () => (part("sound").checked = isWished("sound") && audio.state === "running");
  for (const touch of ["click", "keydown"]) addEventListener(touch, () => audio.resume());
}

part("sound").addEventListener("change", ({ target }) => {
  wish("sound", target.checked);
  if (!target.checked) return;
  if (!audio) openAudio();
  play(TUNE.slice(0, 2));
});

part("notify").addEventListener("change", async ({ target }) => {
  wish("notify", target.checked);
  if (!target.checked) return;
  target.checked = (await Notification.requestPermission()) === "granted" && notify(target.dataset.told);
  reveal("notify-part", target.checked || Notification.permission === "default");
});
