// The one dialog by which everything is done: it says what would change, asks why, and tells a refusal where it stands.

import { by, fill, make } from "./page.js";

const dialog = by("dialog");
let order = null;

// `fields` are [{name, label, kind, value, …}]; `change(values)` tells from → to, or "" while nothing would change;
// `act(values)` does it, and a Refused is shown. Gives whether it was done.
export function ask(wanted) {
  order = wanted;
  fill(by("dialog-title"), wanted.title);
  fill(by("dialog-text"), wanted.text ?? "");
  by("dialog-text").hidden = !wanted.text;
  by("dialog-fields").replaceChildren(...(wanted.fields ?? []).map(field));
  by("dialog-for").hidden = !wanted.hasEnd;
  by("dialog-how-long").value = "";
  by("dialog-why").value = "";
  fill(by("dialog-fault"), "");
  by("dialog-confirm").className = wanted.isDangerous ? "danger" : "primary";
  tell();
  dialog.returnValue = "";
  dialog.showModal();
  (by("dialog-fields").querySelector("input, textarea, select") ?? by("dialog-why")).focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "done"), { once: true }));
}

function field({ name, label, kind = "text", value = "", hint = "", ...attributes }) {
  const id = `dialog-${name}`;
  const described = hint ? `${id}-hint` : null;
  const shared = { id, name, "aria-describedby": described, autocomplete: "off", ...attributes };
  const input = kind === "long" ? make("textarea", { rows: 3, ...shared }) : make("input", { type: kind, ...shared });
  input.value = value;
  return make("div", {}, make("label", { for: id }, label), input, hint && make("p", { id: described, class: "quiet" }, hint));
}

function values() {
  const own = [...by("dialog-fields").querySelectorAll("[name]")].map((input) => [input.name, input.value]);
  const howLong = Number(by("dialog-how-long").value);
  return { ...Object.fromEntries(own), ...(howLong && { for_s: howLong }), why: by("dialog-why").value.trim() };
}

function tell() {
  const given = values();
  fill(by("dialog-change"), order.change?.(given) ?? "");
  fill(by("dialog-confirm"), order.confirm(given));
  by("dialog-confirm").disabled = Boolean(order.change) && !order.change(given);
}

async function confirm(event) {
  event.preventDefault();
  if (by("dialog-confirm").disabled) return;
  by("dialog-confirm").disabled = true;
  try {
    await order.act(values());
    dialog.close("done");
  } catch (error) {
    fill(by("dialog-fault"), error.status ? error.message : "The desk can't be reached. Nothing was changed, as far as this page knows.");
    by("dialog-confirm").disabled = false;
  }
}

by("dialog-form").addEventListener("submit", confirm);
by("dialog-form").addEventListener("input", tell);
by("dialog-cancel").addEventListener("click", () => dialog.close(""));
