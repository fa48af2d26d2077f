// Asks for the same address anew, without adding to the history. Replacing an address that has a fragment would only
// scroll; reloading always asks again, but after a POST it would send the form again.

function loadAgain() {
  if (location.hash) location.reload();
  else location.replace(location.href);
}
