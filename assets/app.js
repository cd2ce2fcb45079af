// What pages do beyond links and forms. Everything works without it, only less quickly.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Times, relative to now.
  const units = [["d", 86400, 172800], ["h", 3600, 3600], ["min", 60, 60], ["s", 1, 0]];
  const ago = (at) => {
    const seconds = Math.round((Date.now() - at) / 1000);
    const far = Math.abs(seconds);
    if (far < 5) return "now";
    const [unit, size] = units.find(([, , from]) => far >= from);
    const span = `${Math.floor(far / size)} ${unit}`;
    return seconds > 0 ? `${span} ago` : `in ${span}`;
  };
  const tick = (root = document) => all("time[datetime]", root).forEach((time) => {
    const at = Date.parse(time.dateTime);
    if (at && !time.hasAttribute("data-exact")) time.textContent = ago(at);
  });
  setInterval(tick, 15000);

  // Copying.
  const copied = (button) => {
    const before = button.innerHTML;
    button.textContent = "Copied";
    setTimeout(() => { button.innerHTML = before; }, 1500);
  };
  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      button.after(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    copied(button);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      const from = document.getElementById(button.dataset.copy);
      copy(button, from.value ?? from.textContent);
    }
  });
  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    setTimeout(() => all("button", form).forEach((button) => { button.disabled = true; }));
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) all("form button:disabled").forEach((button) => { button.disabled = false; });
  });

  // What has been done is told once, and a secret is gone on reload.
  const here = new URL(location.href);
  if (document.body.dataset.here) {
    history.replaceState(null, "", document.body.dataset.here + location.hash);
  } else if (here.searchParams.delete("done"), here.href !== location.href) {
    history.replaceState(null, "", here);
  }

  // The palette.
  const palette = $("#palette");
  if (palette) {
    const field = $("input", palette);
    const found = $("#found");
    const open = () => { if (!palette.open) { palette.showModal(); field.select(); htmx.trigger(field, "search"); } };
    let shown = null, wanted = false;
    const go = () => {
      if (!wanted || shown !== field.value) return;
      wanted = false;
      ($("a.on", found) ?? $("a", found))?.click();
    };
    const step = (by) => {
      const links = all("a", found);
      const at = links.findIndex((link) => link.classList.contains("on"));
      links[at]?.classList.remove("on");
      const next = links[(at + by + links.length) % links.length];
      next?.classList.add("on");
      next?.scrollIntoView({ block: "nearest" });
    };
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, textarea, select, [contenteditable]");
      if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing)) {
        event.preventDefault();
        open();
      }
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        step(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Enter") {
        event.preventDefault();
        wanted = true;
        go();
      }
    });
    // Who types fast presses Enter before the answer is there.
    document.addEventListener("htmx:afterSwap", (event) => {
      if (event.target !== found) return;
      shown = new URL(event.detail.pathInfo.finalRequestPath, location.href).searchParams.get("q") ?? "";
      go();
    });
    palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });
    all("[data-find]").forEach((link) => link.addEventListener("click", (event) => { event.preventDefault(); open(); }));
  }

  // News: one stream a tab, closed while nobody looks. Each event wakes the parts of the page that wait for it.
  const stream = document.body.dataset.stream;
  let source = null, pause = 1000, lost = true, timer = 0;
  const say = (text) => {
    let note = $(".offline");
    if (!text) return note?.remove();
    if (!note) {
      note = document.createElement("p");
      note.className = "offline";
      note.setAttribute("role", "status");
      document.body.append(note);
    }
    note.textContent = text;
  };
  // A part that is being fetched is replaced when it comes, and what waits at it goes with it: that is told again.
  const missed = new Set();
  const wake = (kind) => {
    if ($(".htmx-request[hx-trigger*='news-']")) missed.add(kind);
    document.body.dispatchEvent(new CustomEvent(`news-${kind}`));
  };
  document.addEventListener("htmx:afterSettle", () => {
    const kinds = [...missed];
    missed.clear();
    kinds.forEach(wake);
  });
  const stop = () => { clearTimeout(timer); source?.close(); source = null; };
  const listen = () => {
    if (!stream || source || document.hidden) return;
    source = new EventSource(stream);
    source.onopen = () => {
      pause = 1000;
      say("");
      // What happened between the making of the page and now is in no event.
      if (lost) wake("back");
      lost = false;
    };
    source.onerror = () => {
      stop();
      lost = true;
      timer = setTimeout(() => { say("The box does not answer. Trying again\u2026"); listen(); }, pause);
      pause = Math.min(pause * 1.5, 10000);
    };
    for (const kind of ["notification", "operation", "agent", "request", "message", "task"]) {
      source.addEventListener(kind, () => wake(kind));
    }
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stop();
      lost = true;
    } else {
      listen();
    }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", listen);
  document.addEventListener("htmx:afterSwap", (event) => tick(event.target.parentNode ?? document));

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    listen();
    $(".talk")?.lastElementChild?.scrollIntoView({ block: "nearest" });
  });
})();
