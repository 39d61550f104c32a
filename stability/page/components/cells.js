// Tells the script which cell of a map was clicked.
export default function ({ parentElement, data, setTriggerValue }) {
  const cell = sharedValue(data.shared, parentElement.querySelector("span"));
  cell.onChange(() => {
    const { value } = cell;
    if (value === "") return;
    cell.set("");
    setTriggerValue("chosen", value);
  });
}
