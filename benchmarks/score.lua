-- A load generator's request to a scoring server: one row, each one different.
-- wrk … -- COLUMNS (comma-separated)
local thread_count = 0

function setup(thread)
  thread:set("id", thread_count)
  thread_count = thread_count + 1
end

function init(arguments)
  names, width, count = {}, 0, 0
  for name in string.gmatch(arguments[1], "[^,]+") do
    width = width + 1
    names[width] = '"' .. name .. '"'
  end
  head = '{"dataframe_split":{"columns":[' .. table.concat(names, ",") .. '],"data":[['
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  count = count + 1
  local cells = {}
  for place = 1, width do cells[place] = string.format("%.6f", math.sin(id * 1000003 + count * width + place)) end
  return wrk.format("POST", "/invocations", headers, head .. table.concat(cells, ",") .. "]]}}")
end

function response(status, _, body)
  if status ~= 200 then io.stderr:write(body, "\n") end
end

function done(summary, latency, _)
  io.write(string.format('JSON {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
