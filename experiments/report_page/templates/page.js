"use strict";
(() => {
  const data = JSON.parse(document.getElementById("search-data").textContent);
  const nodes = data.nodes;
  if (!nodes.length) return;
  const byId = (id) => document.getElementById(id);
  const svg = byId("tree"), scroll = byId("tree-scroll");
  const TOP = 26, BOTTOM = 24, LEFT = 16; // pixels
  const seconds = (codes) => codes / data.codesPerSecond;
  const digits = Object.fromEntries(data.scales.map((each) => [each.name, each.digits]));
  const show = (value, name) => (value === null ? "–" : value.toFixed(digits[name] ?? 3).replace(/^(-?)0\./, "$1."));
  const children = nodes.map(() => []);
  nodes.forEach((node, i) => { if (node.parent !== null) children[node.parent].push(i); });
  children.forEach((list) => list.sort((a, b) => nodes[a].y - nodes[b].y));
  const winner = Math.max(0, nodes.findIndex((node) => node.candidate && node.candidate.rank === 0));
  const pathOf = (i) => { const path = []; for (let at = i; at !== null; at = nodes[at].parent) path.unshift(at); return path; };
  const winning = new Set(pathOf(winner));
  let zoom = 1, scale = data.scales[0] || null, selected = winner, groups = [], labels = null, toX = null, playing = null, narrow = false;

  const make = (name, attributes, parent, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.appendChild(element);
    return element;
  };

  // What a node is, in words.
  const roles = { kept: "part of a candidate", survivor: "continued, later dropped", pruned: "pruned" };
  const title = (node) => {
    const { candidate } = node;
    if (!candidate) return roles[node.role];
    return (candidate.rank === 0 ? "★ winner, " : "") + "candidate " + candidate.number + (candidate.rank ? ", rank " + (candidate.rank + 1) : "");
  };
  const ending = (node) => (node.cutOff ? ", cut off" : node.finished && !node.candidate ? ", ended" : "");
  const times = (node) => seconds(node.start).toFixed(2) + " to " + seconds(node.end).toFixed(2) + " s" + ending(node);
  const scoreOf = (node, name) => {
    const usable = node.scores.filter((score) => score.verifier === name && score.usable);
    return usable.find((score) => score.partial) || usable[0] || null;
  };
  const final = (node) => node.scores.filter((score) => !score.partial)
    .map((score) => score.verifier + " " + (score.usable ? show(score.value, score.verifier) : "none")).join("  ");
  const spoken = (node) => title(node) + ", " + times(node) + ", "
    + node.scores.map((score) => score.verifier + " " + (score.usable ? show(score.value, score.verifier) : score.reason)).join(", ");

  // Drawing.
  const draw = () => {
    const wide = scroll.clientWidth || 800;
    narrow = wide < 560;
    const right = narrow ? 78 : 210, least = narrow ? 36 : 130; // of the labels; of one second
    const fit = Math.max((wide - LEFT - right) / seconds(data.length || 1), least);
    const unit = seconds(1) * fit * zoom;
    toX = (codes) => LEFT + codes * unit;
    const width = Math.ceil(toX(data.length) + right), height = Math.ceil(data.height + TOP + BOTTOM);
    svg.replaceChildren();
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    svg.setAttribute("viewBox", [0, 0, width, height].join(" "));
    drawTime(width, height, fit * zoom);
    const order = nodes.map((_, i) => i);
    const weight = { pruned: 0, survivor: 1, kept: 2, candidate: 3 };
    order.sort((a, b) => winning.has(a) - winning.has(b) || weight[nodes[a].role] - weight[nodes[b].role]);
    const halo = make("g", {}, svg);
    groups = [];
    labels = make("g", { "aria-hidden": true });
    for (const i of order) groups[i] = drawNode(i, unit * 25);
    for (const i of winning) make("path", { class: "halo", d: shape(nodes[i]) }, halo);
    make("circle", { cx: LEFT, cy: TOP + nodes[pathOf(winner)[0]].y, r: 4, class: "root" }, svg);
    svg.appendChild(labels);
    mark();
  };
  const drawTime = (width, height, perSecond) => {
    const free = data.judged.length ? data.judged[data.judged.length - 1] : 0;
    if (free && free < data.length) make("rect", { class: "free", x: toX(free), y: TOP - 6, width: width - toX(free), height: height - TOP - BOTTOM + 12 }, svg);
    const step = [0.5, 1, 2, 5, 10].find((size) => size * perSecond >= 44) || 20;
    const judged = new Set(data.judged);
    for (let at = 0; seconds(at) <= seconds(data.length) + 1e-9; at += step * data.codesPerSecond) {
      make("line", { class: "grid", x1: toX(at), x2: toX(at), y1: TOP - 6, y2: height - BOTTOM + 6 }, svg);
      for (const y of [13, height - 6]) make("text", { x: toX(at), y, "text-anchor": at ? "middle" : "start" }, svg, seconds(at) + " s");
    }
    for (const at of judged) make("line", { class: "grid judged", x1: toX(at), x2: toX(at), y1: TOP - 6, y2: height - BOTTOM + 6 }, svg);
    if (free && free < data.length && !narrow) make("text", { x: width - 8, y: 13, "text-anchor": "end" }, svg, "free run from " + seconds(free) + " s");
  };
  const shape = (node) => {
    const y = node.y + TOP, x = toX(node.start), end = Math.max(toX(node.end), x + 2);
    const from = TOP + (node.parent === null ? nodes[pathOf(winner)[0]].y : nodes[node.parent].y);
    if (from === y) return `M${x} ${y}H${end}`;
    const bend = Math.min((end - x) * 0.6, 44);
    return `M${x} ${from}C${x + bend * 0.55} ${from} ${x + bend * 0.45} ${y} ${x + bend} ${y}H${end}`;
  };
  const drawNode = (i, stepWidth) => {
    const node = nodes[i], { role } = node, path = shape(node);
    const x = Math.max(toX(node.end), toX(node.start) + 2), y = node.y + TOP, small = role === "pruned";
    const group = make("g", { class: "node " + role + (i === winner ? " winner" : ""), role: "treeitem", tabindex: -1, "aria-label": spoken(node), "aria-level": pathOf(i).length, "data-node": i }, svg);
    const shade = scale ? node.shades[scale.name] : undefined;
    if (shade !== undefined) {
      group.classList.add(shade < 0.5 ? "lower" : "upper");
      group.style.setProperty("--share", Math.round(200 * (shade < 0.5 ? shade : shade - 0.5)) + "%");
    }
    make("path", { class: "hit", d: path, "stroke-width": small ? 5 : 13 }, group);
    make("path", { class: "line " + role, d: path }, group);
    if (node.cutOff) make("path", { class: "end cut", d: `M${x} ${y - (small ? 2.5 : 5)}V${y + (small ? 2.5 : 5)}` }, group);
    else if (node.finished) make("circle", { class: "end", cx: x, cy: y, r: small ? 2 : i === winner ? 5 : 4 }, group);
    else make("circle", { class: "dot " + role, cx: x, cy: y, r: small ? 1.4 : 3.2 }, group);
    const score = scale ? scoreOf(node, scale.name) : null;
    if (node.candidate) make("text", { class: "label" + (i === winner ? " winner" : ""), x: x + 10, y: y + 4 }, labels, (i === winner ? "★ " : "") + "#" + node.candidate.number + "  " + (narrow ? score ? show(score.value, scale.name) : "" : final(node)));
    else if (!small && score && stepWidth >= 56) make("text", { class: "value", x: x - 5, y: y - 5.5, "text-anchor": "end" }, labels, show(score.value, scale.name));
    return group;
  };

  // The node that is selected, and the one under the pointer.
  const mark = () => {
    const path = new Set(pathOf(selected));
    groups.forEach((group, i) => {
      group.classList.toggle("path", path.has(i));
      group.setAttribute("tabindex", i === selected ? 0 : -1);
      group.setAttribute("aria-selected", i === selected);
    });
  };
  const chip = (name, text) => {
    const element = document.createElement("span"), value = document.createElement("b");
    element.className = "chip";
    value.textContent = text;
    element.append(name + " ", value);
    return element;
  };
  const inspect = (i) => {
    const node = nodes[i], heading = byId("node-title"), scores = byId("node-scores"), detail = document.createElement("small");
    detail.textContent = " " + times(node);
    heading.replaceChildren(title(node)[0].toUpperCase() + title(node).slice(1), detail);
    scores.replaceChildren();
    for (const { name } of data.scales) {
      const along = pathOf(i).map((at) => nodes[at].scores.filter((score) => score.verifier === name)).flat();
      const steps = along.filter((score) => score.partial), whole = along.find((score) => !score.partial);
      const value = (score) => (score.usable ? show(score.value, name) : "none (" + score.reason + ")");
      if (steps.length) scores.append(chip(name + " so far", steps.map(value).join(" → ")));
      if (whole) scores.append(chip(name, value(whole)));
    }
    const heard = node.scores.find((score) => score.transcript);
    if (heard) scores.append(chip("heard", heard.transcript));
    byId("clock-end").textContent = seconds(node.end).toFixed(2) + " s";
    const button = byId("play"), busy = playing !== null;
    button.textContent = busy ? "■" : "▶";
    button.setAttribute("aria-label", busy ? "Stop" : node.leaf === null ? "Its recording was left out" : "Play " + title(node));
    button.disabled = !busy && node.leaf === null;
  };
  const select = (i, focus) => {
    selected = i;
    mark();
    inspect(i);
    if (focus) groups[i].focus();
  };

  // Hearing a node: its leaf, from the beginning to the end of the node.
  let context = null, turn = 0;
  const decoded = new Map();
  const base64Of = (leaf) => {
    const element = byId("recording-" + leaf);
    return element ? element.getAttribute("src").split(",")[1] : data.clips[leaf];
  };
  const recording = async (leaf) => {
    if (!decoded.has(leaf)) {
      const bytes = Uint8Array.from(atob(base64Of(leaf)), (letter) => letter.charCodeAt(0));
      if (decoded.size >= 16) decoded.delete(decoded.keys().next().value);
      decoded.set(leaf, await context.decodeAudioData(bytes.buffer));
    }
    return decoded.get(leaf);
  };
  const say = (text) => { byId("status").textContent = text; };
  const stop = () => {
    turn += 1;
    if (!playing) return;
    cancelAnimationFrame(playing.frame);
    playing.source.onended = null;
    playing.source.stop();
    playing.marks.remove();
    playing = null;
    byId("clock-bar").style.width = "0";
    byId("clock-now").textContent = "0.00";
    inspect(selected);
  };
  const play = async (i) => {
    stop();
    const node = nodes[i], mine = turn;
    if (node.leaf === null) { say("Its recording was left out to keep this page small."); return; }
    document.querySelectorAll("audio").forEach((element) => element.pause());
    context = context || new AudioContext();
    try {
      await context.resume();
      const buffer = await recording(node.leaf);
      if (mine !== turn) return;
      const source = context.createBufferSource(), gain = context.createGain();
      const length = Math.min(seconds(node.end), buffer.duration), began = context.currentTime + 0.02;
      source.buffer = buffer;
      source.connect(gain).connect(context.destination);
      gain.gain.setValueAtTime(1, Math.max(began, began + length - 0.008)); // no click where it breaks off
      gain.gain.linearRampToValueAtTime(0, began + length);
      source.start(began, 0, length);
      source.onended = () => { stop(); say("Ended."); };
      const marks = make("g", {}, svg);
      playing = { source, marks, frame: 0 };
      make("line", { class: "playhead", y1: TOP - 6, y2: data.height + TOP }, marks);
      make("circle", { class: "playdot", r: 5.5 }, marks);
      const path = pathOf(i);
      const move = () => {
        if (!playing) return;
        const now = Math.min(Math.max(context.currentTime - began, 0), length), code = now * data.codesPerSecond;
        const at = nodes[path.findLast((step) => nodes[step].start <= code) ?? path[0]], x = toX(code);
        const [line, dot] = marks.children;
        line.setAttribute("x1", x); line.setAttribute("x2", x);
        dot.setAttribute("cx", x); dot.setAttribute("cy", at.y + TOP);
        byId("clock-now").textContent = now.toFixed(2);
        byId("clock-bar").style.width = (100 * now) / length + "%";
        playing.frame = requestAnimationFrame(move);
      };
      move();
      inspect(i);
      say("Playing " + title(node));
    } catch (error) {
      say("This browser cannot play the recording: " + error.message);
      byId("node-scores").replaceChildren(chip("This browser cannot play Ogg recordings:", error.message));
    }
  };

  const nodeOf = (event) => {
    const group = event.target.closest("[data-node]");
    return group ? Number(group.dataset.node) : null;
  };
  const beside = (direction) => {
    const here = nodes[selected];
    let best = null;
    nodes.forEach((node, i) => {
      const away = (node.y - here.y) * direction;
      const together = node.start < here.end && here.start < node.end;
      if (i !== selected && away > 0 && together && (best === null || away < (nodes[best].y - here.y) * direction)) best = i;
    });
    return best;
  };
  svg.addEventListener("click", (event) => { const i = nodeOf(event); if (i !== null) { select(i, true); play(i); } });
  svg.addEventListener("pointerover", (event) => { const i = nodeOf(event); if (i !== null && !playing) inspect(i); });
  svg.addEventListener("pointerleave", () => { if (!playing) inspect(selected); });
  svg.addEventListener("focusin", (event) => { const i = nodeOf(event); if (i !== null && i !== selected) select(i); });
  svg.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: () => nodes[selected].parent, ArrowRight: () => children[selected][0] ?? null, ArrowUp: () => beside(-1), ArrowDown: () => beside(1), Home: () => pathOf(selected)[0], End: () => winner };
    if (event.key === "Enter" || event.key === " ") play(selected);
    else if (moves[event.key]) { const i = moves[event.key](); if (i !== null) select(i, true); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && playing) { stop(); say("Stopped."); } });
  byId("play").addEventListener("click", () => { if (playing) { stop(); say("Stopped."); } else play(selected); });
  document.addEventListener("play", (event) => {
    stop();
    document.querySelectorAll("audio").forEach((element) => { if (element !== event.target) element.pause(); });
  }, true);

  const redraw = () => { stop(); draw(); };
  const chooseScale = () => {
    scale = data.scales[byId("scale").selectedIndex] || null;
    byId("scale-worst").textContent = scale ? "worst " + show(scale.worst, scale.name) : "no scores";
    byId("scale-best").textContent = scale ? show(scale.best, scale.name) + " best, median " + show(scale.median, scale.name) + ", coloured by rank" : "";
    redraw();
  };
  data.scales.forEach(({ name, partial }) => byId("scale").add(new Option(name + (partial ? " (process reward)" : ""))));
  byId("scale").addEventListener("change", chooseScale);
  const zoomTo = (factor) => { zoom = factor; redraw(); };
  byId("zoom-in").addEventListener("click", () => zoomTo(Math.min(zoom * 1.5, 12)));
  byId("zoom-out").addEventListener("click", () => zoomTo(Math.max(zoom / 1.5, 0.4)));
  byId("zoom-fit").addEventListener("click", () => zoomTo(1));
  let width = 0;
  new ResizeObserver(() => { if (scroll.clientWidth !== width) { width = scroll.clientWidth; redraw(); } }).observe(scroll);
  byId("inspector").hidden = byId("tools").hidden = false;
  chooseScale();
  inspect(selected);
})();
