// What the pages can do more in a browser that runs scripts: a filter over cards and lists, buttons that copy a command,
// and a refresh that waits for who types or has marked a text.  Without it everything is there to read.  It asks no
// server for anything but the page itself.  The filter's words stand in the address of the page, where they outlast the
// refresh and can be handed on; what else is to outlast it, in the browser's memory of this tab.
"use strict";

(function () {
  const MOST = 200;

  function made(tag, attributes, words) {
    const element = document.createElement(tag);
    for (const name of Object.keys(attributes)) {
      element.setAttribute(name, attributes[name]);
    }
    element.textContent = words || "";
    return element;
  }

  // The filter.

  const rows = Array.from(document.querySelectorAll(".card, .list.tickets tbody tr"));
  const texts = rows.map((row) => row.textContent.toLowerCase().replace(/\s+/g, " "));

  function asked() {
    return (new URLSearchParams(location.search).get("q") || "").slice(0, MOST);
  }

  function keep(words) {
    const search = new URLSearchParams(location.search);
    if (words) {
      search.set("q", words);
    } else {
      search.delete("q");
    }
    const query = search.toString();
    history.replaceState(null, "", location.pathname + (query ? "?" + query : "") + location.hash);
  }

  function show(words, told) {
    const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, n) => {
      const fits = parts.every((part) =>
        part.length > 1 && part.startsWith("-") ? !texts[n].includes(part.slice(1)) : texts[n].includes(part)
      );
      row.hidden = !fits;
      count += fits ? 1 : 0;
    });
    for (const part of document.querySelectorAll(".lane, .group")) {
      const inside = Array.from(part.querySelectorAll(".card, .list.tickets tbody tr"));
      part.hidden = parts.length > 0 && inside.length > 0 && inside.every((row) => row.hidden);
    }
    const rest = document.querySelector(".more, .months a") ? "; only this page is searched" : "";
    told.textContent = parts.length ? count + " of " + rows.length + " shown" + rest : "";
  }

  function filter() {
    const head = document.querySelector(".mast") || document.querySelector("header.top");
    if (!head || rows.length < 2) {
      return;
    }
    const box = made("div", { class: "filter", role: "search" });
    const label = made("label", { for: "filter" }, "Filter");
    const field = made("input", {
      id: "filter", type: "search", maxlength: String(MOST), autocomplete: "off", spellcheck: "false",
      placeholder: "title, label, blocked …", "aria-keyshortcuts": "/",
    });
    const told = made("span", { role: "status", class: "muted" });
    box.append(label, " ", field, " ", told);
    head.append(box);
    field.value = asked();
    show(field.value, told);
    field.addEventListener("input", () => {
      show(field.value, told);
      keep(field.value.trim());
    });
    addEventListener("pagehide", () => {
      sessionStorage.setItem("typing", document.activeElement === field ? location.pathname : "");
    });
    if (sessionStorage.getItem("typing") === location.pathname) {
      field.focus({ preventScroll: true }); // the page was made anew under the hands of who typed
      field.setSelectionRange(field.value.length, field.value.length);
    }
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        field.focus();
      } else if (event.key === "Escape" && event.target === field) {
        field.value = "";
        show("", told);
        keep("");
        field.blur();
      }
    });
  }

  // Commands to copy.

  function copying() {
    if (!navigator.clipboard) {
      return; // not over plain HTTP
    }
    for (const command of document.querySelectorAll(".commands .command")) {
      const words = command.textContent;
      const button = made("button", { type: "button", class: "copy", "aria-label": "Copy " + words }, "copy");
      button.addEventListener("click", () => {
        navigator.clipboard.writeText(words).then(
          () => {
            button.textContent = "copied";
            setTimeout(() => (button.textContent = "copy"), 2000);
          },
          () => (button.textContent = "not allowed")
        );
      });
      const pair = made("span", { class: "cmd" });
      command.replaceWith(pair);
      pair.append(command, button);
    }
  }

  // The refresh: as often as the page asks for without scripts.

  function again() {
    const asked = document.querySelector("head noscript");
    const found = asked && /http-equiv="refresh" content="(\d+)"/.exec(asked.textContent);
    if (!found) {
      return;
    }
    let due = Date.now() + Number(found[1]) * 1000;
    document.addEventListener("keydown", () => (due = Math.max(due, Date.now() + 10000)));
    setInterval(() => {
      const marked = getSelection() && !getSelection().isCollapsed;
      if (Date.now() >= due && !document.hidden && !marked) {
        due = Date.now() + 10000;
        location.reload();
      }
    }, 1000);
  }

  function unfolded() {
    const parts = Array.from(document.querySelectorAll("details"));
    const name = "unfolded " + location.pathname;
    const kept = (sessionStorage.getItem(name) || "").split("\n");
    for (const part of parts) {
      part.open = part.open || kept.includes(part.querySelector("summary").textContent);
    }
    addEventListener("pagehide", () => {
      const open = parts.filter((part) => part.open).map((part) => part.querySelector("summary").textContent);
      sessionStorage.setItem(name, open.join("\n"));
    });
  }

  filter();
  copying();
  unfolded();
  again();
})();
