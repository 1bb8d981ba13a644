// Pages work without this. An element with `data-live="SECONDS"` and an id is fetched anew by its
// page's own address, and put in place of the old one if it differs.
"use strict";

async function refresh(element) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.getElementById(element.id);
  if (!next) return location.reload();
  if (next.innerHTML !== element.innerHTML) exchange(element, next);
  if (next.dataset.live) watch(element, next.dataset.live);
}

// What a person has ticked and opened stays so.
function exchange(element, next) {
  const ticked = [...element.querySelectorAll("input:checked")].map((each) => each.name + each.value);
  const open = [...element.querySelectorAll("details")].map((each) => each.open);
  element.innerHTML = next.innerHTML;
  element.querySelectorAll("input[type=checkbox]").forEach((each) => {
    if (ticked.includes(each.name + each.value)) each.checked = true;
  });
  element.querySelectorAll("details").forEach((each, place) => { each.open = each.open || open[place]; });
}

function watch(element, seconds) {
  setTimeout(() => {
    if (document.hidden || element.contains(document.activeElement)) return watch(element, seconds);
    refresh(element).catch(() => watch(element, seconds));
  }, seconds * 1000);
}

document.querySelectorAll("[data-live]").forEach((element) => watch(element, element.dataset.live));

// An element with `data-follow` grows by what its twin says is new from byte `data-from` on.
async function follow(element) {
  const answer = await fetch(`${element.dataset.follow}?from=${element.dataset.from}`);
  if (!answer.ok) return;
  const found = await answer.json();
  const atEnd = innerHeight + scrollY >= document.body.scrollHeight - 40;
  if (found.text) element.append(found.text);
  if (found.text && atEnd) scrollTo(0, document.body.scrollHeight);
  element.dataset.from = found.next;
  if (found.is_live || found.next < found.size) return later(element);
  const status = document.querySelector(`#${element.id}-status .status`);
  if (status) { status.className = `status ${found.status}`; status.textContent = found.status; }
}

function later(element) {
  setTimeout(() => follow(element).catch(() => later(element)), 1000);
}

document.querySelectorAll("[data-follow]").forEach(later);

// A slider with `data-rows` shows one row of the table with that id, and the row's own name.
document.querySelectorAll("[data-rows]").forEach((slider) => {
  const rows = [...document.querySelectorAll(`#${slider.dataset.rows} tbody tr`)];
  const label = slider.closest("label");
  const show = () => {
    rows.forEach((row, place) => { row.className = place === slider.valueAsNumber ? "" : "between"; });
    const name = rows[slider.valueAsNumber].cells[0].textContent;
    slider.setAttribute("aria-valuetext", name);
    label.querySelector("b").textContent = name;
  };
  label.hidden = false;
  slider.addEventListener("input", show);
  show();
});

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
