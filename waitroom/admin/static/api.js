// Questions to the admin API, and what it answers.

import * as token from "./token.js";

export class Refused extends Error {
  constructor(status, problem) {
    super([problem.title, problem.remedy].filter(Boolean).join(". ") || `The desk answered ${status}.`);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const response = await fetch(path, {
    cache: "no-store",
    ...options,
    headers: { Authorization: `Bearer ${token.current()}`, ...options.headers },
  });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

export const get = async (path) => (await ask(path)).json();

export async function act(room, name, body) {
  const response = await ask(`/api/rooms/${encodeURIComponent(room)}/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}
