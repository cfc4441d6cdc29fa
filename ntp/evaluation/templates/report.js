const box = document.getElementById("filter"), shown = document.getElementById("shown");
const items = [...document.querySelectorAll("details.t")];
const kind = document.getElementById("kind");
function update() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const item of items) {
    const name = item.dataset.name.toLowerCase();
    const ok = words.every(word => name.includes(word)) && (!kind.value || item.dataset.kind === kind.value);
    item.hidden = !ok;
    count += ok;
  }
  shown.textContent = `${count} of ${items.length}`;
}
box.addEventListener("input", update);
kind.addEventListener("change", update);
document.getElementById("controls").hidden = false;
update();
