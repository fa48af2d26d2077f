// The stream of states. Not an EventSource, which can't send a token but in the address, where logs would have it.

import { ask } from "./api.js";
import { createParser } from "./vendor/eventsource-parser.js";

const SILENCE_MS = 6_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8_000;

// Listens until `refused` (a token that is not known), or `stop`; in between it tries on by itself.
export async function listen({ onState, onLost, onRefused, signal }) {
  let delay = FIRST_DELAY_MS;
  while (!signal.aborted) {
    try {
      await once((state) => {
        delay = FIRST_DELAY_MS;
        onState(state);
      }, signal);
    } catch (error) {
      if (error.status === 401) return onRefused(error);
    }
    if (signal.aborted) return;
    onLost();
    await new Promise((resolve) => setTimeout(resolve, delay * (0.8 + 0.4 * Math.random())));
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
  }
}

// Returns when the stream ends, or has been silent for too long.
async function once(onState, signal) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const parser = createParser({
    onEvent: ({ data }) => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      onState(JSON.parse(data));
    },
  });
  try {
    const response = await ask("/api/stream", { signal: AbortSignal.any([signal, silence.signal]) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) parser.feed(piece.value);
  } finally {
    clearTimeout(timer);
  }
}
