-- A load generator's request: each one different, so that nothing is answered from memory.
-- wrk … -- KIND RUN_ID
local thread_count = 0

function setup(thread)
  thread:set("id", thread_count)
  thread_count = thread_count + 1
end

function init(arguments)
  kind, run_id, count = arguments[1], arguments[2], 0
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  count = count + 1
  if kind == "log-metric" then
    local step = id * 100000000 + count
    local body = string.format('{"run_id":"%s","key":"loss","value":%f,"timestamp":%d,"step":%d}',
                               run_id, math.sin(step), 1700000000000 + step, step)
    return wrk.format("POST", "/api/2.0/mlflow/runs/log-metric", headers, body)
  end
  return wrk.format("POST", "/api/2.0/mlflow/runs/create", headers, '{"experiment_id":"0","start_time":1700000000000}')
end

function response(status, _, body)
  if status ~= 200 then io.stderr:write(body, "\n") end
end

function done(summary, latency, _)
  io.write(string.format('JSON {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
