// Tries again after the time that the server asked for. The spread keeps a crowd that was refused together from
// coming back together; and an offline browser would only show its own error page.

const again = () => (navigator.onLine ? loadAgain() : addEventListener("online", again, { once: true }));
setTimeout(again, document.querySelector("main").dataset.retryAfterS * 1000 * (1 + Math.random() / 2));
