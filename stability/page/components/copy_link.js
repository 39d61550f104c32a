export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button"), said = parentElement.querySelector("span");
  const show = (done) => {
    button.classList.toggle("done", done);
    button.ariaLabel = done ? "Link copied" : "Copy link";
    button.title = done ? "Link copied" : "Copy link: whoever opens it sees this very page";
    said.textContent = done ? "Link copied" : "";
  };
  button.onclick = async () => {
    const link = location.origin + location.pathname + "?" + data.query;
    try { await navigator.clipboard.writeText(link); show(true); }
    catch { prompt("Copy this link", link); }
    setTimeout(() => show(false), 1500);
  };
  show(false);
}
