import { useInfiniteQuery } from "@tanstack/react-query";
import { call } from "@/api/client";
import { keyOf } from "@/api/queries";
import { ListRegistryActivities, VerifyRegistryActivities } from "@/api/schema";
import { sentence } from "@/pages/model/sentences";
import { Button } from "@/parts/Button";
import { Loaded } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Time } from "@/parts/Values";

const PAGE = 100;

/** What has happened to a model, or to one of its versions, the newest first. */
export function Activity({ name, version }: { name: string; version?: string }) {
  const request = { name, ...(version ? { version } : {}), max_results: PAGE };
  const query = useInfiniteQuery({
    queryKey: [...keyOf(ListRegistryActivities, request), "pages"],
    queryFn: ({ pageParam, signal }) => call(ListRegistryActivities, { ...request, ...(pageParam ? { page_token: pageParam } : {}) }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_page_token ?? null,
  });
  const check = () => call(VerifyRegistryActivities, { name }).then((found) => {
    if (found.intact) toast("The log is whole: every entry is what was written.");
    else toastError(new Error(found.reason ?? "The log was changed."));
  }, toastError);
  return (
    <div className="stack pane">
      {!version && <div><Button icon="check" onClick={() => void check()}>Check the log</Button></div>}
      <Loaded query={query} what="The activity">
        {({ pages }) => (
          <ol className="entries" aria-label="Activity">
            {pages.flatMap((page) => page.activities ?? []).map((activity) => (
              <li key={activity.sequence} className="entry">
                <div className="line"><span className="grow"><strong>{activity.user_id}</strong> {sentence(activity)}</span><span className="soft"><Time at={activity.timestamp} /></span></div>
                {activity.comment && <p className="entry-text">{activity.comment}</p>}
              </li>
            ))}
          </ol>
        )}
      </Loaded>
      {query.hasNextPage && <div><Button disabled={query.isFetching} onClick={() => void query.fetchNextPage()}>Earlier</Button></div>}
    </div>
  );
}
