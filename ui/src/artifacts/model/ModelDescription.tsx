import { useQuery } from "@tanstack/react-query";
import { bytes } from "@/base/format";
import { compact, parseJson } from "@/artifacts/json";
import { readSignature } from "@/artifacts/model/signature";
import { SignatureTable } from "@/artifacts/model/SignatureTable";
import { ARTIFACTS_KEY, readText, type Place } from "@/artifacts/place";
import { Code, Loaded } from "@/parts/States";
import { Chip, Facts } from "@/parts/Values";
import "@/artifacts/artifacts.css";

interface Props {
  place: Place;
  /** The folder that holds `MLmodel`; "" for the one that holds all. */
  folder: string;
  /** How it is loaded. */
  uri: string;
}

interface Described {
  flavors?: Record<string, Record<string, unknown> | null>;
  signature?: { inputs?: string | null; outputs?: string | null; params?: string | null } | null;
  saved_input_example_info?: { artifact_path?: string; serving_input_path?: string } | null;
  model_size_bytes?: number;
  utc_time_created?: string;
  mlflow_version?: string;
  metadata?: Record<string, unknown> | null;
  model_id?: string;
}

interface Read {
  model: Described;
  requirements: string | null;
  example: string | null;
}

const EXAMPLE_CHARACTERS = 4000;

/** A model as its file `MLmodel` describes it: how to load it, signature, flavors, requirements, example. */
export default function ModelDescription({ place, folder, uri }: Props) {
  const query = useQuery({
    queryKey: [ARTIFACTS_KEY, place.base, "model", folder],
    queryFn: async ({ signal }): Promise<Read> => {
      const at = (name: string) => (folder ? `${folder}/${name}` : name);
      const { load } = await import("js-yaml");
      const model = (load(await readText(place, at("MLmodel"), signal)) ?? {}) as Described;
      const there = (name: string | undefined) => (name ? readText(place, at(name), signal).catch(() => null) : Promise.resolve(null));
      const [requirements, example] = await Promise.all([there("requirements.txt"), there(model.saved_input_example_info?.artifact_path)]);
      return { model, requirements, example };
    },
  });
  return <Loaded query={query} what="The model">{(read) => <Description {...read} uri={uri} />}</Loaded>;
}

function Description({ model, requirements, example, uri }: Read & { uri: string }) {
  const flavors = Object.entries(model.flavors ?? {});
  const python = model.flavors?.python_function;
  const [inputs, outputs, params] = [model.signature?.inputs, model.signature?.outputs, model.signature?.params].map(readSignature);
  const native = flavors.find(([name]) => name !== "python_function")?.[0];
  return (
    <div className="model">
      <Facts rows={[
        ["Flavors", <span key="flavors" className="chips">{flavors.map(([name, flavor]) => <Chip key={name} title={versionOf(name, flavor)}>{name} <span className="soft">{versionOf(name, flavor)}</span></Chip>)}</span>],
        ["Size", model.model_size_bytes === undefined ? null : bytes(model.model_size_bytes)],
        ["Created", model.utc_time_created && `${model.utc_time_created.replace(/\.\d+$/, "")} UTC`],
        ["Python", typeof python?.python_version === "string" ? python.python_version : null],
        ["Model ID", model.model_id && <code key="id">{model.model_id}</code>],
        ["Metadata", model.metadata && <code key="metadata">{JSON.stringify(model.metadata)}</code>],
      ]} />
      <section className="stack"><h3>Load it</h3><Code text={loadingCode(uri, python ? null : native ?? null)} /></section>
      <section className="stack">
        <h3>Signature</h3>
        {inputs?.length || outputs?.length || params?.length ? (
          <div className="model-signature">
            {inputs?.length ? <div className="stack"><p className="soft">Inputs</p><SignatureTable label="Inputs" fields={inputs} /></div> : null}
            {outputs?.length ? <div className="stack"><p className="soft">Outputs</p><SignatureTable label="Outputs" fields={outputs} /></div> : null}
            {params?.length ? <div className="stack"><p className="soft">Parameters</p><SignatureTable label="Parameters" fields={params} /></div> : null}
          </div>
        ) : <p className="soft">The model was logged without one.</p>}
      </section>
      {example && <section className="stack"><h3>Input example</h3><Code text={shortened(example)} /></section>}
      {requirements && <section className="stack"><h3>Requirements</h3><Code text={requirements.trim()} /></section>}
    </div>
  );
}

/** The version of the library that a flavor was saved with. */
function versionOf(name: string, flavor: Record<string, unknown> | null): string {
  const found = Object.entries(flavor ?? {}).find(([key, value]) => key.endsWith("_version") && !key.startsWith("python") && typeof value === "string");
  return found && name !== "python_function" ? String(found[1]) : "";
}

/** The code that loads a model; `flavor` for one that only its own library can load. */
export function loadingCode(uri: string, flavor: string | null): string {
  return ["import millstream as mlflow", "", `model = mlflow.${flavor ?? "pyfunc"}.load_model("${uri}")`, ...(flavor ? [] : ["model.predict(data)"])].join("\n");
}

function shortened(text: string): string {
  let made = text;
  try {
    made = compact(parseJson(text));
  } catch {
    // It is shown as it is.
  }
  return made.length > EXAMPLE_CHARACTERS ? `${made.slice(0, EXAMPLE_CHARACTERS)}\n…` : made;
}
