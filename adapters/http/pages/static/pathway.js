// Makes the pages quicker to use; every page works without it.

(() => {
  const said = (text) => {
    const place = document.getElementById("said");
    if (place) place.textContent = text;
  };

  // A failed action must not look like a done one.
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    said(
      [400, 401, 403].includes(status)
        ? "Not done: you are not signed in for this any more. Reload the page."
        : `Not done: the service answered ${status}. Nothing was changed; try again.`,
    );
  });
  document.addEventListener("htmx:sendError", () => said("Not done: the service cannot be reached. Try again."));
  document.addEventListener("htmx:timeout", () => said("Not sure: the service did not answer. Reload the page."));

  // How long until an emergency goes further: the page says it once, this keeps it true.
  const left = () => {
    for (const place of document.querySelectorAll(".countdown")) {
      const minutes = Math.floor((Date.parse(place.dataset.until) - Date.now()) / 60000);
      place.textContent = minutes < 1 ? "goes further now" : `${minutes} minute${minutes > 1 ? "s" : ""} left`;
    }
  };
  setInterval(left, 10000);

  // A number that warns shows what to do, as a choice that warns does by the stylesheet alone.
  const warn = (field) => {
    const high = field.value !== "" && Number(field.value) >= Number(field.dataset.from);
    field.closest(".question").classList.toggle("warns", high);
  };
  document.addEventListener("input", (event) => event.target.matches("[data-from]") && warn(event.target));
  document.querySelectorAll("[data-from]").forEach(warn);

  // j and k go through the tasks, except while somebody writes.
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) return;
    const links = [...document.querySelectorAll(".task h3 a")];
    if (!links.length) return;
    const row = document.activeElement.closest(".task");
    const here = row ? links.findIndex((link) => row.contains(link)) : step > 0 ? -1 : links.length;
    const next = links[Math.min(Math.max(here + step, 0), links.length - 1)];
    next.focus();
    event.preventDefault();
  });
})();
