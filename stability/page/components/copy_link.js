export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button"), said = parentElement.querySelector("span");
  const show = (done) => {
    button.classList.toggle("done", done);
    button.ariaLabel = done ? data.words.copied : data.words.copy;
    button.title = done ? data.words.copied : data.words.help;
    said.textContent = done ? data.words.copied : "";
  };
  button.onclick = async () => {
    const link = location.origin + location.pathname + "?" + data.query;
    try { await navigator.clipboard.writeText(link); show(true); }
    catch { prompt(data.words.prompt, link); }
    setTimeout(() => show(false), 1500);
  };
  show(false);
}
