// The legend of the charts and the slider over their steps. The charts hear at once, in the browser,
// of what is chosen here; the script hears of the step a little later.
export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector("div");
  const [stepShown, schemeShown] = data.shared.map((key) => sharedValue(key, root));
  showStep(root, data, stepShown, setTriggerValue);
  showSchemes(root, data, schemeShown);
}

// A parameter of the charts: the value of an element around them, whose changes are events.
function sharedValue(key, root) {
  const element = document.querySelector(".st-key-" + key);
  element.value ??= "";
  return {
    get value() { return element.value ?? ""; },
    set(value) { element.value = value; element.dispatchEvent(new Event(key)); },
    onChange(listener) {
      element.removeEventListener(key, root[key]);
      element.addEventListener(key, root[key] = listener);
    },
  };
}

function showStep(root, data, stepShown, setTriggerValue) {
  const slider = root.querySelector("input"), last = String(data.steps);
  const newestIsEmpty = (value) => value === last ? "" : value;
  slider.max = last;
  const show = () => {
    slider.value = stepShown.value === "" ? last : stepShown.value;
    const step = newestIsEmpty(stepShown.value);
    const words = step === "" ? "the newest step" : "step " + step;
    slider.setAttribute("aria-valuetext", words);
    root.querySelector("b i").textContent = words;
  };
  slider.oninput = () => stepShown.set(newestIsEmpty(slider.value));
  stepShown.onChange(() => {  // from the slider, or from a click into a chart
    show();
    clearTimeout(root.sending);
    root.sending = setTimeout(() => {
      if (stepShown.value === root.sent) return;
      root.sent = stepShown.value;
      setTriggerValue("moment", stepShown.value);
    }, 300);
  });
  // The page was opened so, or went back; not what was sent from here and returns.
  if (root.received !== data.moment) {
    root.received = data.moment;
    if (root.sent !== data.moment) { root.sent = data.moment; stepShown.set(data.moment); }
  }
  show();
}

function showSchemes(root, data, schemeShown) {
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
