// The events of the server's glossary (entities/webhook.py), as the form offers them. A test on the server's side holds
// them equal.
export const EVENTS: Readonly<Record<string, readonly string[]>> = {
  registered_model: ["created", "renamed", "updated", "deleted"],
  registered_model_tag: ["set", "deleted"],
  model_version: ["created", "updated", "transitioned", "rolled_back", "deleted"],
  model_version_tag: ["set", "deleted"],
  model_version_alias: ["created", "deleted"],
  comment: ["created", "updated", "deleted"],
  transition_request: ["created", "endorsed", "approved", "rejected", "deleted", "closed"],
  model_rule: ["set", "deleted"],
  endpoint: [
    "created", "updated", "enabled", "disabled", "restarted", "deleted", "replica_ready", "replica_failed", "canary_started",
    "canary_stepped", "canary_promoted", "canary_rolled_back", "canary_stopped",
  ],
  monitor: ["alert_raised", "alert_cleared"],
};
export const ANY = "*";

/** The words of a name with underscores. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What is chosen of an entity: all of it, or these of its actions. */
export function chosenOf(names: ReadonlySet<string>, entity: string): ReadonlySet<string> {
  const actions = EVENTS[entity] ?? [];
  if (names.has(ANY) || names.has(`${entity}.${ANY}`)) return new Set(actions);
  return new Set(actions.filter((action) => names.has(`${entity}.${action}`)));
}

/** The names with an action of an entity chosen or not; names of a stage (`….transitioned:Production`) stay. */
export function withAction(names: ReadonlySet<string>, entity: string, action: string, on: boolean): ReadonlySet<string> {
  const chosen = new Set(chosenOf(names, entity));
  if (on) chosen.add(action);
  else chosen.delete(action);
  const entities = names.has(ANY) ? Object.keys(EVENTS).filter((other) => other !== entity).map((other) => `${other}.${ANY}`) : [];
  const kept = [...names, ...entities].filter((name) => name !== ANY && (!name.startsWith(`${entity}.`) || name.includes(":")));
  const all = chosen.size === (EVENTS[entity] ?? []).length;
  return new Set([...kept, ...(all ? [`${entity}.${ANY}`] : [...chosen].map((one) => `${entity}.${one}`))]);
}
