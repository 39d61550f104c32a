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
    onChange(listener) {
      element.removeEventListener(key, root[key]);
      element.addEventListener(key, root[key] = listener);
    },
  };
}
