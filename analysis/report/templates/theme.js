// Before anything is drawn: the theme that the reader chose last, if any. Storage may be forbidden.
try {
  const chosen = localStorage.getItem("postcopy-lab-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* then the system's theme it is */ }
