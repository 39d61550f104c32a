// Plays a run and moves through its steps. The charts hear at once, in the browser, of the step that
// is shown; the script hears of it once it rests. While the run trains, to play is to follow it.
const TICK = 100;  // milliseconds between two steps that are drawn while it plays
const AT_REST = 300;  // milliseconds until the script hears of a step
const FEWEST = 12;  // steps: shorter runs play as slowly as one of so many
const FIELDS = "input, textarea, select, summary, a, canvas, [contenteditable], [role=slider], "
  + "[role=radio], [role=tab], [role=combobox], [role=option], [role=listbox]";

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".playback");
  const player = root.player ??= { root, timer: null, told: [] };
  Object.assign(player, { data, shown: sharedValue(data.shared, root) });
  player.tell = (step) => setTriggerValue("moment", step);
  connect(player);
  // The page was opened so, or went back, or took the nearest step; not what it repeats.
  const repeated = player.told.indexOf(data.moment);
  player.told.splice(0, repeated + 1);
  const isNew = player.received !== data.moment && repeated < 0;
  if (isNew || player.linksFollowed !== data.linksFollowed) {
    player.told = [];
    player.last_told = data.moment;
    stop(player);
    player.shown.set(data.moment);
  }
  Object.assign(player, { received: data.moment, linksFollowed: data.linksFollowed });
  show(player);
  return () => setTimeout(() => { if (!root.isConnected) leave(player); });
}

function connect(player) {
  const { root, data, shown } = player, find = (name) => root.querySelector(name);
  const step = () => stepShown(player), slider = find("input"), { signal } = listening(player);
  find(".play").onclick = () => toggle(player);
  find(".start").onclick = () => go(player, 0);
  find(".back").onclick = () => go(player, step() - data.stride);
  find(".on").onclick = () => go(player, step() + data.stride);
  slider.oninput = () => go(player, Number(slider.value));
  shown.onChange(() => moved(player));
  document.addEventListener("keydown", (event) => hear(player, event), { signal });
  document.addEventListener("pointerdown", () => { player.pointed = true; }, { signal });
  document.addEventListener("click", () => tellAtRest(player), { signal, capture: true });
  player.observer = new MutationObserver(() => show(player));
  player.observer.observe(document.querySelector(".st-key-" + data.shared),
    { subtree: true, childList: true, attributes: true, attributeFilter: ["data-trained", "data-remark"] });
}

function listening(player) {
  disconnect(player);
  return player.listening = new AbortController();
}

function disconnect(player) {
  player.listening?.abort();
  player.observer?.disconnect();
}

// The page of this component has gone: nothing plays on, and no step of it is told any more.
function leave(player) {
  disconnect(player);
  stop(player);
  clearTimeout(player.sending);
}

// How far the run has come, as the server writes it beside this component.
function progress({ data }) {
  const mark = document.querySelector(`.st-key-${data.shared} [data-trained]`);
  const trained = Number(mark?.dataset.trained ?? 0);
  return { trained, remark: mark?.dataset.remark ?? "", ended: trained >= data.last };
}

function stepShown(player) {
  const { trained } = progress(player), step = player.shown.value;
  return step === "" ? trained : Number(step);
}

function isMoving(player) {
  return player.timer !== null || (player.shown.value === "" && !progress(player).ended);
}

function show(player) {
  const { root, data } = player, { trained, remark, ended } = progress(player);
  if (player.timer !== null && !ended) go(player, Infinity);  // other settings train
  const step = Math.min(stepShown(player), data.last), moves = !data.idle && isMoving(player);
  const slider = root.querySelector("input"), said = data.words;
  const words = fill(said.step, { step, last: data.last });
  slider.max = data.last;
  slider.value = step;
  slider.setAttribute("aria-label", said.shown);
  slider.setAttribute("aria-valuetext", words);
  root.style.setProperty("--trained", data.last ? trained / data.last : 1);
  root.classList.toggle("trained", ended);
  root.classList.toggle("moves", moves);
  root.querySelector("b").textContent = data.idle ? "" : remark ? fill(said.remark, { remark, words }) : words;
  const names = { play: moves ? said.pause : said.play, start: said.start, back: said.back, on: said.on };
  for (const [key, label] of Object.entries(names)) {
    const button = root.querySelector("." + key);
    button.ariaLabel = label;
    button.title = fill(said.title, { label, help: data.help[key] });
  }
  root.querySelector(".play span").textContent = names.play;
  nameSpeeds(root, said);
  root.querySelectorAll("button, input, select").forEach((one) => { one.disabled = data.idle; });
}

function nameSpeeds(root, said) {
  root.ariaLabel = said.group;
  const speed = root.querySelector("select");
  Object.assign(speed, { ariaLabel: said.speed, title: said.speedHelp });
  [...speed.options].forEach((option, index) => { option.textContent = said.speeds[index]; });
}

function toggle(player) {
  const { ended } = progress(player), step = player.shown.value;
  if (isMoving(player)) go(player, stepShown(player));
  else if (!ended) go(player, Infinity);
  else play(player, step === "" ? 0 : Number(step));
}

function play(player, first) {
  let position = first, before = performance.now();
  const { last } = player.data, speed = player.root.querySelector("select");
  player.timer = setInterval(() => {
    const now = performance.now();
    position += (now - before) / 1000 * Math.max(last, FEWEST) / Number(speed.value);
    before = now;
    if (position >= last) go(player, last);
    else set(player, String(Math.floor(position)));
  }, TICK);
  set(player, String(first));
}

function set(player, step) {
  player.own = step;
  if (player.shown.value === step) show(player);
  else player.shown.set(step);
}

function stop(player) {
  clearInterval(player.timer);
  player.timer = null;
}

// Show this step, paused; the newest where there is none so late.
function go(player, step) {
  const { trained, ended } = progress(player);
  stop(player);
  const newest = step > trained || (ended && step === trained);
  player.shown.set(newest ? "" : String(Math.max(0, step)));
}

// The step changed: by this component, or by a click into a chart.
function moved(player) {
  if (player.timer !== null && player.shown.value !== player.own) stop(player);
  show(player);
  clearTimeout(player.sending);
  player.sending = undefined;
  if (player.timer === null) tellAtRest(player, true);
}

// The script hears of the step that is shown, after a while without another, and without a click:
// Streamlit drops a press that another message follows before its script has begun.
function tellAtRest(player, isNew = false) {
  if (!isNew && player.sending === undefined) return;  // there is nothing to tell
  clearTimeout(player.sending);
  player.sending = setTimeout(() => {
    const step = player.shown.value;
    player.sending = undefined;
    if (step === player.last_told) return;
    player.last_told = step;
    player.told.push(step);
    player.tell(step);
  }, AT_REST);
}

// Space plays and pauses, arrows step, unless what has the focus needs the key itself.
function hear(player, event) {
  const target = event.composedPath()[0], slider = player.root.querySelector("input");
  if (event.key === "Tab") player.pointed = false;
  if (event.ctrlKey || event.metaKey || event.altKey || player.data.idle) return;
  if (target !== slider && target.closest?.(FIELDS)) return;
  if (event.key === " " && !target.closest?.("button")) toggle(player);
  else if (event.key === " " && player.pointed) { target.blur(); toggle(player); }
  else if (event.key === "ArrowLeft") go(player, stepShown(player) - player.data.stride);
  else if (event.key === "ArrowRight") go(player, stepShown(player) + player.data.stride);
  else return;
  event.preventDefault();
}
