// Pages work without this. An element with `data-live="SECONDS"` and an id is fetched anew by its
// page's own address, and put in place of the old one if it differs.
"use strict";

async function refresh(element) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.getElementById(element.id);
  if (!next) return location.reload();
  if (next.innerHTML !== element.innerHTML) element.innerHTML = next.innerHTML;
  if (next.dataset.live) watch(element, next.dataset.live);
}

function watch(element, seconds) {
  setTimeout(() => {
    if (document.hidden || element.contains(document.activeElement)) return watch(element, seconds);
    refresh(element).catch(() => watch(element, seconds));
  }, seconds * 1000);
}

document.querySelectorAll("[data-live]").forEach((element) => watch(element, element.dataset.live));

// A button with `data-copy` copies the text of the element with that id, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

// A form with `data-confirm` asks before it is sent.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
