import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { useState } from "react";
import { Icon, type IconName } from "@/parts/Icon";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: IconName;
  /** "main" for the one action of a dialog, "bad" for what destroys. */
  tone?: "main" | "bad";
  /** Shown pressed, and said so. */
  pressed?: boolean;
  /** A keyboard hint in the tooltip. */
  keys?: string;
  tip?: string;
  ref?: Ref<HTMLButtonElement>;
  children: ReactNode;
}

export function Button({ icon, tone, pressed, keys, tip, children, className, ...rest }: Props) {
  return (
    <button
      type="button" className={`button${tone ? ` ${tone}` : ""}${className ? ` ${className}` : ""}`}
      aria-pressed={pressed} data-tip={tip} data-keys={keys} {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconProps extends Omit<Props, "children" | "icon"> {
  icon: IconName;
  /** What it does: its name for who does not see it, its tooltip for who does. */
  label: string;
}

/** A button that is an icon, with its name as tooltip. */
export function IconButton({ icon, label, tone, pressed, keys, className, tip, ...rest }: IconProps) {
  return (
    <button
      type="button" className={`button bare${tone ? ` ${tone}` : ""}${className ? ` ${className}` : ""}`}
      aria-label={label} aria-pressed={pressed} data-tip={tip ?? label} data-keys={keys} {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Copies `text`; says so for a moment. */
export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <IconButton
      icon={done ? "check" : "copy"} label={done ? "Copied" : label}
      onClick={(event) => {
        event.stopPropagation();
        void navigator.clipboard.writeText(typeof text === "string" ? text : text()).then(() => {
          setDone(true);
          setTimeout(() => setDone(false), 1200);
        });
      }}
    />
  );
}
