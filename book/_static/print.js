// Paper is white: a page prints in the light theme, whichever is on the screen.
(() => {
  const { dataset } = document.documentElement;
  let theme;
  addEventListener('beforeprint', () => { theme = dataset.theme; dataset.theme = 'light'; });
  addEventListener('afterprint', () => { if (theme === undefined) delete dataset.theme; else dataset.theme = theme; });
})();
