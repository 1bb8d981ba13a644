// Try it works without this. With it the model is loaded while a person fills in the form, the
// answer comes without a new page, and an image can be dropped or drawn.
"use strict";

const server = document.getElementById("server");
const load = document.getElementById("load");
const ask = document.getElementById("ask");

async function begin() {
  if (server.dataset.state !== "none") return;
  await fetch(load.action, { method: "POST", body: new FormData(load), redirect: "manual" });
  refresh(server);
}
begin();

if (ask) {
  ask.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData(ask, event.submitter);
    const place = document.getElementById("answer");
    const buttons = ask.querySelectorAll("button");
    buttons.forEach((each) => (each.disabled = true));
    place.innerHTML = '<h2>Answer</h2><p><span class="status running">asking</span></p>';
    try {
      const answer = await fetch(ask.action, { method: "POST", body });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.getElementById("answer") || fresh.getElementById("main");
      place.innerHTML = next ? next.innerHTML : "<p>The server gave no answer. Load the page again.</p>";
      const state = fresh.getElementById("server");
      if (state) server.innerHTML = state.innerHTML;
    } catch (error) {
      place.textContent = "The server of these pages cannot be reached: is `millrace ui` still running?";
    }
    buttons.forEach((each) => (each.disabled = false));
  });
}

const drop = document.getElementById("drop");
if (drop) paint(drop);

function paint(drop) {
  const input = document.getElementById("image");
  const easel = document.getElementById("easel");
  drop.querySelectorAll(".scripted").forEach((each) => (each.hidden = false));
  const side = Number(drop.dataset.side || 280), size = Number(drop.dataset.size || 280);
  const isDark = drop.dataset.dark !== "no";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Draw here with the mouse or a finger; a file can be chosen instead");
  const chosen = document.createElement("img");
  chosen.alt = "the chosen image";
  chosen.hidden = true;
  const clear = document.createElement("button");
  clear.type = "button";
  clear.textContent = "Clear";
  const row = document.createElement("p");
  row.className = "row";
  row.append(clear);
  easel.append(canvas, chosen, row);
  const pen = canvas.getContext("2d");
  let isDrawing = false;

  function blank() {
    pen.fillStyle = isDark ? "#000" : "#fff";
    pen.fillRect(0, 0, side, side);
    pen.strokeStyle = isDark ? "#fff" : "#000";
    pen.lineWidth = side / 11;
    pen.lineCap = pen.lineJoin = "round";
    chosen.hidden = true;
    canvas.hidden = false;
    input.value = "";
  }
  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * side) / box.width, ((event.clientY - box.top) * side) / box.height];
  }
  function put(file) {
    const carried = new DataTransfer();
    carried.items.add(file);
    input.files = carried.files;
  }
  function keep() {
    const small = document.createElement("canvas");
    small.width = small.height = size;
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, size, size);
    small.toBlob((blob) => put(new File([blob], "drawing.png", { type: "image/png" })), "image/png");
  }
  function show() {
    if (!input.files.length) return blank();
    chosen.src = URL.createObjectURL(input.files[0]);
    chosen.hidden = false;
    canvas.hidden = true;
  }
  canvas.addEventListener("pointerdown", (event) => {
    isDrawing = true;
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...at(event));
    pen.lineTo(...at(event));
    pen.stroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!isDrawing) return;
    pen.lineTo(...at(event));
    pen.stroke();
  });
  ["pointerup", "pointercancel"].forEach((name) =>
    canvas.addEventListener(name, () => {
      if (isDrawing) keep();
      isDrawing = false;
    })
  );
  clear.addEventListener("click", blank);
  input.addEventListener("change", show);
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = [...event.dataTransfer.files].find((each) => each.type.startsWith("image/"));
    if (!file) return;
    put(file);
    show();
  });
  blank();
}
