// What must outlive this document, but not this tab; and what the visitor wished for on this site. Browsers that block
// storage throw.

function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`waitroom ${name} ${placeUrl}`));
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    sessionStorage.setItem(`waitroom ${name} ${placeUrl}`, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

function isWished(name) {
  try {
    return localStorage.getItem(`waitroom ${name}`) === "yes";
  } catch {
    return false;
  }
}

function wish(name, wanted) {
  try {
    localStorage.setItem(`waitroom ${name}`, wanted ? "yes" : "no");
  } catch {
    // It holds until the page is left.
  }
}
