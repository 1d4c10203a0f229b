// Sends requests to this origin and shows, as they come, who answers.
const atOnce = 6;
const attempts = 3; // of each request
const patience = 5000; // milliseconds for an answer
const mostEvents = 100;
const form = document.getElementById('requests');
const answers = document.getElementById('answers');
const soundings = answers.querySelector('.soundings');
const tally = answers.querySelector('.tally');
const table = answers.querySelector('table');
const events = answers.querySelector('.events');
const { start, stop, requests } = form.elements;
let run = null;

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const median = (sorted) => sorted[Math.floor((sorted.length - 1) / 2)];
const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
const place = (island) => island.region || 'this machine';

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function tell(text, className) {
  const line = element('li', undefined, className);
  line.append(element('time', new Date().toLocaleTimeString()), ` ${text}`);
  events.prepend(line);
  events.children[mostEvents]?.remove();
}

// hue is the number of a region's colour, by the order in which they answered.
function hue(region) {
  if (!run.regions.includes(region)) run.regions.push(region);
  return run.regions.indexOf(region) % 4;
}

function count(island, took) {
  const key = [island.region, island.zone, island.instance].join(' ');
  if (!run.instances.has(key)) run.instances.set(key, { island, times: [] });
  run.instances.get(key).times.push(took);
  run.times.push(took);
  if (run.region !== undefined && run.region !== island.region) {
    tell(`${place(island)} answers, no longer ${run.region || 'this machine'}.`, 'moved');
  }
  run.region = island.region;
}

function row({ island, times }, most) {
  const sorted = times.toSorted((a, b) => a - b);
  const tr = element('tr');
  const name = element('th', island.instance);
  name.scope = 'row';
  if (island.zone) name.append(element('small', island.zone));
  const bar = element('span', undefined, `bar hue-${hue(island.region)}`);
  bar.style.inlineSize = `${(70 * times.length) / most}%`;
  const cell = element('td', undefined, 'answers');
  cell.append(bar, String(times.length));
  tr.append(name, cell, element('td', milliseconds(median(sorted))), element('td', milliseconds(sorted.at(-1))));
  return tr;
}

function draw() {
  const groups = Map.groupBy([...run.instances].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value),
    (value) => value.island.region);
  const most = Math.max(1, ...[...run.instances.values()].map(({ times }) => times.length));
  const bodies = [...groups].map(([region, instances]) => {
    const body = element('tbody');
    const heading = element('th', `${place({ region })}: ${instances.reduce((sum, { times }) => sum + times.length, 0)}`);
    heading.colSpan = 4;
    heading.scope = 'rowgroup';
    const first = element('tr');
    first.append(heading);
    body.append(first, ...instances.map((instance) => row(instance, most)));
    return body;
  });
  for (const body of [...table.tBodies]) body.remove();
  table.append(...bodies);
  const sorted = run.times.toSorted((a, b) => a - b);
  const times = sorted.length ? ` · median ${milliseconds(median(sorted))} · slowest ${milliseconds(sorted.at(-1))}` : '';
  tally.textContent = `${run.times.length} of ${run.wanted} answered · ${run.failures} failed attempts · ${run.lost} given up${times}`;
}

async function ask(credentials, signal) {
  const began = performance.now();
  const response = await fetch('/api/island', {
    cache: 'no-store', headers: { Accept: 'application/json' }, credentials,
    signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const island = await response.json();
  return { island, took: performance.now() - began };
}

async function request(number, signal) {
  const mark = soundings.children[number];
  for (let attempt = 1; attempt <= attempts && !signal.aborted; attempt += 1) {
    const { credentials } = run;
    try {
      const { island, took } = await ask(credentials, signal);
      count(island, took);
      mark.className = `hue-${hue(island.region)}`;
      return;
    } catch (error) {
      if (signal.aborted) return;
      run.failures += 1;
      // A browser keeps its connections to an island that is lost, where a load
      // balancer still answers for nobody. With and without credentials it uses
      // different ones.
      if (run.credentials === credentials) run.credentials = credentials === 'omit' ? 'same-origin' : 'omit';
      mark.className = 'failed';
      const reason = error.name === 'TimeoutError' ? `no answer in ${patience / 1000} s` : error.message;
      tell(`Request ${number + 1} failed: ${reason}.${attempt < attempts ? ' Trying again.' : ' Given up.'}`, 'failure');
      draw();
      await wait(250 * 2 ** attempt);
    }
  }
  if (!signal.aborted) run.lost += 1;
}

async function send(wanted) {
  const control = new AbortController();
  run = { wanted, control, credentials: 'same-origin', next: 0, failures: 0, lost: 0, times: [], instances: new Map(), regions: [] };
  events.replaceChildren();
  soundings.replaceChildren(...Array.from({ length: wanted }, () => element('span')));
  answers.hidden = false;
  start.disabled = true;
  stop.disabled = false;
  draw();
  tell(`Sending ${wanted} requests, ${Math.min(atOnce, wanted)} at once.`);
  const worker = async () => {
    while (run.next < wanted && !control.signal.aborted) {
      run.next += 1;
      await request(run.next - 1, control.signal);
      draw();
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, wanted) }, worker));
  start.disabled = false;
  stop.disabled = true;
  tell(`${control.signal.aborted ? 'Stopped' : 'Done'}: ${run.times.length} of ${wanted} answered, by ${run.instances.size} instance${run.instances.size === 1 ? '' : 's'}.`);
}

form.hidden = false;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!start.disabled) send(Math.min(200, Math.max(1, Math.floor(requests.valueAsNumber) || 1)));
});
stop.addEventListener('click', () => run.control.abort());

// The islands' sightings, as long as somebody looks.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const response = await fetch('/islands', { signal: AbortSignal.timeout(patience) });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.querySelector('#islands .islands');
    if (fresh) document.querySelector('#islands .islands').replaceWith(fresh);
  } catch {
    // The next one will do.
  }
}, 5000);
