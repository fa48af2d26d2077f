// Says which seat is chosen, and its price, next to the button. Without it the map itself shows the choice.
const form = document.getElementById("seats");
const choice = document.getElementById("choice");

function show() {
  const seat = form.querySelector("input[name=seat]:checked");
  if (!seat) return;
  choice.textContent = `Seat ${seat.value}, ${seat.dataset.cabin}: ${seat.dataset.price}`;
}

form.addEventListener("change", show);
show();
