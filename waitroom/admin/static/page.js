// The page's elements: found, made and filled. What has not changed is left alone, so that a selection survives.

export const by = (id) => document.getElementById(id);

export function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function figures(values) {
  for (const [name, text] of Object.entries(values)) fill(document.querySelector(`[data-figure="${name}"]`), text);
}

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const madeFrom = new Map();

// Replaces what an element has, but only if what it is made from has changed: focus stays where it was.
export function show(element, source, build) {
  const made = JSON.stringify(source);
  if (madeFrom.get(element) === made) return;
  madeFrom.set(element, made);
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  element.replaceChildren(...build());
  if (focused) element.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

// Empties all that was shown: the next to sit here may have other rights.
export function clear() {
  for (const element of madeFrom.keys()) element.replaceChildren();
  madeFrom.clear();
}
