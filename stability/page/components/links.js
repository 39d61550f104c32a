export default function ({ parentElement, data, setTriggerValue }) {
  const nav = parentElement.querySelector("nav");
  nav.className = data.kind;
  nav.ariaLabel = data.label;
  nav.replaceChildren(...data.links.map(({ key, label, query }) => {
    const link = document.createElement("a");
    link.href = "?" + query;
    link.textContent = label;
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // a tab of its own
      event.preventDefault();
      setTriggerValue("chosen", key);
    };
    return link;
  }));
}
