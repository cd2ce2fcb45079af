// Copying, in the console and in the documentation. Without it the pages are the same, but for these buttons.
(() => {
  "use strict";
  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page over plain HTTP has no clipboard of its own.
      const field = document.createElement("textarea");
      field.value = text;
      button.after(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    const before = button.dataset.label ?? button.textContent;
    button.dataset.label = before;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.previousElementSibling;
    copy(button, from.value ?? from.textContent);
  });
  // Every example gets a button behind it.
  document.querySelectorAll("pre[data-code]").forEach((pre) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tiny copy";
    button.textContent = "Copy";
    button.dataset.copy = "";
    button.setAttribute("aria-label", "Copy this example");
    const box = document.createElement("div");
    box.className = "code";
    pre.replaceWith(box);
    box.append(pre, button);
  });
})();
