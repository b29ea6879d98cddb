// What happens on the page of jobs? They are listed, and followed until they have ended.

import { Jobs } from "./jobs.js";

const element = document.querySelector("#jobs");
new Jobs(element, element.dataset, null).load().catch(() => {
  element.querySelector(".none").textContent = "The jobs could not be listed; is the server there?";
});
