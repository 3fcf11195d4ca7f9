"use strict";
// What the volume's page and the comparison share: making elements, and a stage on which a picture is zoomed.
const $ = (selector, root = document) => root.querySelector(selector);

const make = (tag, attributes = {}, text) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

const makeSvg = (tag, attributes = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const readData = () => JSON.parse(document.getElementById("data").textContent);

// Wheel, drag and pinch on `stage` move and scale `leaf`, whose size show() sets in pixels of the picture.
const makeZoom = (stage, leaf) => {
  let x = 0, y = 0, scale = 1, fitted = 1, width = 1, height = 1;
  const place = () => { leaf.style.transform = `translate(${x}px, ${y}px) scale(${scale})`; };
  const fit = () => {
    fitted = Math.min((stage.clientWidth - 16) / width, (stage.clientHeight - 16) / height);
    scale = fitted;
    x = (stage.clientWidth - width * scale) / 2;
    y = (stage.clientHeight - height * scale) / 2;
    place();
  };
  const zoom = (factor, px = stage.clientWidth / 2, py = stage.clientHeight / 2) => {
    const next = Math.min(8, Math.max(fitted / 2, scale * factor));
    x = px - (px - x) * next / scale;
    y = py - (py - y) * next / scale;
    scale = next;
    place();
  };
  const show = (newWidth, newHeight) => {
    [width, height] = [newWidth, newHeight];
    leaf.style.width = `${width}px`;
    leaf.style.height = `${height}px`;
    fit();
  };

  const fingers = new Map();
  const offset = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...offset(event));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    if (scale > fitted * 1.01) fit(); else zoom(2.5, ...offset(event));
  });
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, offset(event));
    stage.classList.add("dragging");
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId), now = offset(event);
    if (!before) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId);
    if (other) zoom(distance(now, other[1]) / (distance(before, other[1]) || 1), ...other[1]);
    else {
      x += now[0] - before[0];
      y += now[1] - before[1];
      place();
    }
    fingers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) stage.classList.remove("dragging");
  });
  return { show, fit, zoom };
};
