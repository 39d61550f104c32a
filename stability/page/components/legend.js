// The legend of the charts, which hear at once, in the browser, which scheme stands alone.
export default function ({ parentElement, data }) {
  const root = parentElement.querySelector("div");
  showSchemes(root, data, sharedValue(data.shared, root));
}

function showSchemes(root, data, schemeShown) {
  root.querySelector("span").ariaLabel = data.label;
  const legend = root.querySelector("span"), schemes = JSON.stringify(data.schemes);
  if (legend.dataset.schemes !== schemes) {
    legend.dataset.schemes = schemes;
    legend.replaceChildren(...data.schemes.map((row) => schemeButton(row, schemeShown)));
    const isThere = data.schemes.some(({ scheme }) => scheme === schemeShown.value);
    if (!isThere) schemeShown.set("");
  }
  const press = () => legend.querySelectorAll("button").forEach((button) =>
    button.setAttribute("aria-pressed", button.value === schemeShown.value));
  schemeShown.onChange(press);
  press();
}

function schemeButton({ scheme, title, symbol, colour }, schemeShown) {
  const button = document.createElement("button"), mark = document.createElement("i");
  button.value = scheme;
  mark.textContent = symbol;
  mark.ariaHidden = true;
  mark.style.color = colour;
  button.append(mark, " " + title);
  button.onclick = () => schemeShown.set(schemeShown.value === scheme ? "" : scheme);
  return button;
}
