import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { address, ask, RequestError } from "@/api/client";
import { refresh } from "@/api/queries";
import { GetServiceFigures, SearchRequests, type EndpointAnswer } from "@/api/schema";
import { duration } from "@/base/format";
import { readSignature, type Field } from "@/artifacts/model/signature";
import { ARTIFACTS_KEY, placeOfVersion, readText } from "@/artifacts/place";
import { takingTraffic } from "@/pages/serving/figures";
import { bodyOf, curlOf, isForm, recordsOf, type Typed } from "@/pages/endpoint/tryit";
import { Button, CopyButton, IconButton } from "@/parts/Button";
import { Select, TextField } from "@/parts/Dialog";
import { Card, Code, ErrorCard, Loaded } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { Mark } from "@/parts/Values";

interface Taken {
  inputs: readonly Field[];
  params: readonly Field[];
  example: string | null;
}

const FORMS = [["form", "Form"], ["json", "JSON"]] as const;
const NO_EXAMPLE = '{\n  "inputs": []\n}';

interface Props {
  answer: EndpointAnswer;
  /** The version that is asked; "" for the traffic rule. */
  version: string;
  onVersion: (version: string) => void;
}

/** A form made of the signature and the example of a version; shows the answer and the time it took. */
export function TryIt({ answer, version, onVersion }: Props) {
  const { endpoint, versions = [] } = answer;
  const described = version || takingTraffic(answer)[0]?.version || versions.at(-1)?.version;
  const taken = useTaken(endpoint.model, described);
  const options = [["", "By the traffic rule"] as const, ...versions.toReversed().map((one) => [one.version, `version ${one.version}`] as const)];
  const calls = version ? `/model/${encodeURIComponent(endpoint.model)}/${version}/invocations` : `/endpoints/${encodeURIComponent(endpoint.name)}/invocations`;
  return (
    <Card title="Try it" actions={<Select quiet label="Version that answers" value={version} onChange={onVersion} options={options} />}>
      {described === undefined ? <p className="soft">There is no version that could answer.</p> : (
        <Loaded query={taken} what="What the model takes">{(data) => <Form key={described} taken={data} calls={calls} />}</Loaded>
      )}
    </Card>
  );
}

/** The signature and the example of a version; empty where its files say nothing. */
function useTaken(model: string, version: string | undefined) {
  return useQuery({
    queryKey: [ARTIFACTS_KEY, "taken", model, version], enabled: version !== undefined, staleTime: Infinity,
    queryFn: async ({ signal }): Promise<Taken> => {
      const place = placeOfVersion(model, version ?? "");
      const { load } = await import("js-yaml");
      const described = (load(await readText(place, "MLmodel", signal)) ?? {}) as {
        signature?: { inputs?: string | null; params?: string | null } | null; saved_input_example_info?: { serving_input_path?: string } | null;
      };
      const at = described.saved_input_example_info?.serving_input_path;
      const example = at ? await readText(place, at, signal).catch(() => null) : null;
      return { inputs: readSignature(described.signature?.inputs), params: readSignature(described.signature?.params), example };
    },
  });
}

interface Given {
  text: string;
  milliseconds: number;
  version: string | null;
}

function Form({ taken, calls }: { taken: Taken; calls: string }) {
  const formed = isForm(taken.inputs);
  const [shape, setShape] = useState<"form" | "json">(formed ? "form" : "json");
  const [records, setRecords] = useState(() => recordsOf(taken.example, taken.inputs));
  const [params, setParams] = useState<Typed>({});
  const [json, setJson] = useState(taken.example ?? NO_EXAMPLE);
  const [busy, setBusy] = useState(false);
  const [given, setGiven] = useState<Given | null>(null);
  const [error, setError] = useState<unknown>(null);
  const body = (): unknown => (shape === "form" ? bodyOf(records, taken.inputs, params, taken.params) : JSON.parse(json));
  const show = (next: "form" | "json") => {
    try {
      if (next === "json") setJson(JSON.stringify(body(), null, 2));
    } catch {
      // What was typed is not complete: the JSON stays what it was.
    }
    setShape(next);
  };
  const send = async () => {
    setBusy(true);
    setError(null);
    try {
      const sent = body();
      const began = performance.now();
      const response = await ask("POST", calls, sent);
      const text = await response.text();
      setGiven({ text: indented(text), milliseconds: performance.now() - began, version: response.headers.get("x-millstream-model-version") });
    } catch (problem) {
      setGiven(null);
      setError(problem);
    } finally {
      setBusy(false);
      void refresh(SearchRequests, GetServiceFigures);
    }
  };
  const curl = () => {
    const text = shape === "json" ? json : JSON.stringify(safely(body));
    return curlOf(new URL(address(calls), location.href).href, text);
  };
  return (
    <form
      className="stack" aria-label="Try it"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {formed && <div className="line"><Switch label="Input" options={FORMS} value={shape} onChange={show} /></div>}
      {shape === "form" ? <>
        <Records fields={taken.inputs} records={records} onChange={setRecords} />
        {taken.params.map((one) => (
          <TextField
            key={one.name} label={`Parameter ${one.name}, ${one.type}`} placeholder={one.fallback} value={params[one.name] ?? ""}
            onChange={(value) => setParams({ ...params, [one.name]: value })}
          />
        ))}
      </> : <TextField label="Body" value={json} onChange={setJson} lines={8} mono />}
      <div className="line">
        <Button type="submit" tone="main" icon="play" disabled={busy}>Send</Button>
        {shape === "form" && <Button icon="add" onClick={() => setRecords([...records, records.at(-1) ?? {}])}>Add a record</Button>}
        <span className="grow" />
        <span className="soft">curl</span><CopyButton text={curl} label="Copy as a curl command" />
      </div>
      <div role="status">
        {given && <div className="stack">
          <div className="line">
            <Mark tone="ok">Answered</Mark><span className="figure soft">{duration(given.milliseconds)}</span>
            {given.version && <span className="soft">by version {given.version}</span>}
          </div>
          <Code text={given.text} />
        </div>}
      </div>
      {error !== null && (error instanceof RequestError ? <ErrorCard what="The model did not answer" error={error} /> : <p role="alert" className="problem">{error instanceof Error ? error.message : String(error)}</p>)}
    </form>
  );
}

function Records({ fields, records, onChange }: { fields: readonly Field[]; records: readonly Typed[]; onChange: (records: readonly Typed[]) => void }) {
  const put = (at: number, name: string, value: string) => onChange(records.map((row, index) => (index === at ? { ...row, [name]: value } : row)));
  return (
    <div className="endpoint-records scroll" tabIndex={0} role="region" aria-label="Records">
      <table className="facts-table">
        <thead>
          <tr>
            {fields.map((field) => <th key={field.name} scope="col">{field.name} <span className="soft">{field.type}{field.required ? "" : "?"}</span></th>)}
            <th scope="col"><span className="unseen">Remove</span></th>
          </tr>
        </thead>
        <tbody>
          {records.map((row, at) => (
            <tr key={at}>
              {fields.map(({ name, type }) => (
                <td key={name}>
                  {type === "boolean" ? (
                    <Select quiet label={`${name} of record ${at + 1}`} value={row[name] ?? ""} options={[["", ""], ["true", "true"], ["false", "false"]]} onChange={(value) => put(at, name, value)} />
                  ) : <input className="input" aria-label={`${name} of record ${at + 1}`} value={row[name] ?? ""} onChange={(event) => put(at, name, event.target.value)} />}
                </td>
              ))}
              <td>{records.length > 1 && <IconButton icon="close" label={`Remove record ${at + 1}`} onClick={() => onChange(records.filter((_, index) => index !== at))} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What can be copied before everything is typed: nothing yet. */
function safely(body: () => unknown): unknown {
  try {
    return body();
  } catch {
    return {};
  }
}
