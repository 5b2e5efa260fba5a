import type { Run } from "@/api/schema";
import { GetRun } from "@/api/schema";
import { useOperation } from "@/api/queries";
import { Link, path } from "@/frame/router";
import { COMMAND, ENTRY_POINT, isProject, repositoryLink, RERUN_EQUAL, RERUN_OF, rerunCommand, runCommand } from "@/pages/run/project";
import { tagOf } from "@/pages/run/state";
import { CopyButton } from "@/parts/Button";
import { Facts, Mark } from "@/parts/Values";

const SHORT = 8;

/** What a run of a project came from, and the commands that run it again. */
export default function Project({ run }: { run: Run }) {
  const [entry, backend, environment, command, commit, branch, url, of] = [
    ENTRY_POINT, "mlflow.project.backend", "mlflow.project.env", COMMAND, "mlflow.source.git.commit", "mlflow.source.git.branch", "mlflow.source.git.repoURL", RERUN_OF,
  ].map((key) => tagOf(run, key));
  const source = tagOf(run, "mlflow.source.name");
  const again = runCommand(run);
  return (
    <>
      {isProject(run) && (
        <section className="stack"><h2>Project</h2>
          <Facts rows={[
            ["Source", source && <Repository url={source} />],
            ["Entry point", entry && <code>{entry}</code>],
            ["Backend", backend], ["Environment", environment],
            ["Repository", url && url !== source && <Repository url={url} />],
            ["Branch", branch && <code>{branch}</code>],
            ["Commit", commit && <span className="run-id"><code data-tip={commit}>{commit.slice(0, SHORT)}</code><CopyButton text={commit} label="Copy the commit" /></span>],
            ["Command", command && <Command text={command} label="Copy the command" />],
          ]} />
        </section>
      )}
      {of && <Again id={of} equal={tagOf(run, RERUN_EQUAL)} />}
      {again && (
        <section className="stack"><h2>Run again</h2>
          <Command text={again} label="Copy the command that runs it again" />
          <Command text={rerunCommand(run)} label="Copy the command that runs it again and compares" />
          <p className="soft">The second rebuilds code, environment and data of this run, and tells what came out different.</p>
        </section>
      )}
    </>
  );
}

function Command({ text, label }: { text: string; label: string }) {
  return <div className="run-command"><pre className="scroll" tabIndex={0} aria-label={label.replace(/^Copy the c/, "C")}><code>{text}</code></pre><CopyButton text={text} label={label} /></div>;
}

function Repository({ url }: { url: string }) {
  const link = repositoryLink(url.replace(/#.*$/, ""));
  return link ? <a href={link} target="_blank" rel="noopener noreferrer" data-tip={url}>{url}</a> : <code>{url}</code>;
}

/** The run that this one repeats. */
function Again({ id, equal }: { id: string; equal: string | undefined }) {
  const other = useOperation(GetRun, { run_id: id });
  return (
    <section className="stack"><h2>Again of</h2>
      <p className="line">
        <Link to={path`/run/${id}`} className="cut">{other.data?.run.info.run_name ?? id}</Link>
        {equal !== undefined && (equal.toLowerCase() === "true" ? <Mark tone="ok">Equal</Mark> : <Mark tone="warn">Different</Mark>)}
      </p>
    </section>
  );
}
