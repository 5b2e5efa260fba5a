import { HUES } from "@/charts/colours";
import { Button } from "@/parts/Button";
import { Dialog } from "@/parts/Dialog";

interface Props {
  name: string;
  /** The number of its colour; undefined for the one that it has by its place. */
  chosen: number | undefined;
  onChoose: (colour: number | null) => void;
  onClose: () => void;
}

/** The colour of a run in every chart of its experiment, for everybody. */
export default function ColourDialog({ name, chosen, onChoose, onClose }: Props) {
  const choose = (colour: number | null) => {
    onChoose(colour);
    onClose();
  };
  return (
    <Dialog title={`Colour of ${name}`} onClose={onClose} width={360}>
      <div className="dialog-body stack">
        <div className="colours" role="group" aria-label="Colours">
          {Array.from({ length: HUES }, (_, hue) => (
            <button
              key={hue} type="button" className="colour" aria-label={`Colour ${hue + 1}`} aria-pressed={chosen === hue} style={{ background: `var(--run-${hue})` }}
              onClick={() => choose(hue)}
            />
          ))}
        </div>
        <p className="soft">Charts of this experiment draw the run in it, for everybody.</p>
      </div>
      <div className="dialog-foot"><Button disabled={chosen === undefined} onClick={() => choose(null)}>By its place</Button></div>
    </Dialog>
  );
}
