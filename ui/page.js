// Runs once for each of the page's own HTML components, with Gradio's `element`, `trigger` and `watch`.
// Everything it shows was written by the server; nothing here makes markup out of text.
const EVENTS = ['show', 'retry', 'edit', 'copy', 'rate', 'ask', 'open', 'remove'];

function tip() {
  let box = document.getElementById('tip');
  if (!box) {
    box = document.createElement('div');
    box.id = 'tip';
    box.setAttribute('role', 'tooltip');
    box.hidden = true;
    document.body.append(box);
    const hide = (event) => { if (event.type !== 'keydown' || event.key === 'Escape') box.hidden = true; };
    document.addEventListener('keydown', hide);
    document.addEventListener('scroll', hide, true);
    box.addEventListener('mouseleave', hide);
  }
  return box;
}

function showQuote(marker) {
  const quote = document.getElementById(marker.getAttribute('aria-describedby'));
  if (!quote) return;
  const box = tip();
  box.replaceChildren(...[...quote.childNodes].map((node) => node.cloneNode(true)));
  box.hidden = false;
  const at = marker.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left - 20, window.innerWidth - box.offsetWidth - 8));
  const above = at.top - box.offsetHeight - 6;
  box.style.left = `${left}px`;
  box.style.top = `${above > 8 ? above : at.bottom + 6}px`;
}

function bring(panel, number, paper) {
  const article = [...panel.querySelectorAll('article')].find((one) =>
    paper ? one.dataset.paper === paper : (one.dataset.numbers || '').split(' ').includes(number));
  if (!article) return false;
  const fold = article.querySelector('details');
  if (fold) fold.open = true;
  const quoted = number && article.querySelector(`mark[data-number="${number}"]`);
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  (quoted || article).scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
  for (const old of panel.querySelectorAll('.focus')) old.classList.remove('focus');
  (quoted || article).classList.add('focus');
  return true;
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (!button || !element.contains(button)) return;
  const { do: what, turn, number, paper, kind, key, text } = button.dataset;
  if (what === 'back') document.getElementById(`turn-${turn}`)?.scrollIntoView();
  if (!EVENTS.includes(what)) return;
  if (what === 'remove' && !window.confirm('Delete this conversation?')) return;
  const panel = document.querySelector('#evidence .panel');
  // The panel shows this answer already: no need to ask the server.
  if (what === 'show' && panel && panel.dataset.turn === turn && bring(panel, number, paper)) return;
  const note = element.querySelector(`input[data-note="${turn}"]`);
  const data = { turn: Number(turn ?? -1), number: number ?? '', paper: paper ?? '', kind: kind ?? '' };
  trigger(what, { ...data, key: key ?? '', text: text ?? '', note: note && kind === 'missing paper' ? note.value : '' });
  if (what === 'rate') {
    const said = document.createElement('span');
    said.className = 'thanks';
    said.setAttribute('role', 'status');
    said.textContent = ' Noted, thank you.';
    button.parentElement.querySelector('.thanks')?.remove();
    button.parentElement.append(said);
  }
});

if (element.closest('#live')) element.setAttribute('aria-live', 'polite');

for (const kind of ['mouseover', 'focusin']) {
  element.addEventListener(kind, (event) => {
    const marker = event.target.closest('.cite');
    if (marker) showQuote(marker);
  });
}
for (const kind of ['mouseout', 'focusout']) {
  element.addEventListener(kind, (event) => {
    if (event.target.closest('.cite') && !tip().matches(':hover') && event.relatedTarget !== tip()) tip().hidden = true;
  });
}

// Gradio sets attributes as the server wrote them: folds that the reader opened or closed are put back.
const folds = new Map();
element.addEventListener('toggle', (event) => {
  if (event.target.id) folds.set(event.target.id, event.target.open);
}, true);

watch('value', () => {
  for (const [id, open] of folds) {
    const fold = document.getElementById(id);
    if (fold && element.contains(fold)) fold.open = open;
  }
  const panel = element.querySelector('.panel[data-focus]');
  if (panel && panel.dataset.focus) {
    const focus = panel.dataset.focus;
    if (/^\d{1,4}$/.test(focus)) bring(panel, focus, ''); else bring(panel, '', focus);
  }
  const scroller = element.closest('#chat');
  if (scroller && element.closest('#live')) {
    const live = element.querySelector('.live');
    const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 160;
    if (live && (near || !live.dataset.seen)) scroller.scrollTop = scroller.scrollHeight;
  } else if (scroller) {
    const last = element.querySelector('.turn:last-of-type');
    if (last) last.scrollIntoView({ block: 'start' });
  }
});
