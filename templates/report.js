"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);

  const opening = new Set(); // findings that printing opens, not the reader

  // Theme: follows the system until the button is used; nothing is stored.
  const theme = one("button#theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  nameTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });

  // Copy buttons, which are of no use without this script; those inside a finding when it is opened.
  const offerCopies = (root) => {
    for (const code of root.querySelectorAll("code.copied:not(.offered)")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${code.textContent}`);
      code.classList.add("offered");
      code.after(" ", button);
    }
  };
  document.querySelectorAll("section:not([aria-labelledby='findings'])").forEach(offerCopies);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(code);
    }
  });

  // The embedded report as a file.
  const data = one("script#report");
  const download = one("button#download");
  const reportText = async () => {
    if (data.type === "application/json") return data.textContent;
    const packed = Uint8Array.from(atob(data.textContent), (character) => character.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
  };
  if (data && download) {
    download.hidden = false;
    download.addEventListener("click", async () => {
      const text = JSON.stringify(JSON.parse(await reportText()), null, 2) + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.download = "modelscan-plus-report.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // Findings for whose evidence the page had no room show it as the embedded report has it.
  let evidence = null; // by id, a promise
  const explain = async (finding) => {
    const brief = finding.querySelector(".brief");
    if (!data || !brief || finding.querySelector("pre")) return;
    const box = document.createElement("pre");
    box.className = "code";
    box.tabIndex = 0;
    brief.append(box);
    evidence ??= reportText().then((text) => new Map(JSON.parse(text).findings.map((each) => [each.id, each.evidence])));
    const code = document.createElement("code");
    code.textContent = JSON.stringify((await evidence).get(finding.id), null, 2).replace(
      /[\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu,
      (character) => `\\u{${character.codePointAt(0).toString(16)}}`,
    );
    box.append(code);
  };

  // Filter, sort and keyboard, when there are findings.
  const list = one("div#list");
  let showAll = () => {};
  if (list) {
    const rows = Array.from(list.children); // worst first, as the page was made
    const form = one("form#filters");
    const heads = one("div#heads");
    const count = one("p#count");
    const text = one("input#q");
    const facets = ["severity", "rule", "file"].map((name) => [name, one(`select#${name}`)]);
    const sorted = { key: "severity", reversed: false };

    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.firstElementChild.textContent.toLowerCase());
      return texts.get(row);
    };
    const tell = () => {
      const shown = rows.filter((row) => !row.hidden).length.toLocaleString("en");
      const all = rows.length.toLocaleString("en");
      const order = sorted.key === "severity" && !sorted.reversed ? "" : `, by ${sorted.key}${sorted.reversed ? ", reversed" : ""}`;
      const number = shown === all ? all : `${shown} of ${all}`;
      count.textContent = `${number} ${rows.length === 1 ? "finding" : "findings"}${order}`;
    };
    const filter = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const fits = facets.every(([name, select]) => !select.value || row.dataset[name] === select.value)
          && words.every((word) => textOf(row).includes(word));
        if (row.hidden === fits) row.hidden = !fits;
      }
      tell();
    };
    const keys = {
      severity: (row, position) => position,
      message: (row) => row.querySelector(".what").firstChild.data.toLowerCase(),
      file: (row) => Number(row.dataset.file),
      rule: (row) => row.dataset.rule,
    };
    const sort = () => {
      const entries = rows.map((row, position) => [keys[sorted.key](row, position), position, row]);
      const sign = sorted.reversed ? -1 : 1;
      entries.sort(([a, i], [b, j]) => sign * (a < b ? -1 : a > b ? 1 : 0) || i - j);
      list.append(...entries.map(([, , row]) => row));
      markOrder();
      tell();
    };
    const markOrder = () => {
      for (const button of heads.children) {
        const active = button.dataset.sort === sorted.key;
        button.setAttribute("aria-pressed", String(active));
        button.dataset.direction = active ? (sorted.reversed ? "up" : "down") : "";
      }
    };
    showAll = () => {
      text.value = "";
      for (const [, select] of facets) select.value = "";
      filter();
    };

    form.hidden = heads.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", filter);
    one("button#clear").addEventListener("click", showAll);
    heads.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.sort;
      if (!key) return;
      sorted.reversed = sorted.key === key && !sorted.reversed;
      sorted.key = key;
      sort();
    });
    markOrder();
    tell();

    // The arrows walk only from a row that has the focus: elsewhere they scroll.
    const step = (key, onRow) => {
      if (key === "j" || (key === "ArrowDown" && onRow)) return 1;
      return key === "k" || (key === "ArrowUp" && onRow) ? -1 : 0;
    };
    const walk = (by, from) => {
      let row = from ?? (by > 0 ? list.firstElementChild : list.lastElementChild);
      if (from) row = by > 0 ? row.nextElementSibling : row.previousElementSibling;
      while (row?.hidden) row = by > 0 ? row.nextElementSibling : row.previousElementSibling;
      row?.firstElementChild.focus();
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const active = document.activeElement;
      if (event.key === "Escape" && form.contains(active)) {
        showAll();
        active.blur();
        return;
      }
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) return;
      const by = step(event.key, active.matches(".finding > summary"));
      if (by) walk(by, active.closest(".finding"));
      else if (event.key === "/") text.focus();
      else return;
      event.preventDefault();
    });
    list.addEventListener("toggle", (event) => {
      if (!event.target.open || !event.target.id) return;
      offerCopies(event.target);
      explain(event.target);
      if (opening.delete(event.target)) return;
      history.replaceState(null, "", `#${event.target.id}`);
    }, true);
  }

  // Deep links open what they lead to, and lift the filter that would hide it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.hidden) showAll();
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
    target.querySelector("summary")?.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  reveal();

  // On paper nothing can be opened; what was closed is closed again.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    for (const details of closed) {
      opening.add(details);
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });
})();
