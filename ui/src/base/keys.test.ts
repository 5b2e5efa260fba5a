import { expect, test } from "vitest";
import { written } from "@/base/keys";

const none = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

test.each([
  [{ ...none, key: "j" }, "j"], [{ ...none, key: "X", shiftKey: true }, "Shift+x"], [{ ...none, key: "?", shiftKey: true }, "?"],
  [{ ...none, key: "k", ctrlKey: true }, "Mod+k"], [{ ...none, key: "k", metaKey: true }, "Mod+k"],
  [{ ...none, key: " " }, "Space"], [{ ...none, key: "ArrowDown", shiftKey: true }, "Shift+ArrowDown"],
])("a pressed key is written %#", (event, text) => expect(written(event)).toBe(text));
