// The token: from the link's fragment, which no server ever sees, or from the form. Kept by this tab alone.

const PLACE = "waitroom-token";

export function current() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keep(given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(PLACE);
}

export const keep = (token) => sessionStorage.setItem(PLACE, token.trim());
export const forget = () => sessionStorage.removeItem(PLACE);
