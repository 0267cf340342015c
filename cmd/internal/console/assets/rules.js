// The editor of the rules: findings lead to their lines, and what is typed isn't lost by
// leaving the page.

const text = document.getElementById('text');
const form = text.form;

document.getElementById('findings').addEventListener('click', (e) => {
  const line = Number(e.target.dataset?.line);
  if (!line) return;
  const lines = text.value.split('\n');
  const start = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? '').length);
  text.scrollTop = Math.max(0, (line - 4) * (text.scrollHeight / lines.length));
});

let stored = text.defaultValue;
form.addEventListener('submit', () => { stored = text.value; });
addEventListener('beforeunload', (e) => { if (text.value !== stored) e.preventDefault(); });
