export interface Tag {
  key: string;
  value: string;
}

/** Whether a tag is one that people write, not one of the system's. */
export function isOwn(tag: Tag): boolean {
  return !tag.key.startsWith("mlflow.") && !tag.key.startsWith("millstream.");
}
