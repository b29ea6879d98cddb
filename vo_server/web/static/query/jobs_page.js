// What happens on the page of jobs? They are followed until they have ended.

import { Jobs } from "./jobs.js";

new Jobs(document.querySelector("#jobs"));
