import { expect, test } from "vitest";
import type { Run } from "@/api/schema";
import { isProject, repositoryLink, runCommand, shellWord } from "@/pages/run/project";

function run(tags: Record<string, string>, params: Record<string, string> = {}): Run {
  return {
    info: { run_id: "r", experiment_id: "7" },
    data: { tags: Object.entries(tags).map(([key, value]) => ({ key, value })), params: Object.entries(params).map(([key, value]) => ({ key, value })) },
  };
}

const PROJECT = { "mlflow.source.type": "PROJECT", "mlflow.source.name": "https://example.com/team/loan.git#train", "mlflow.project.entryPoint": "train", "mlflow.source.git.commit": "abc123", "mlflow.project.backend": "local" };

test("a project of a repository is run again at its commit, with its parameters", () => {
  expect(runCommand(run(PROJECT, { lr: "0.1", name: "it's one" }))).toBe(
    "millstream run 'https://example.com/team/loan.git#train' -e train -v abc123 -P lr=0.1 -P 'name=it'\\''s one' --experiment-id 7",
  );
});

test("a folder has no version, main need not be said, a backend does", () => {
  const tags = { ...PROJECT, "mlflow.source.name": "/work/loan", "mlflow.project.entryPoint": "main", "mlflow.project.backend": "kubernetes", "mlflow.project.env": "local" };
  expect(runCommand(run(tags))).toBe("millstream run /work/loan -b kubernetes --env-manager local --experiment-id 7");
});

test("runs of scripts are no projects", () => {
  expect(runCommand(run({ "mlflow.source.type": "LOCAL", "mlflow.source.name": "train.py" }))).toBeNull();
  expect(isProject(run({ "mlflow.project.entryPoint": "main" }))).toBe(true);
});

test.each([["a b", "'a b'"], ["$HOME", "'$HOME'"], ["x=1", "x=1"], ["", "''"]])("%s as a word of a shell", (text, word) => expect(shellWord(text)).toBe(word));

test.each([
  ["https://example.com/a/b.git", "https://example.com/a/b"], ["git@example.com:a/b.git", "https://example.com/a/b"],
  ["ssh://git@example.com:22/a/b.git", "https://example.com/a/b"], ["https://me:secret@example.com/a", "https://example.com/a"], ["/srv/git/b.git", null], ["javascript:alert(1)", null],
])("%s opens as %s", (url, link) => expect(repositoryLink(url)).toBe(link));
