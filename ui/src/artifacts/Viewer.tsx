import { Suspense, useState, type ReactNode } from "react";
import { bytes } from "@/base/format";
import { asksFirst, LOOK_NAMES, looksOf, type Look } from "@/artifacts/kinds";
import { contentAddress, nameOf, useFacts, type FileFacts, type Place } from "@/artifacts/place";
import { Button, CopyButton } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { Boundary, Loaded, Loading } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { Time } from "@/parts/Values";
import { lazily } from "@/parts/lazily";
import "@/artifacts/artifacts.css";

/** Another place with files of the same names, and what it is called. */
export interface Beside {
  place: Place;
  name: string;
}

/** What each viewer is given. */
export interface FileProps {
  place: Place;
  path: string;
  facts: FileFacts;
  beside?: Beside;
}

/** What concerns a model in a folder of a place. */
export interface ModelWays {
  /** How it is loaded. */
  uri: (place: Place, folder: string) => string;
  /** What else can be done with it. */
  actions?: (place: Place, folder: string) => ReactNode;
}

const ModelDescription = lazily(() => import("@/artifacts/model/ModelDescription"));
const VIEWERS = {
  map: lazily(() => import("@/artifacts/viewers/MapFile")),
  tree: lazily(() => import("@/artifacts/viewers/TreeFile")),
  grid: lazily(() => import("@/artifacts/viewers/TableFile")),
  page: lazily(() => import("@/artifacts/viewers/PageFile")),
  notebook: lazily(() => import("@/artifacts/viewers/NotebookFile")),
  prose: lazily(() => import("@/artifacts/viewers/ProseFile")),
  image: lazily(() => import("@/artifacts/viewers/ImageFile")),
  pdf: lazily(() => import("@/artifacts/viewers/PdfFile")),
  audio: lazily(() => import("@/artifacts/viewers/MediaFile")),
  video: lazily(() => import("@/artifacts/viewers/MediaFile")),
  source: lazily(() => import("@/artifacts/viewers/TextFile")),
  bytes: lazily(() => import("@/artifacts/viewers/BytesFile")),
} satisfies Record<Exclude<Look, "model">, unknown>;

interface Props {
  place: Place;
  path: string;
  look: string;
  beside?: Beside;
  onLook: (look: string) => void;
  model: ModelWays;
}

/** A file: what is known of it, and its content in one of the ways to look at it. */
export function Viewer({ place, path, look, beside, onLook, model }: Props) {
  const facts = useFacts(place, path);
  return (
    <Loaded query={facts} what="The file">
      {(known) => {
        const looks = looksOf(known);
        const chosen = looks.find((one) => one === look) ?? looks[0] ?? "bytes";
        return (
          <div className="artifacts-file">
            <div className="artifacts-head">
              <h2 className="cut" data-tip={path}>{nameOf(path)}</h2>
              <CopyButton text={path} label="Copy the path" />
              <span className="soft figure">{bytes(known.size)}</span>
              {known.modified !== undefined && <span className="soft"><Time at={known.modified} /></span>}
              <span className="grow" />
              {looks.length > 1 && <Switch label="Look at it as" options={looks.map((one) => [one, LOOK_NAMES[one]] as const)} value={chosen} onChange={(next) => onLook(next === looks[0] ? "" : next)} />}
              <a className="button" href={contentAddress(place, path, { download: 1 })} download><Icon name="download" />Download</a>
            </div>
            <Boundary what="The file could not be shown" key={chosen}>
              <Content place={place} path={path} facts={known} beside={beside} look={chosen} model={model} />
            </Boundary>
          </div>
        );
      }}
    </Loaded>
  );
}

function Content({ look, model, ...file }: FileProps & { look: Look; model: ModelWays }) {
  const [wanted, setWanted] = useState(false);
  if (file.facts.size === 0) return <p className="artifacts-note soft">The file is empty.</p>;
  if (!wanted && asksFirst(look, file.facts.size)) {
    return <div className="artifacts-note stack"><p>It has {bytes(file.facts.size)}, and is read whole to be shown.</p><div><Button icon="view" onClick={() => setWanted(true)}>Show it</Button></div></div>;
  }
  if (look === "model") return <ModelOfFile place={file.place} path={file.path} model={model} />;
  const Chosen = VIEWERS[look];
  return <Suspense fallback={<Loading />}><Chosen {...file} /></Suspense>;
}

/** The model that a file `MLmodel` describes. */
function ModelOfFile({ place, path, model }: { place: Place; path: string; model: ModelWays }) {
  const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  return (
    <Suspense fallback={<Loading />}>
      <div className="artifacts-body scroll" tabIndex={0} role="region" aria-label="Model">
        <ModelDescription place={place} folder={folder} uri={model.uri(place, folder)} />
      </div>
    </Suspense>
  );
}

Viewer.Model = ModelOfFile;
