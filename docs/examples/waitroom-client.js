// Waits in line before a site behind waitroom, and goes in: with fetch, and nothing else. docs/place-api.md explains it.
//
//   const response = await admitted("https://shop.example/api/sale", { onPlace: (place) => show(place), signal });

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const OVER = new Set(["called", "inside", "none", "closed", "revoked", "moved"]); // all other states wait
const SOON = new Set(["store_lost", "too_many_lines", "void"]); // to ask again helps
const NEVER = new Set(["room_closed", "revoked", "moved", "no_identity", "no_room", "no_line", "no_origin", "robot"]);

/** Waiting will not help. `code` is a state or a code of the contract: "closed", "none", "revoked", "no_identity"… */
export class NoPlaceError extends Error {
  constructor(code, message = `There is no place in line (${code}).`) {
    super(message);
    this.name = "NoPlaceError";
    this.code = code;
  }
}

/** What the site answers to a GET of `url`, once this visitor is inside. `onPlace` is told each place until then. Throws
    NoPlaceError where waiting will not help, and the reason of `signal` once that aborts. */
export async function admitted(url, { onPlace = () => {}, signal } = {}) {
  const site = new URL(url, globalThis.location?.href);
  for (;;) {
    const { response, told, where } = await asked(site, signal, () => true);
    if (!where) return response;
    let place = told;
    for (; !OVER.has(place.state); place = (await asked(where, signal, (poll) => poll.ok)).told) {
      onPlace(place);
      await pause(place.poll_after_ms, signal);
    }
    onPlace(place);
    if (place.state !== "called" && place.state !== "inside") throw new NoPlaceError(place.state);
  }
}

/** The first good answer; each try after a failure comes later than the one before, or when it is told to. */
async function asked(url, signal, isGood) {
  for (let pause_ms = FIRST_PAUSE_MS; ; pause_ms = Math.min(2 * pause_ms, LONGEST_PAUSE_MS)) {
    const answer = await tried(url, signal);
    if (NEVER.has(answer?.told?.code)) throw new NoPlaceError(answer.told.code, answer.told.title);
    if (answer && isGood(answer.response) && !SOON.has(answer.told?.code)) return answer;
    const told_ms = 1_000 * Number(answer?.response.headers.get("Retry-After"));
    await pause(told_ms || pause_ms * (0.5 + Math.random() / 2), signal);
  }
}

/** An answer, what waitroom tells in it, and where the place is; undefined if the network fails. */
async function tried(url, signal) {
  const fields = { Accept: "application/json" };
  try {
    const response = await fetch(url, { headers: fields, credentials: "include", cache: "no-store", signal });
    const path = response.headers.get("Content-Location");
    const where = response.status === 429 && path?.startsWith("/.waitroom/") ? new URL(path, response.url) : null;
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const isOurs = where || isProblem || url.pathname.startsWith("/.waitroom/");
    return { response, told: isOurs ? await response.clone().json() : null, where };
  } catch (error) {
    if (signal?.aborted) throw error;
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), resolve()), ms);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
  });
}
