// Replaces the list while a person types. Without it the form has its button.
const form = document.querySelector('form.search');
const pause = 150; // milliseconds without a key before the list is asked for
let timer;
let asking;

function wanted() {
  const values = [...new FormData(form)].filter(([, value]) => value.trim() !== '');
  const query = new URLSearchParams(values).toString();
  return query ? `/?${query}` : '/';
}

async function show() {
  clearTimeout(timer);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const address = wanted();
  try {
    const response = await fetch(address, { signal });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    if (!response.ok) throw new Error(response.statusText);
    if (!page.getElementById('results')) {
      location.assign(address); // another page, such as the one to sign in
      return;
    }
    for (const id of ['results', 'clear', 'count']) {
      document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
    }
    history.replaceState(null, '', address);
  } catch (error) {
    if (error.name === 'AbortError') return;
    document.getElementById('count').textContent = 'The list does not answer at the moment. Press Search to try again.';
  }
}

form.classList.add('instant');
form.addEventListener('input', (event) => {
  clearTimeout(timer);
  if (event.target.type === 'search') timer = setTimeout(show, pause);
});
form.addEventListener('change', (event) => {
  if (event.target.type !== 'search') show();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  show();
});
