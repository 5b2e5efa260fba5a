import { useState, type ReactNode } from "react";
import { setPreference, usePreferences } from "@/base/preferences";
import { Page } from "@/frame/Page";
import { Checkbox } from "@/parts/Dialog";
import { Card } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { Num, Time } from "@/parts/Values";
import "@/pages/settings/settings.css";

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]] as const;
const DENSITIES = [["compact", "Compact"], ["normal", "Normal"], ["relaxed", "Relaxed"]] as const;
const DIGITS = [["3", "3"], ["4", "4"], ["6", "6"], ["17", "All"]] as const;
const TIMES = [["relative", "How long ago"], ["absolute", "Date and time"]] as const;
const EXAMPLE = 0.7928192138671875;
const SOME_HOURS = 3 * 60 * 60 * 1000;

/** What this browser remembers of how pages look. */
export default function Settings() {
  const { theme, density, digits, times, letters } = usePreferences();
  const [moment] = useState(() => Date.now() - SOME_HOURS);
  return (
    <Page title="Settings" padded>
      <div className="settings">
        <Card title="Look">
          <Setting label="Theme"><Switch label="Theme" options={THEMES} value={theme} onChange={(value) => setPreference("theme", value)} /></Setting>
          <Setting label="Rows"><Switch label="Rows" options={DENSITIES} value={density} onChange={(value) => setPreference("density", value)} /></Setting>
        </Card>
        <Card title="Figures">
          <Setting label="Digits of numbers, at most">
            <Switch label="Digits of numbers" options={DIGITS} value={digits} onChange={(value) => setPreference("digits", value)} />
            <span className="soft">for example <Num value={EXAMPLE} /></span>
          </Setting>
          <Setting label="Times">
            <Switch label="Times" options={TIMES} value={times} onChange={(value) => setPreference("times", value)} />
            <span className="soft">for example <Time at={moment} /></span>
          </Setting>
        </Card>
        <Card title="Keys">
          <Checkbox label="Single letters are shortcuts" checked={letters} onChange={(on) => setPreference("letters", on)} />
          <p className="soft">The key ? lists them all. Ctrl K finds every page, experiment, run and model.</p>
        </Card>
        <p className="soft">These settings are kept in this browser.</p>
      </div>
    </Page>
  );
}

function Setting({ label, children }: { label: string; children: ReactNode }) {
  return <div className="setting"><span className="setting-label">{label}</span><div className="line">{children}</div></div>;
}
