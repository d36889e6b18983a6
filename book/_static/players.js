// One player at a time: whoever starts to play stops the others on the page.
document.addEventListener('play', ({ target }) => {
  for (const other of document.querySelectorAll('audio')) if (other !== target) other.pause();
}, true);  // the event does not bubble, but it can be caught on its way down
