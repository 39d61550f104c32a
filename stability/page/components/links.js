const STORE = "stability-course-marks";
const SIGNS = { right: "✓", wrong: "✗", seen: "○" };

function storedMarks() {
  try {
    const marks = JSON.parse(localStorage.getItem(STORE));
    return marks && typeof marks === "object" ? marks : {};
  } catch { return {}; }  // a browser may keep nothing
}

function keepMarks(marks) {
  try { localStorage.setItem(STORE, JSON.stringify(marks)); } catch { /* then for this visit only */ }
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export default function draw({ parentElement, data, setTriggerValue }) {
  const marks = storedMarks();
  for (const [key, mark] of Object.entries(data.marks))
    if (mark !== "seen" || !(key in marks)) marks[key] = mark;
  if (Object.keys(data.marks).length) keepMarks(marks);
  const isCourse = data.kind === "course", nav = parentElement.querySelector("nav");
  const shown = JSON.stringify(isCourse ? [data, marks] : [data.sections, data.label]);
  if (nav.shown === shown) return;  // a link that is being pressed stays
  nav.shown = shown;

  const line = ({ key, label, href, detail, title }) => {
    const link = element("a", { href, textContent: label });
    if (key === undefined) Object.assign(link, { target: "_blank", rel: "noopener" });
    else link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // a tab of its own
      event.preventDefault();
      setTriggerValue("chosen", key);
    };
    if (!isCourse) return element("li", {}, link);
    const mark = Object.hasOwn(SIGNS, marks[key]) ? marks[key] : "";
    const sign = element("span", { className: "mark", textContent: SIGNS[mark] ?? "" });
    if (mark) Object.assign(sign, { title: data.words[mark], role: "img", ariaLabel: data.words[mark] });
    return element("li", {}, sign, link, element("span", { className: "detail", textContent: detail, title }));
  };
  const sections = data.sections.map(({ title, links }) => element("section", {},
    element("h2", { textContent: title }), element("ul", {}, ...links.map(line))));

  nav.className = data.kind;
  nav.ariaLabel = data.label;
  nav.replaceChildren(element("div", { className: "sections" }, ...sections));
  if (!isCourse) return;
  const keys = data.sections.flatMap(({ links }) => links.map(({ key }) => key));
  const amount = (...words) => keys.filter((key) => words.includes(marks[key])).length;
  const answered = amount("right", "wrong");
  const count = fill(data.words.count, { answered, all: data.count, right: amount("right") }) + " ";
  const progress = element("p", {}, element("b", { textContent: count }), data.note + " ");
  if (Object.keys(marks).length) progress.append(element("button", {
    textContent: data.words.forget, onclick: () => {
      try { localStorage.removeItem(STORE); } catch { /* nothing was kept */ }
      setTriggerValue("forgotten", true);
      draw({ parentElement, data: { ...data, marks: {} }, setTriggerValue });
    },
  }));
  nav.prepend(progress);
  if (answered === data.count) nav.prepend(element("p", { textContent: data.end }));
}
