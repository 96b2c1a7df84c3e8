"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const LW = LightweightCharts;
  const charts = [];
  const number = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const compact = (value) => Math.abs(value) >= 1e6
    ? new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(value)
    : new Intl.NumberFormat("en", { maximumFractionDigits: Math.abs(value) >= 1000 ? 0 : 2 }).format(value);
  const [YEAR, MONTH] = [LW.TickMarkType.Year, LW.TickMarkType.Month];
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  // Thinned curves have odd hours at odd places: over more than a few days their axis speaks of days only.
  const ticks = (hours) => (seconds, type) => {
    const at = new Date(seconds * 1000), day = `${at.getUTCDate()} ${months[at.getUTCMonth()]}`;
    if (type === YEAR) return String(at.getUTCFullYear());
    if (type === MONTH) return months[at.getUTCMonth()];
    return type === LW.TickMarkType.DayOfMonth || !hours ? day : at.toISOString().slice(11, 16);
  };
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // Colours live in the style sheet; charts are told them again whenever the scheme changes.
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

  const points = (times, values) => times.map((time, i) => (values[i] === null ? { time } : { time, value: values[i] }));

  function press(button) {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  }

  function drawEquity() {
    const { time, equity, drawdown, benchmark } = data.curves;
    // Both price scales get one width, so that the two time axes stand beneath each other.
    const scale = {
      rightPriceScale: { minimumWidth: 84 },
      timeScale: { minBarSpacing: 0.001, tickMarkFormatter: ticks(time[time.length - 1] - time[0] < 4 * 86400) },
    };
    const upper = chart("equity-chart", { ...scale, localization: { priceFormatter: compact } }, () => paint());
    const digits = Math.min(...drawdown) > -1 ? 2 : 1; // a fall of less than a percent would be nothing but zeros
    const percent = (v) => `${v.toFixed(digits).replace("-", "−")} %`;
    const lower = chart("underwater-chart", { ...scale, localization: { priceFormatter: percent } }, () => paint());
    const held = benchmark && upper.addSeries(LW.LineSeries, { lineWidth: 1, priceLineVisible: false, lastValueVisible: true });
    const own = upper.addSeries(LW.LineSeries, { lineWidth: 2, priceLineVisible: false });
    const below = lower.addSeries(LW.BaselineSeries, { lineWidth: 1, priceLineVisible: false, baseValue: { type: "price", price: 0 } });
    function paint() {
      if (held) held.applyOptions({ color: colour("--held") });
      own.applyOptions({ color: colour("--gain") });
      const line = colour("--loss"), fill = faint("--loss-rgb", 0.25);
      below.applyOptions({ topLineColor: line, bottomLineColor: line, bottomFillColor1: fill, bottomFillColor2: fill });
    }
    paint();
    if (held) held.setData(points(time, benchmark));
    own.setData(points(time, equity));
    below.setData(points(time, drawdown));
    // A little room on both sides, or the first and last labels would be cut.
    const room = time.length * 24 / (document.getElementById("equity-chart").clientWidth || 1000);
    for (const drawn of [upper, lower]) drawn.timeScale().setVisibleLogicalRange({ from: -room, to: time.length + room });

    let following = false;
    const follow = (from, to) => from.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (following || !range) return;
      following = true;
      to.timeScale().setVisibleLogicalRange(range);
      following = false;
    });
    follow(upper, lower);
    follow(lower, upper);

    const readout = document.getElementById("equity-readout");
    const read = (parameters) => {
      const i = parameters.logical;
      if (i === undefined || time[i] === undefined) { readout.textContent = ""; return; }
      const parts = [moment(time[i]), `equity ${number.format(equity[i])}`];
      if (benchmark && benchmark[i] !== null) parts.push(`held ${number.format(benchmark[i])}`);
      parts.push(`drawdown ${number.format(-drawdown[i])} %`);
      readout.textContent = parts.join(" · ");
    };
    upper.subscribeCrosshairMove(read);
    lower.subscribeCrosshairMove(read);
    for (const button of document.querySelectorAll("[data-scale]")) {
      button.addEventListener("click", () => {
        upper.priceScale("right").applyOptions({ mode: Number(button.dataset.scale) });
        press(button);
      });
    }
  }

  function drawGains() {
    const { time, strategies } = data.gains, names = Object.keys(strategies);
    const made = chart("gains-chart", {
      rightPriceScale: { minimumWidth: 84 }, localization: { priceFormatter: compact },
      timeScale: { minBarSpacing: 0.001, tickMarkFormatter: ticks(time[time.length - 1] - time[0] < 4 * 86400) },
    }, () => {});
    names.forEach((name, i) => {
      // Hues a golden angle apart: neighbours differ, however many there are.
      const color = `hsl(${Math.round(210 + i * 137.5) % 360} 60% 50%)`;
      made.addSeries(LW.LineSeries, { title: name, color, lineWidth: 2, priceLineVisible: false }).setData(points(time, strategies[name]));
    });
    made.timeScale().fitContent();
    const readout = document.getElementById("gains-readout");
    made.subscribeCrosshairMove(({ logical: i }) => {
      readout.textContent = i === undefined || time[i] === undefined ? ""
        : [moment(time[i]), ...names.map((name) => `${name} ${number.format(strategies[name][i])}`)].join(" · ");
    });
  }

  function drawCandles() {
    const made = chart("candle-chart", { rightPriceScale: { minimumWidth: 84 }, timeScale: { minBarSpacing: 0.05, tickMarkFormatter: ticks(true) } }, () => paint());
    const series = made.addSeries(LW.CandlestickSeries, { priceLineVisible: false, borderVisible: false });
    const markers = LW.createSeriesMarkers(series, []);
    const choice = document.getElementById("symbol");
    let symbol = Object.keys(data.candles)[0];
    let candles = data.candles[symbol];

    function paint() {
      const up = colour("--gain"), down = colour("--loss"), quiet = faint("--gain-rgb", 0.55), dull = faint("--loss-rgb", 0.55);
      series.applyOptions({ upColor: quiet, wickUpColor: quiet, downColor: dull, wickDownColor: dull });
      const marks = [];
      for (const [entry, exit, side, won] of data.markers[symbol]) {
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
      const traded = data.markers[symbol].map(([entry, exit]) => (exit === null ? candles.time.length : exit) + count / 5);
      const last = count && traded.length ? Math.min(candles.time.length, Math.max(...traded)) : candles.time.length;
      made.timeScale().setVisibleLogicalRange({ from: count ? Math.max(-1, last - count) : -1, to: last + 2 });
    }
    show(symbol);
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
      const at = (seconds) => { let i = candles.time.findIndex((time) => time > seconds); return i < 0 ? candles.time.length : i; };
      const from = at(opened), to = closed ? at(closed) : candles.time.length, room = Math.max(20, (to - from) * 0.5);
      made.timeScale().setVisibleLogicalRange({ from: from - room, to: to + room });
      document.getElementById("candles").scrollIntoView({ behavior: "smooth" });
    };
  }

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

  drawEquity();
  if (data.gains) drawGains();
  const zoom = document.getElementById("candle-chart") ? drawCandles() : () => {};
  const table = document.getElementById("trade-table");
  if (table) {
    sortable(table);
    table.tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) zoom(...JSON.parse(row.dataset.trade));
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((repaint) => repaint()));
})();
