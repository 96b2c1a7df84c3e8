"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const LW = globalThis.LightweightCharts;
  const charts = [];

  // --- how numbers and moments are written ---
  const minus = (text) => text.replace("-", "−");
  const plain = (digits) => {
    const format = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" });
    return (value) => minus(format.format(value));
  };
  const [whole, two] = [plain(0), plain(2)];
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  const amount = (value) => (Math.abs(value) >= 1e6 ? minus(short.format(value)) : Math.abs(value) >= 1000 ? whole(value) : two(value));
  const percent = (digits) => { const format = plain(digits); return (value) => `${format(value * 100)} %`; };
  const units = { days: " days", hours: " h", times: "×", bps: " bps" };
  // A fall of less than a percent would be nothing but zeros.
  const onAxis = (kind, largest) => {
    if (kind === "fraction") return percent(largest < 0.01 ? 2 : largest < 0.1 ? 1 : 0);
    if (kind === "money" || kind === "price" || kind === "quantity") return amount;
    return (value) => (kind === "count" ? whole(value) : two(value)) + (units[kind] || "");
  };
  const written = (kind) => (kind === "fraction" ? percent(2) : kind === "count" ? whole : (value) => two(value) + (units[kind] || ""));
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  // Thinned curves have odd hours at odd places: over more than a few days their axis speaks of days only.
  const ticks = (hours) => (seconds, type) => {
    const at = new Date(seconds * 1000), day = `${at.getUTCDate()} ${months[at.getUTCMonth()]}`;
    if (type === LW.TickMarkType.Year) return String(at.getUTCFullYear());
    if (type === LW.TickMarkType.Month) return months[at.getUTCMonth()];
    return type === LW.TickMarkType.DayOfMonth || !hours ? day : at.toISOString().slice(11, 16);
  };
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  const times = (steps) => { let at = 0; return steps.map((step) => (at += step)); };

  // --- colours live in the style sheet; charts are told them again whenever the scheme changes ---
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faint = (name, alpha) => `rgba(${colour(name).split(" ").join(",")},${alpha})`;
  const layout = () => ({
    layout: { background: { color: colour("--card") }, textColor: colour("--quiet"), attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { vertLines: { visible: false }, horzLines: { color: colour("--line") } },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, lockVisibleTimeRangeOnResize: true },
  });

  function chart(id, options, paint) {
    const element = document.getElementById(id);
    const made = LW.createChart(element, {
      autoSize: true, ...layout(),
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      crosshair: { mode: LW.CrosshairMode.Magnet },
      localization: { locale: "en" },
    });
    made.applyOptions(options);
    // The wheel scrolls the page until the reader has chosen the chart.
    const wheel = (on) => made.applyOptions({ handleScale: { mouseWheel: on } });
    element.addEventListener("pointerdown", () => wheel(true));
    element.addEventListener("mouseleave", () => wheel(false));
    charts.push(() => { made.applyOptions(layout()); paint(); });
    return made;
  }

  const points = (at, values) => at.map((time, i) => (values[i] === null ? { time } : { time, value: values[i] }));

  function press(button) {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  }

  // --- curves: those of one time axis move together ---
  function drawCurves(group) {
    const time = times(group.time);
    const made = group.charts.map((one) => drawCurve(one, time));
    const room = time.length * 24 / (document.getElementById(group.charts[0].id).clientWidth || 1000);
    // A little room on both sides, or the first and last labels would be cut.
    for (const drawn of made) drawn.timeScale().setVisibleLogicalRange({ from: -room, to: time.length + room });
    if (made.length < 2) return;
    let following = false;
    for (const from of made) {
      from.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        if (following || !range) return;
        following = true;
        for (const to of made) if (to !== from) to.timeScale().setVisibleLogicalRange(range);
        following = false;
      });
    }
  }

  function drawCurve({ id, kind, under, series }, time) {
    const size = Math.max(...series.map((one) => one.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
    const made = chart(id, {
      // All price scales get one width, so that the time axes stand beneath each other.
      rightPriceScale: { minimumWidth: 84 },
      timeScale: { minBarSpacing: 0.001, tickMarkFormatter: ticks(time[time.length - 1] - time[0] < 4 * 86400) },
      localization: { priceFormatter: onAxis(kind, size) },
    }, () => paint());
    let others = 0;
    const drawn = series.map(({ role, values }) => {
      const look = { priceLineVisible: false, lineWidth: role === "own" && !under ? 2 : 1 };
      const hue = { held: "--held", limit: "--quiet", other: `--c${role === "other" ? others++ % 8 : 0}` }[role] || "--gain";
      const curve = under
        ? made.addSeries(LW.BaselineSeries, { ...look, baseValue: { type: "price", price: 0 } })
        : made.addSeries(LW.LineSeries, { ...look, lineStyle: role === "limit" ? LW.LineStyle.Dashed : LW.LineStyle.Solid });
      curve.setData(points(time, values));
      return [curve, hue];
    });
    function paint() {
      for (const [curve, hue] of drawn) {
        const line = colour("--loss"), fill = faint("--loss-rgb", 0.25);
        curve.applyOptions(under ? { topLineColor: line, bottomLineColor: line, bottomFillColor1: fill, bottomFillColor2: fill } : { color: colour(hue) });
      }
    }
    paint();
    const readout = document.getElementById(`${id}-readout`), said = written(kind);
    made.subscribeCrosshairMove(({ logical: i }) => {
      const known = i !== undefined && time[i] !== undefined;
      readout.textContent = known
        ? [moment(time[i]), ...series.filter((one) => one.values[i] !== null).map((one) => `${one.name} ${said(one.values[i])}`)].join(" · ")
        : "";
    });
    for (const button of document.querySelectorAll(`[data-chart="${id}"] button`)) {
      button.addEventListener("click", () => {
        made.priceScale("right").applyOptions({ mode: Number(button.dataset.scale) });
        press(button);
      });
    }
    return made;
  }

  // --- candles with entries and exits ---
  function drawCandles() {
    const made = chart("candle-chart", { rightPriceScale: { minimumWidth: 84 }, timeScale: { minBarSpacing: 0.05, tickMarkFormatter: ticks(true) } }, () => paint());
    const series = made.addSeries(LW.CandlestickSeries, { priceLineVisible: false, borderVisible: false });
    const markers = LW.createSeriesMarkers(series, []);
    const choice = document.getElementById("symbol");
    for (const one of Object.values(data.candles)) one.time = times(one.time);
    let symbol, candles;

    function paint() {
      const up = colour("--gain"), down = colour("--loss"), quiet = faint("--gain-rgb", 0.55), dull = faint("--loss-rgb", 0.55);
      series.applyOptions({ upColor: quiet, wickUpColor: quiet, downColor: dull, wickDownColor: dull });
      const marks = [];
      for (const [entry, exit, side, won] of candles.marks) {
        const long = side > 0;
        marks.push({ time: candles.time[entry], position: long ? "belowBar" : "aboveBar", shape: long ? "arrowUp" : "arrowDown", color: long ? up : down });
        if (exit !== null) marks.push({ time: candles.time[exit], position: long ? "aboveBar" : "belowBar", shape: "circle", color: won ? up : down, size: 0.7 });
      }
      markers.setMarkers(marks.sort((a, b) => a.time - b.time));
    }
    function show(name) {
      symbol = name;
      candles = data.candles[name];
      series.applyOptions({ priceFormat: { type: "price", precision: candles.decimals, minMove: 10 ** -candles.decimals } });
      series.setData(candles.time.map((time, i) => ({ time, open: candles.open[i], high: candles.high[i], low: candles.low[i], close: candles.close[i] })));
      paint();
    }
    // All candles, or so many around the latest trades (the latest candles if nothing was traded).
    function span(count) {
      const traded = candles.marks.map(([, exit]) => (exit === null ? candles.time.length : exit) + count / 5);
      const last = count && traded.length ? Math.min(candles.time.length, Math.max(...traded)) : candles.time.length;
      made.timeScale().setVisibleLogicalRange({ from: count ? Math.max(-1, last - count) : -1, to: last + 2 });
    }
    show(Object.keys(data.candles)[0]);
    span(200);
    if (choice) choice.addEventListener("change", () => { show(choice.value); span(200); });
    for (const button of document.querySelectorAll("[data-span]")) {
      button.addEventListener("click", () => { span(Number(button.dataset.span)); press(button); });
    }

    const readout = document.getElementById("candle-readout");
    made.subscribeCrosshairMove((parameters) => {
      const bar = parameters.seriesData.get(series);
      readout.textContent = bar
        ? `${moment(parameters.time)} · ${["open", "high", "low", "close"].map((name) => `${name} ${bar[name].toFixed(candles.decimals)}`).join(" · ")}`
        : "";
    });

    return (name, opened, closed) => {
      if (!data.candles[name]) return;
      if (name !== symbol) { show(name); choice.value = name; }
      const at = (seconds) => { const i = candles.time.findIndex((time) => time > seconds); return i < 0 ? candles.time.length : i; };
      const from = at(opened), to = closed ? at(closed) : candles.time.length, room = Math.max(20, (to - from) * 0.5);
      made.timeScale().setVisibleLogicalRange({ from: from - room, to: to + room });
      document.getElementById("prices").scrollIntoView({ behavior: "smooth", block: "center" });
    };
  }

  // --- tables ---
  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => {
        const cell = row.cells[column];
        return cell.dataset.v === undefined ? cell.textContent : cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
      };
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort(([a], [b]) => {
        if (typeof a === "string") return up ? a.localeCompare(b, "en") : b.localeCompare(a, "en");
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return up ? a - b : b - a;
      });
      body.append(...rows.map(([, row]) => row));
    }));
  }

  // --- where the reader is ---
  function navigate() {
    const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
    const parts = [...links.keys()].map((id) => document.getElementById(id));
    let current = null;
    const mark = () => {
      const passed = parts.filter((part) => part.getBoundingClientRect().top < innerHeight / 3);
      const ended = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
      const link = links.get((ended ? parts[parts.length - 1] : passed[passed.length - 1] || parts[0]).id);
      if (link === current) return;
      if (current) current.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      current = link;
      const list = link.closest("nav"); // on a phone it scrolls sideways
      if (list.scrollWidth > list.clientWidth) list.scrollTo({ left: link.offsetLeft - list.clientWidth / 3 });
    };
    addEventListener("scroll", mark, { passive: true });
    mark();
  }

  data.curves.forEach(drawCurves);
  const zoom = Object.keys(data.candles).length ? drawCandles() : null;
  document.querySelectorAll("table.sortable").forEach(sortable);
  if (zoom) {
    document.addEventListener("click", (event) => {
      const row = event.target.closest("[data-spot]");
      if (!row) return;
      const [symbol, opened, closed] = row.dataset.spot.split("\t");
      zoom(symbol, Number(opened), Number(closed));
    });
  }
  navigate();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((repaint) => repaint()));
})();
