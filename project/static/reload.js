// A page that shows how far something is loads anew, after the seconds that it says, until one stops it.

const note = document.querySelector("[data-reload]");
note.hidden = false;
setTimeout(() => location.reload(), Number(note.dataset.reload) * 1000);
