import { expect, test } from "vitest";
import { columnText, conditionOf, fieldOf, isSortable, orderOf, parseColumn, titleOf } from "@/pages/runs/state";

test.each(["metrics.val loss", "min(metrics.a.b)", "best_step(metrics.loss, max)", "mean(metrics.x, 10)", "params.f(x, y)", "attributes.status"])(
  "%s is read and written", (column) => expect(columnText(parseColumn(column))).toBe(column),
);

test("columns in filters and orders have their keys quoted", () => {
  expect(fieldOf("metrics.val loss")).toBe("metrics.`val loss`");
  expect(fieldOf("max(metrics.val-loss)")).toBe("max(metrics.`val-loss`)");
  expect(orderOf("-metrics.loss")).toEqual(["metrics.loss DESC"]);
  expect(orderOf("attributes.run_name")).toEqual(["run_name ASC"]);
});

test("means of last points are no order, in groups means are", () => {
  expect(isSortable("mean(metrics.loss, 10)")).toBe(false);
  expect(orderOf("-mean(metrics.loss, 10)")).toEqual([]);
  const by = ["params.opt"];
  expect([isSortable("mean(metrics.loss)", by), isSortable("min(metrics.loss)", by), isSortable("params.opt", by)]).toEqual([true, false, true]);
  expect(orderOf("mean(metrics.val-loss)", by)).toEqual(["metrics.`val-loss` ASC"]);
  expect(orderOf("-attributes.start_time", by)).toEqual([]);
});

test("headers are words", () => {
  expect([titleOf("attributes.start_time"), titleOf("min(metrics.loss)"), titleOf("best_step(metrics.loss, min)")])
    .toEqual(["Started", "min loss", "best step min loss"]);
});

test("a cell makes a condition", () => {
  expect(conditionOf("params.lr", "0.1")).toBe("params.lr = '0.1'");
  expect(conditionOf("metrics.loss", 0.25, true)).toBe("metrics.loss != 0.25");
  expect(conditionOf("attributes.status", "FAILED")).toBe("status = 'FAILED'");
  expect(conditionOf("tags.team", null)).toBe("tags.team IS NULL");
});
