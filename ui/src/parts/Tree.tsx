import { useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Icon, type IconName } from "@/parts/Icon";

export interface TreeNode {
  id: string;
  name: string;
  /** Whether it may hold others; those come when it is opened. */
  folder?: boolean;
  icon?: IconName;
  /** Shown at the right: a size, a time. */
  detail?: ReactNode;
}

interface Props {
  label: string;
  roots: readonly TreeNode[];
  /** What lies in an open folder; null while it is not known. */
  childrenOf: (id: string) => readonly TreeNode[] | null;
  open: ReadonlySet<string>;
  onToggle: (id: string, open: boolean) => void;
  selected: string | null;
  onSelect: (node: TreeNode) => void;
}

interface Line {
  node: TreeNode;
  depth: number;
  parent: string | null;
}

/** A tree whose folders fill when they are opened; arrows walk it as in any file tree. */
export function Tree({ label, roots, childrenOf, open, onToggle, selected, onSelect }: Props) {
  const tree = useRef<HTMLDivElement>(null);
  const lines = flat(roots, childrenOf, open, 0, null);
  const [focused, setFocused] = useState<string | null>(null);
  const current = lines.find((line) => line.node.id === (focused ?? selected)) ?? lines[0];
  const go = (line: Line | undefined) => {
    if (!line) return;
    setFocused(line.node.id);
    tree.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(line.node.id)}"]`)?.focus();
  };
  const press = (event: KeyboardEvent) => {
    if (!current) return;
    const at = lines.indexOf(current);
    const { node } = current;
    const isOpen = open.has(node.id);
    if (event.key === "ArrowDown" || event.key === "j") go(lines[at + 1]);
    else if (event.key === "ArrowUp" || event.key === "k") go(lines[at - 1]);
    else if (event.key === "Home") go(lines[0]);
    else if (event.key === "End") go(lines[lines.length - 1]);
    else if (event.key === "ArrowRight" && node.folder && !isOpen) onToggle(node.id, true);
    else if (event.key === "ArrowRight" && node.folder) go(lines[at + 1]);
    else if (event.key === "ArrowLeft" && isOpen) onToggle(node.id, false);
    else if (event.key === "ArrowLeft") go(lines.find((line) => line.node.id === current.parent));
    else if (event.key === "Enter" || event.key === " ") choose(node);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const choose = (node: TreeNode) => {
    setFocused(node.id);
    if (node.folder) onToggle(node.id, !open.has(node.id));
    onSelect(node);
  };
  return (
    <div role="tree" aria-label={label} className="tree" ref={tree} onKeyDown={press}>
      {lines.map(({ node, depth }) => (
        <div
          key={node.id} role="treeitem" data-id={node.id} aria-level={depth + 1} aria-selected={node.id === selected}
          aria-expanded={node.folder ? open.has(node.id) : undefined} tabIndex={node === current?.node ? 0 : -1}
          className="tree-line" style={{ paddingLeft: 6 + depth * 14 }} onClick={() => choose(node)} onFocus={() => setFocused(node.id)}
        >
          <span className="tree-twist">{node.folder && <Icon name={open.has(node.id) ? "chevronDown" : "chevronRight"} />}</span>
          <Icon name={node.icon ?? (node.folder ? "folder" : "file")} />
          <span className="grow cut" data-tip={node.name.length > 30 ? node.name : undefined}>{node.name}</span>
          {node.detail !== undefined && <span className="soft figure">{node.detail}</span>}
        </div>
      ))}
    </div>
  );
}

function flat(nodes: readonly TreeNode[], childrenOf: Props["childrenOf"], open: ReadonlySet<string>, depth: number, parent: string | null): Line[] {
  return nodes.flatMap((node) => [
    { node, depth, parent },
    ...(node.folder && open.has(node.id) ? flat(childrenOf(node.id) ?? [], childrenOf, open, depth + 1, node.id) : []),
  ]);
}
