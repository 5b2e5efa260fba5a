// The models of a run: logged by it, or among its artifacts.
import { useOperation } from "@/api/queries";
import { SearchLoggedModels, type LoggedModelInfo, type Run } from "@/api/schema";
import { modelFolders } from "@/pages/run/state";
import { quotedValue } from "@/parts/filter";

export interface RunModel {
  /** What identifies it among the models of its run. */
  key: string;
  name: string;
  /** How it is loaded. */
  uri: string;
  /** Of a logged model. */
  id: string | null;
  /** Of one among the run's artifacts. */
  folder: string | null;
  /** What a version of it is made from. */
  source: string;
  info?: LoggedModelInfo;
}

const MOST = 100;

/** The models that a run has; undefined while they are not known. */
export function useRunModels(run: Run): readonly RunModel[] | undefined {
  const { run_id: id, experiment_id: experiment } = run.info;
  const outputs = run.outputs?.model_outputs ?? [];
  const logged = useOperation(SearchLoggedModels, outputs.length === 0 ? null : { experiment_ids: [experiment], filter: `source_run_id = ${quotedValue(id)}`, max_results: MOST });
  if (outputs.length > 0 && !logged.data && !logged.error) return undefined;
  return [
    ...(logged.data?.models ?? []).map(({ info }) => loggedModel(info)),
    ...modelFolders(run).map((folder) => folderModel(run, folder)),
  ];
}

export function loggedModel(info: LoggedModelInfo): RunModel {
  const uri = `models:/${info.model_id}`;
  return { key: info.model_id, name: info.name, uri, id: info.model_id, folder: null, source: uri, info };
}

/** A model in a folder of a run's artifacts. */
export function folderModel(run: Run, folder: string): RunModel {
  return {
    key: folder, name: folder, uri: `runs:/${run.info.run_id}/${folder}`, id: null, folder,
    source: `${run.info.artifact_uri ?? ""}/${folder}`,
  };
}
