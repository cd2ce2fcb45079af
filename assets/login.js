// The pages where people log in and let programs in. Sends a form marked data-json as JSON to the place that it names there, and goes where the answer leads. Without this script
// the form goes to its action, and a page of ours leads on.
"use strict";

// What a form says: a field by its name, a field with data-list as a list, one with data-json-value as JSON.
function valueOf(form, button) {
  const body = {};
  for (const field of form.querySelectorAll("[data-list]")) body[field.dataset.list] = body[field.dataset.list] || [];
  for (const field of form.elements) {
    if ((field.type === "checkbox" || field.type === "radio") && !field.checked) continue;
    if (field.dataset.list) body[field.dataset.list].push(field.value);
    else if (!field.name || field.dataset.part !== undefined) continue;
    else if (field.type === "radio") body[field.name] = chosen(form, field);
    else if (field.type !== "submit") body[field.name] = field.value;
  }
  if (button && button.name) body[button.name] = button.value;
  return body;
}

// What a radio button stands for: JSON in data-value, with the text of the field that data-with names.
function chosen(form, radio) {
  const value = JSON.parse(radio.dataset.value);
  if (radio.dataset.with) value[radio.dataset.with] = form.querySelector("[data-part='" + radio.dataset.with + "']").value;
  return value;
}

function show(form, text) {
  const place = form.querySelector(".problem");
  place.textContent = text;
  place.hidden = !text;
}

async function send(event) {
  const form = event.currentTarget;
  event.preventDefault();
  const body = valueOf(form, event.submitter);
  show(form, "");
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await fetch(form.dataset.json, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) {
      show(form, told.detail + " " + told.fix);
      return;
    }
    const to = told.redirect_to || told.path || form.dataset.next || "/";
    const link = form.querySelector("[data-continue]");
    if (link) {
      link.href = to;
      link.hidden = false;
    }
    location.assign(to);
  } catch (error) {
    show(form, "The box did not answer. Check the connection and try again.");
  } finally {
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-json]")) form.addEventListener("submit", send);

// A page that only leads on: a link that was followed from elsewhere sends no cookie, this step inside the box does.
const onward = document.querySelector("[data-onward]");
if (onward) location.replace(onward.getAttribute("href"));
