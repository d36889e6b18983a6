// One player at a time: whoever starts to play stops the others on the page.
// The events do not bubble, but they can be caught on their way down.
document.addEventListener('play', ({ target }) => {
  for (const other of document.querySelectorAll('audio')) if (other !== target) other.pause();
}, true);

// A narrow player has no room for its duration, so that stands below.
const ROOM = 200;  // pixels
document.addEventListener('loadedmetadata', ({ target }) => {
  if (target.clientWidth >= ROOM || target.nextElementSibling?.matches('.duration')) return;
  const said = document.createElement('small');
  said.className = 'duration';
  said.textContent = `${Math.round(target.duration)} s`;
  target.after(said);
}, true);
