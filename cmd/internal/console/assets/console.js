// What pages do beside what they show: times in the browser's zone, and the player.
// It is loaded once a page; what htmx puts in is looked at again.

function localTimes(root) {
  for (const t of root.querySelectorAll('time[datetime]:not([data-local])')) {
    const at = new Date(t.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    t.title = t.textContent;
    t.dataset.local = '';
    t.textContent = at.toLocaleString(undefined, {year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short'});
  }
}

localTimes(document);
// A list that changes has times again.
new MutationObserver(() => localTimes(document)).observe(document.body, {childList: true, subtree: true, characterData: true});

// A list that changes by itself goes on with another session, or says that it has ended.
document.addEventListener('htmx:sse:error', (ev) => {
  if (ev.detail?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
});

const players = document.querySelectorAll('.player');
if (players.length > 0) {
  const {Player} = await import('./player.js');
  for (const el of players) new Player(el);
}

if (document.querySelector('form.editor')) await import('./rules.js');
