// The page can be read without any of this: a theme to choose, folds that open for links.
const root = document.documentElement;
const themeButton = document.getElementById("theme");
const foldsButton = document.getElementById("folds");
const folds = () => [...document.querySelectorAll("details")];

const themes = ["system", "light", "dark"];
const showTheme = () => {
  themeButton.textContent = "Theme: " + (root.dataset.theme || "as the system");
};
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  try { localStorage.setItem("postcopy-lab-theme", next); } catch { /* for this visit only */ }
  showTheme();
});
showTheme();

const showAll = (open) => {
  folds().forEach((fold) => { fold.open = open; });
  foldsButton.setAttribute("aria-pressed", String(open));
  foldsButton.textContent = open ? "Close all folds" : "Open all folds";
};
foldsButton.hidden = false;
foldsButton.addEventListener("click", () => showAll(foldsButton.getAttribute("aria-pressed") !== "true"));

// A link into a fold opens it, and every fold around it.
const openTarget = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", openTarget);
openTarget();

// The contents show which section is being read.
const marks = new Map([...document.querySelectorAll("nav a")].map((mark) => [mark.hash.slice(1), mark]));
const reading = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    marks.forEach((mark) => mark.removeAttribute("aria-current"));
    marks.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -75% 0px" });
document.querySelectorAll("main > section").forEach((section) => reading.observe(section));
