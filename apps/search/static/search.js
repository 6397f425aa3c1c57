// Only an addition: every page works without it.

// "/" moves to the search box, as its <kbd> says.
const box = document.querySelector("[data-search-box]");

if (box) {
  document.querySelector("[data-search-key]")?.removeAttribute("hidden");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}
