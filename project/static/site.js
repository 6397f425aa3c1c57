// Only additions: every page works without them.

// Long dotted names, such as those of functions and files, may break after a dot.
for (const name of document.querySelectorAll("[data-name]")) {
  const parts = name.textContent.split(/(?<=[._/])(?=\w)/);
  name.replaceChildren(...parts.flatMap((part) => [document.createElement("wbr"), part]));
}

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
