import { Suspense, useMemo, useState } from "react";
import { Artifacts, type Choice } from "@/artifacts/Artifacts";
import { placeOfModel, placeOfRun } from "@/artifacts/place";
import type { Run } from "@/api/schema";
import { folderModel, useRunModels, type RunModel } from "@/pages/run/models";
import { Button } from "@/parts/Button";
import { Empty, Loading } from "@/parts/States";
import { lazily } from "@/parts/lazily";

const RegisterDialog = lazily(() => import("@/pages/run/RegisterDialog"));

interface Props extends Choice {
  run: Run;
  /** The run it is compared with: its pictures stand beside those of this one. */
  other: Run | undefined;
  onChange: (change: Partial<Choice>, push: boolean) => void;
}

/** The artifacts of a run, and those of the models that it logged. */
export default function Files({ run, other, path, look, onChange }: Props) {
  const models = useRunModels(run);
  const [registered, setRegistered] = useState<RunModel | null>(null);
  const id = run.info.run_id;
  const logged = JSON.stringify((models ?? []).flatMap((model) => (model.id ? [[model.id, model.name]] : [])));
  const places = useMemo(() => [placeOfRun(id), ...(JSON.parse(logged) as [string, string][]).map(([model, name]) => placeOfModel(model, name))], [id, logged]);
  const otherName = other?.info.run_name ?? "";
  const otherId = other?.info.run_id;
  const beside = useMemo(() => (otherId ? { place: placeOfRun(otherId), name: otherName } : undefined), [otherId, otherName]);
  if (!models) return <Loading />;
  const modelAt = (mount: string, folder: string) => (mount ? models.find((model) => model.uri === mount) : undefined) ?? folderModel(run, folder);
  return (
    <>
      <Artifacts
        places={places} beside={beside} path={path} look={look} onChange={onChange}
        model={{
          uri: (place, folder) => modelAt(place.mount, folder).uri,
          actions: (place, folder) => <Button icon="model" onClick={() => setRegistered(modelAt(place.mount, folder))}>Register</Button>,
        }}
        empty={<Empty title="This run has no artifacts." code={'mlflow.log_artifact("report.html")'} />}
      />
      {registered && <Suspense fallback={null}><RegisterDialog run={run} model={registered} onClose={() => setRegistered(null)} /></Suspense>}
    </>
  );
}
