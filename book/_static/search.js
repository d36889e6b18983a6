// For the passages that it shows, the search reads the pages, which no browser allows where a book is opened as a file.
document.addEventListener('DOMContentLoaded', () => {
  const results = document.getElementById('search-results');
  if (!results || location.protocol !== 'file:') return;
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  const told = document.createElement('p');
  told.append('The passages that were found are shown where the book is served: ');
  told.append(Object.assign(document.createElement('code'), {textContent: 'make serve'}), '.');
  results.before(told);
});
