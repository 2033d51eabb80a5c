// Runs before anything is drawn, so that a chosen theme does not flash in from the other one.
{
  let chosen = null;
  try { chosen = localStorage.getItem("impasto-theme"); } catch { /* A browser that keeps nothing follows the system. */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
