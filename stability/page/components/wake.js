// Wakes the script when the line to the server is back. A server that was started again, or that
// has forgotten this visit, knows none of the controls: it would ignore the first touch of any.
// It also says in which language the page speaks.
const STATE = "data-test-connection-state";  // of the whole page, written by Streamlit

export default function ({ setTriggerValue, data }) {
  document.documentElement.lang = data.language;
  const page = document.querySelector(`[${STATE}]`);
  if (!page) return;
  let before = page.getAttribute(STATE);
  const observer = new MutationObserver(() => {
    const now = page.getAttribute(STATE);
    if (now === "CONNECTED" && before !== now) setTriggerValue("back", true);
    before = now;
  });
  observer.observe(page, { attributeFilter: [STATE] });
  return () => observer.disconnect();
}
