"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const list = one("#list");
  const rows = list ? Array.from(list.children) : [];

  // Theme: follows the system until the button is used; nothing is stored.
  const theme = one("#theme");
  const isDark = () => {
    const set = document.documentElement.dataset.theme;
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  nameTheme();
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });

  // Copying and downloading.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = button.dataset.copy;
    }
  });
  const data = one("#report");
  const download = one("#download");
  if (data && download) {
    download.hidden = false;
    download.addEventListener("click", () => {
      const text = JSON.stringify(JSON.parse(data.textContent), null, 2) + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.download = "modelscan-plus-report.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // Filters. The text that is searched is made when somebody searches.
  const form = one("#filters");
  if (form) {
    form.hidden = false;
    const fields = { q: one("#q"), severity: one("#severity"), rule: one("#rule"), file: one("#file"), order: one("#order") };
    const count = one("#count");
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.firstElementChild.textContent.toLowerCase());
      return texts.get(row);
    };
    const apply = () => {
      const words = fields.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const fits = (!fields.severity.value || row.dataset.severity === fields.severity.value)
          && (!fields.rule.value || row.dataset.rule === fields.rule.value)
          && (!fields.file.value || row.dataset.file === fields.file.value)
          && words.every((word) => textOf(row).includes(word));
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = shown === rows.length
        ? `${rows.length.toLocaleString("en")} findings`
        : `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} findings`;
    };
    const sort = () => {
      const key = fields.order.value;
      const ordered = key === "severity" ? rows : Array.from(rows).sort((left, right) => {
        const [a, b] = [left.dataset[key], right.dataset[key]];
        return a < b ? -1 : a > b ? 1 : right.dataset.rank - left.dataset.rank;
      });
      list.append(...ordered);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => (event.target === fields.order ? sort() : apply()));
    const clear = () => {
      for (const name of ["q", "severity", "rule", "file"]) fields[name].value = "";
      apply();
    };
    one("#clear").addEventListener("click", clear);
    apply();

    // Keyboard: / searches, j and k walk, Escape clears.
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.key === "Escape" && document.activeElement === fields.q) {
        clear();
        fields.q.blur();
      } else if (typing) {
        return;
      } else if (event.key === "/") {
        event.preventDefault();
        fields.q.focus();
      } else if (event.key === "j" || event.key === "k") {
        const visible = Array.from(list.children).filter((row) => !row.hidden);
        const at = visible.indexOf(document.activeElement.closest(".finding"));
        const next = event.key === "j" ? Math.min(at + 1, visible.length - 1) : Math.max(at - 1, 0);
        if (visible[next]) visible[next].firstElementChild.focus();
      }
    });
  }

  // Deep links open what they lead to.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.hidden = false;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  list?.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.id) history.replaceState(null, "", `#${event.target.id}`);
  }, true);
})();
