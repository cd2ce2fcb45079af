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

  // A form is sent once, and the page that it leaves asks for nothing more: what it shows may be gone by then.
  let leaving = false;
  document.addEventListener("htmx:beforeRequest", (event) => { if (leaving) event.preventDefault(); });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    leaving = true;
    setTimeout(() => all("button", form).forEach((button) => { button.disabled = true; }));
  });
  addEventListener("pageshow", (event) => {
    leaving = false;
    if (event.persisted) all("form button:disabled").forEach((button) => { button.disabled = false; });
  });

  // A name goes into the message that is being written.
  const names = (root = document) => all("[data-insert]", root).forEach((button) => { button.hidden = false; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    const field = button && document.getElementById(button.dataset.insert);
    if (!field) return;
    const before = field.value.slice(0, field.selectionStart);
    field.setRangeText(`${before && !/\s$/.test(before) ? " " : ""}${button.textContent} `, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  });

  // A menu closes by Escape and by a click elsewhere.
  const menus = () => all("details.menu[open], .tabs details[open], details.sheet[open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = menus().find((one) => one.contains(document.activeElement));
    if (!menu) return;
    menu.open = false;
    $("summary", menu).focus();
  });
  document.addEventListener("click", (event) => {
    all(".tabs details[open]").filter((one) => !one.contains(event.target)).forEach((one) => { one.open = false; });
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
  // A part that is being fetched is replaced when it comes, and what waits at it goes with it: that is told again, once all
  // parts are there.
  const missed = new Set();
  const fetching = () => $(".htmx-request[hx-trigger*='news-']");
  const wake = (kind) => {
    if (fetching()) missed.add(kind);
    document.body.dispatchEvent(new CustomEvent(`news-${kind}`));
  };
  document.addEventListener("htmx:afterSettle", () => {
    if (fetching()) return;
    const kinds = [...missed];
    missed.clear();
    kinds.forEach(wake);
  });
  // A part that somebody is filling in is left alone. Of one that is replaced, what was open stays open, and the focus stays.
  const filled = (field) => {
    if (field.type === "hidden") return false;
    if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
    if (field.matches("select")) {
      const chosen = all("option", field).find((option) => option.defaultSelected) ?? field.options[0];
      return field.value !== chosen?.value;
    }
    return field.value !== field.defaultValue || field === document.activeElement;
  };
  const own = (node) => node.closest("[id]")?.id ?? "";
  const nameOf = (node) => `${own(node)} ${node.tagName} ${node.getAttribute("href") ?? node.textContent}`;
  // A press ends as a click only where it began: the part under it is replaced once it is over.
  let pressed = null, late = false;
  addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, () => setTimeout(() => {
      pressed = null;
      if (late) wake("back");
      late = false;
    }), true);
  }
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!part?.matches("[hx-trigger*='news-'], [hx-trigger*='every']")) return;
    const held = part.contains(pressed);
    late ||= held;
    if (held || all("input, textarea, select", part).some(filled)) {
      event.detail.shouldSwap = false;
      return;
    }
    const focused = part.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    const scrolled = all("pre, .scroll, .board", part).concat(part).map((box) => [box.scrollTop, box.scrollLeft]);
    kept = { id: part.id, focused, scrolled, open: all("details[open] > summary", part).map(nameOf) };
  });
  document.addEventListener("htmx:afterSwap", () => {
    const part = kept && document.getElementById(kept.id);
    if (!part) return;
    const { focused, open, scrolled } = kept;
    kept = null;
    all("details > summary", part).filter((one) => open.includes(nameOf(one))).forEach((one) => { one.parentNode.open = true; });
    all("pre, .scroll, .board", part).concat(part).forEach((box, at) => { [box.scrollTop, box.scrollLeft] = scrolled[at] ?? [0, 0]; });
    if (focused) all("a, button, input, summary, pre, [tabindex]", part).concat(part).find((one) => nameOf(one) === focused)?.focus({ preventScroll: true });
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
  document.addEventListener("htmx:afterSwap", (event) => {
    const near = event.target.parentNode ?? document;
    tick(near);
    names(near);
  });

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    names();
    listen();
    $(".strip [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    $(".talk")?.lastElementChild?.scrollIntoView({ block: "nearest" });
  });
})();
