// A sentence with its {fields} filled in.
function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (field, name) => values[name] ?? field);
}

// A parameter of the charts: the value of an element around them, whose changes are events.
function sharedValue(key, root) {
  const element = document.querySelector(".st-key-" + key);
  element.value ??= "";
  return {
    get value() { return element.value ?? ""; },
    set(value) { element.value = value; element.dispatchEvent(new Event(key)); },
    // Until it is called again, or the root has left the page, which the element may outlive.
    onChange(listener) {
      element.removeEventListener(key, root[key]);
      const heard = () => root.isConnected ? listener() : element.removeEventListener(key, heard);
      element.addEventListener(key, root[key] = heard);
    },
  };
}
