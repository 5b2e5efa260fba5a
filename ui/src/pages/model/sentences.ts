// What has happened to a model, in sentences.
import type { ModelRule, RegistryActivity } from "@/api/schema";
import { number, type Figure } from "@/base/format";

const LONGEST = 60;

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** What an activity did, as in "moved version 2 from None to Production"; who did it stands before it. */
export function sentence(activity: RegistryActivity): string {
  const { kind, key, before, after, model } = activity;
  const of = activity.version ? `version ${activity.version}` : model;
  const others = activity.others?.length ? `, and ${activity.others.map((one) => `version ${one}`).join(", ")} ${kind.endsWith("rolled_back") ? "back too" : "to Archived"}` : "";
  const told: Record<string, () => string> = {
    "registered_model.created": () => `created ${model}`,
    "registered_model.renamed": () => `renamed ${before ?? ""} to ${after ?? ""}`,
    "registered_model.updated": () => (after ? `described ${model}` : `removed the description of ${model}`),
    "registered_model.deleted": () => `deleted ${model}`,
    "registered_model_tag.set": () => `set the tag ${key ?? ""} to ${shortened(after ?? "")}`,
    "registered_model_tag.deleted": () => `removed the tag ${key ?? ""}`,
    "model_version.created": () => `registered ${of}${after ? ` from ${after}` : ""}`,
    "model_version.updated": () => (after ? `described ${of}` : `removed the description of ${of}`),
    "model_version.transitioned": () => `moved ${of} from ${before ?? "None"} to ${after ?? "None"}${others}`,
    "model_version.rolled_back": () => `rolled ${of} back from ${before ?? ""} to ${after ?? ""}${others}`,
    "model_version.deleted": () => `deleted ${of}`,
    "model_version_tag.set": () => `set the tag ${key ?? ""} of ${of} to ${shortened(after ?? "")}`,
    "model_version_tag.deleted": () => `removed the tag ${key ?? ""} of ${of}`,
    "model_version_alias.created": () => `let ${key ?? ""} stand for version ${after ?? ""}${before ? `, no longer for version ${before}` : ""}`,
    "model_version_alias.deleted": () => `removed the alias ${key ?? ""}${before ? ` of version ${before}` : ""}`,
    "comment.created": () => `commented on ${of}`,
    "comment.updated": () => `changed a comment on ${of}`,
    "comment.deleted": () => `removed a comment on ${of}`,
    "transition_request.created": () => `asked to move ${of} to ${after ?? ""}`,
    "transition_request.endorsed": () => `approved to move ${of} to ${after ?? ""}; more approvals are needed`,
    "transition_request.approved": () => `approved to move ${of} to ${after ?? ""}`,
    "transition_request.rejected": () => `rejected to move ${of} to ${after ?? ""}`,
    "transition_request.deleted": () => `withdrew the request to move ${of} to ${after ?? ""}`,
    "transition_request.closed": () => `closed the request to move ${of} to ${after ?? ""}`,
    "model_rule.set": () => `set the rule ${key ?? ""}`,
    "model_rule.deleted": () => `removed the rule ${key ?? ""}`,
  };
  return (told[kind] ?? (() => `${kind.replaceAll(/[._]/g, " ")}${activity.version ? `: version ${activity.version}` : ""}`))();
}

/** What a rule asks for, as a sentence. */
export function ruleText(rule: ModelRule): string {
  const of = rule.dataset ? ` on ${rule.dataset}` : "";
  const told = (value: Figure | null | undefined) => number(value ?? 0);
  switch (rule.kind) {
    case "metric": {
      const better = rule.greater_is_better === false ? "lower" : "higher";
      if (rule.threshold !== undefined && rule.threshold !== null) return `${rule.metric ?? ""}${of} is ${told(rule.threshold)} or ${better}`;
      if (rule.min_absolute_change !== undefined && rule.min_absolute_change !== null) return `${rule.metric ?? ""}${of} is ${better} than of who holds it by ${told(rule.min_absolute_change)}`;
      if (rule.min_relative_change !== undefined && rule.min_relative_change !== null) return `${rule.metric ?? ""}${of} is ${better} than of who holds it by ${told(Number(rule.min_relative_change) * 100)} %`;
      return `${rule.metric ?? ""}${of} is not worse than of who holds it`;
    }
    case "signature": return "It takes every input that who holds it takes";
    case "evaluation": return rule.dataset ? `It was evaluated on ${rule.dataset}` : "It was evaluated on a dataset";
    case "approvals": return rule.approvals === undefined || rule.approvals === 1 ? "Somebody else approved it" : `${rule.approvals} others approved it`;
    case "description": return "It has a description";
    case "tag": return `It has the tag ${rule.tag ?? ""}${rule.tag_value ? ` = ${rule.tag_value}` : ""}`;
    default: return rule.kind;
  }
}
