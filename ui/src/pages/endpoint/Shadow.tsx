import type { EndpointAnswer } from "@/api/schema";
import { change } from "@/pages/serving/actions";
import { targetText } from "@/pages/serving/figures";
import { targetsOf } from "@/pages/endpoint/targets";
import { MenuButton } from "@/parts/Menu";
import { Card } from "@/parts/States";
import { Chip } from "@/parts/Values";

/** Versions that get copies of requests, whose answers nobody sees. */
export function Shadow({ answer }: { answer: EndpointAnswer }) {
  const { endpoint } = answer;
  const put = (shadow: string[], told: string) => void change(endpoint, { shadow }, told);
  const items = targetsOf(answer).filter(([target]) => !endpoint.shadow.includes(target)).map(([target, words]) => ({
    label: words, run: () => put([...endpoint.shadow, target], `Copies of requests go to ${targetText(target)}`),
  }));
  return (
    <Card title="Shadow" actions={<MenuButton label="Add a shadow" icon="add" items={items}>Add a shadow</MenuButton>}>
      {endpoint.shadow.length === 0 ? <p className="soft">No version gets copies of requests.</p> : (
        <div className="chips">
          {endpoint.shadow.map((target) => (
            <Chip
              key={target} removeLabel={`No copies to ${targetText(target)}`}
              onRemove={() => put(endpoint.shadow.filter((one) => one !== target), `No copies go to ${targetText(target)} any more`)}
            >{targetText(target)}</Chip>
          ))}
        </div>
      )}
    </Card>
  );
}
