export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    const link = location.origin + location.pathname + "?" + data.query;
    try { await navigator.clipboard.writeText(link); button.textContent = "Link copied"; }
    catch { prompt("Copy this link", link); }
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  };
}
