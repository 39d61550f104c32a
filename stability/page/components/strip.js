export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector("div"), slider = root.querySelector("input");
  // The charts' parameters: values of elements around us, whose changes are events.
  const shared = (key) => {
    const element = document.querySelector(".st-key-" + key);
    element.value ??= "";
    return {
      get value() { return element.value ?? ""; },
      say(value) { element.value = value; element.dispatchEvent(new Event(key)); },
      hear(deed) {
        element.removeEventListener(key, root[key]);
        element.addEventListener(key, root[key] = deed);
      },
    };
  };
  const [moment, alone] = data.shared.map(shared);
  const last = String(data.steps), name = (value) => value === "" || value === last ? "" : value;
  slider.max = last;
  const show = () => {
    slider.value = moment.value === "" ? last : moment.value;
    const words = name(moment.value) === "" ? "the newest step" : "step " + moment.value;
    slider.setAttribute("aria-valuetext", words);
    root.querySelector("b i").textContent = words;
  };
  slider.oninput = () => moment.say(name(slider.value));
  moment.hear(() => {  // from the slider, or from a click into a chart
    show();
    clearTimeout(root.later);
    root.later = setTimeout(() => {
      if (moment.value === root.told) return;
      root.told = moment.value;
      setTriggerValue("moment", moment.value);
    }, 300);
  });
  if (root.from !== data.moment) {  // the page was opened so, or went back; not what was sent from here and returns
    root.from = data.moment;
    if (root.told !== data.moment) { root.told = data.moment; moment.say(data.moment); }
  }
  show();
  const press = () => root.querySelectorAll("button").forEach((button) =>
    button.setAttribute("aria-pressed", button.value === alone.value));
  const legend = root.querySelector("span");
  const wanted = JSON.stringify(data.schemes);
  if (legend.dataset.of !== wanted) {
    legend.dataset.of = wanted;
    legend.replaceChildren(...data.schemes.map(({ scheme, title, symbol, colour }) => {
      const button = document.createElement("button"), mark = document.createElement("i");
      button.value = scheme;
      mark.textContent = symbol;
      mark.ariaHidden = true;
      mark.style.color = colour;
      button.append(mark, " " + title);
      button.onclick = () => alone.say(alone.value === scheme ? "" : scheme);
      return button;
    }));
    if (!data.schemes.some(({ scheme }) => scheme === alone.value)) alone.say("");
  }
  alone.hear(press);
  press();
}
