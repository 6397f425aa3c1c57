// Only additions: every page works without them.

// Long dotted names, such as those of functions and files, may break after a dot.
for (const name of document.querySelectorAll("[data-name]")) {
  const parts = name.textContent.split(/(?<=[._/])(?=\w)/);
  name.replaceChildren(...parts.flatMap((part) => [document.createElement("wbr"), part]));
}
