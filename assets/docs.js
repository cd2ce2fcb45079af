// Copy buttons of the documentation. Without it the pages are the same, but for these.
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
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  document.querySelectorAll("pre[data-code]").forEach((pre) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tiny copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this example");
    button.addEventListener("click", () => copy(button, pre.textContent));
    const box = document.createElement("div");
    box.className = "code";
    pre.replaceWith(box);
    box.append(pre, button);
  });
})();
