// Takes a card by Stripe's own fields. A refused card may be followed by another; a paid one leads back.
const form = document.getElementById("card-form");
const button = document.getElementById("pay");
const refusal = document.getElementById("refusal");

function refuse(reason) {
  refusal.textContent = reason;
  refusal.hidden = false;
}

function take(stripe) {
  const card = stripe.elements({ locale: document.documentElement.lang }).create("card", { hidePostalCode: true });
  card.mount("#card");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    refusal.hidden = true;
    const { error } = await stripe.confirmCardPayment(form.dataset.clientSecret, { payment_method: { card } });
    if (error) {
      refuse(error.message);
      button.disabled = false;
    } else {
      location.assign(form.action);
    }
  });
}

if (window.Stripe) {
  take(window.Stripe(form.dataset.publicKey));
} else {
  refuse(form.dataset.unreachable);
  button.disabled = true;
}
