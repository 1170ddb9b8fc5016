// Charts of the numbers in tables, for whoever would rather look than read. A page places an empty
// `<div class="chart" data-chart="bar|line|stacked" data-table="ID" aria-hidden="true" hidden>` beside a table. The first
// column of the table names the rows; `data-series="good|late|plan"` on a heading marks a column to be drawn and says what
// it means. The table stays: it is what is read aloud, printed, and shown without this script.
"use strict";

const rootStyle = getComputedStyle(document.documentElement);
const colour = (name) => rootStyle.getPropertyValue(`--${name}`).trim();

// Each meaning has a colour and, for eyes that do not tell red from green, a pattern or a shape.
const meanings = {
  good: { color: colour("green"), symbol: "circle" },
  late: {
    color: colour("red"),
    symbol: "triangle",
    decal: { symbol: "rect", color: "rgba(255,255,255,.55)", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: -Math.PI / 4 },
  },
  plan: { color: colour("muted"), symbol: "none", dashed: true },
};

// The names of the rows and the marked columns. A cell without a number is a gap.
function readTable(table) {
  const rows = [...table.tBodies[0].rows];
  const cells = (place) =>
    rows.map((row) => {
      const text = /^-?[\d,]+(\.\d+)?%?/.exec(row.cells[place].textContent.trim())?.[0] ?? "";
      return { text, value: text ? parseFloat(text.replace(/,/g, "")) : null };
    });
  const columns = [...table.tHead.rows[0].cells].flatMap((head, place) =>
    head.dataset.series
      ? [{ name: head.textContent.trim(), meaning: head.dataset.series, cells: cells(place) }]
      : [],
  );
  return { names: rows.map((row) => row.cells[0].textContent.trim()), columns };
}

// The legend is text, so that it wraps and grows with the letters of the page.
function legendOf(columns) {
  const list = document.createElement("ul");
  list.className = "chart-legend";
  for (const column of columns) {
    const item = document.createElement("li");
    item.dataset.series = column.meaning;
    item.textContent = column.name;
    list.append(item);
  }
  return list;
}

function optionOf(kind, { names, columns }, width, size) {
  const isLine = kind === "line";
  const isStacked = kind === "stacked";
  const values = columns.flatMap((column) => column.cells.map((cell) => cell.value ?? 0));
  const most = Math.max(...values, 1);
  const isShare = columns.every((column) => column.cells.every((cell) => !cell.text || cell.text.endsWith("%")));
  const nameAxis = {
    type: "category",
    data: names,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colour("edge") } },
    axisLabel: {
      color: colour("ink"),
      fontSize: size,
      interval: isLine && width / names.length < size * 4 ? "auto" : 0,
      // "2026年5月" takes two lines, so that six months fit on a phone.
      formatter: isLine ? (name) => name.replace(/年|\s/, (found) => `${found}\n`) : undefined,
      width: isLine ? undefined : Math.min(size * 12, width * 0.3),
      overflow: "break",
    },
  };
  const valueAxis = {
    type: "value",
    min: 0,
    max: isShare ? 100 : undefined,
    interval: isShare ? (width < 480 ? 50 : 20) : undefined,
    minInterval: values.some((value) => value % 1) ? undefined : 1,
    splitNumber: width < 480 ? 3 : 5,
    splitLine: { lineStyle: { color: colour("line") } },
    axisLabel: { color: colour("muted"), fontSize: size, formatter: isShare ? "{value}%" : undefined },
  };
  // Of two points that are close, the lower one has its number below, or none where the axis leaves no room.
  const numberAt = (column, at) => {
    const { value } = column.cells[at];
    const isPressed = columns.some((other) => {
      const above = other.cells[at].value - value;
      return other !== column && above >= 0 && above < most / 5 && (above > 0 || columns.indexOf(other) < columns.indexOf(column));
    });
    return isPressed ? { position: "bottom", show: value > most / 6 } : { position: "top" };
  };
  const series = columns.map((column) => {
    const { color, symbol, decal, dashed } = meanings[column.meaning] ?? meanings.good;
    return {
      type: isLine ? "line" : "bar",
      name: column.name,
      stack: isStacked ? "all" : undefined,
      silent: true,
      symbol,
      symbolSize: size * 0.7,
      // A plan holds until it is changed.
      step: dashed ? "end" : false,
      lineStyle: { color, width: dashed ? 2 : 3, type: dashed ? "dashed" : "solid" },
      itemStyle: { color, decal: isLine ? undefined : decal },
      barMaxWidth: size * 1.2,
      barGap: "10%",
      barCategoryGap: "28%",
      label: {
        show: !dashed,
        position: isLine ? "top" : isStacked ? "inside" : "right",
        color: isStacked ? colour("white") : colour("ink"),
        fontSize: size,
        backgroundColor: isStacked ? color : undefined,
        padding: isStacked ? [1, 4] : 0,
        formatter: ({ dataIndex }) => column.cells[dataIndex].text,
      },
      data: column.cells.map((cell, at) => {
        if (isLine) return { value: cell.value, label: dashed ? {} : numberAt(column, at) };
        return { value: cell.value, label: { show: !isStacked || cell.value > most / 10 } };
      }),
    };
  });
  return {
    animation: false,
    backgroundColor: colour("white"),
    textStyle: { fontFamily: colour("sans") },
    grid: {
      left: size / 2,
      right: isLine ? size : size * 4,
      top: isLine ? size * 2 : size / 2,
      bottom: size / 2,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    },
    xAxis: isLine ? nameAxis : valueAxis,
    yAxis: isLine ? valueAxis : { ...nameAxis, inverse: true },
    series,
  };
}

// Steps of charts that wait to be drawn. The browser paints between two steps, so that the page answers while a library
// that has just arrived runs for the first time.
const waiting = [];
function drawLater(step) {
  waiting.push(step);
  if (waiting.length === 1) afterPaint(drawNext);
}
function drawNext() {
  waiting[0]();
  waiting.shift();
  if (waiting.length) afterPaint(drawNext);
}
function afterPaint(next) {
  requestAnimationFrame(() => setTimeout(next));
}

function drawChart(box, table) {
  const kind = box.dataset.chart;
  const read = readTable(table);
  // One row has nothing to be compared with.
  if (!read.columns.length || read.names.length < 2) return;
  box.hidden = false;
  const canvas = document.createElement("div");
  box.append(legendOf(read.columns), canvas);
  let chart;
  let drawn = 0;
  // Also draws the chart first, as soon as there is room for it.
  new ResizeObserver(() => {
    const width = box.clientWidth;
    if (!width || width === drawn) return;
    drawn = width;
    const size = parseFloat(getComputedStyle(box).fontSize);
    const bars = kind === "bar" ? read.columns.length : 1;
    const height = kind === "line" ? size * 17 : read.names.length * (bars * 1.3 + 0.8) * size + size * 3;
    canvas.style.height = `${Math.round(height)}px`;
    drawLater(() => {
      chart?.dispose();
      chart = echarts.init(canvas, null, { renderer: "canvas" });
    });
    const { series, xAxis, yAxis, ...rest } = optionOf(kind, read, width, size);
    const drawMore = (option) => drawLater(() => chart.setOption(option, { lazyUpdate: true }));
    drawMore({ ...rest, xAxis: { ...xAxis, show: false }, yAxis: { ...yAxis, show: false } });
    drawMore({ xAxis: { show: true }, yAxis: { show: true } });
    drawMore({ series });
  }).observe(box);
}

for (const box of document.querySelectorAll(".chart[data-table]")) {
  const table = document.getElementById(box.dataset.table);
  if (table && window.echarts && window.ResizeObserver) drawChart(box, table);
}
