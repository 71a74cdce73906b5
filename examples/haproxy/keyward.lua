-- The question that haproxy.cfg asks of Keyward before each request: /check/forwarded, with HAProxy's own HTTP client.
-- Sets txn.keyward to "yes" and the headers for the API, or answers the caller in Keyward's own words, or does neither.

local CHECK = "http://127.0.0.1:9000/check/forwarded"
-- The section `listen keyward` of haproxy.cfg, which has the time limits. This one is only the last resort.
local BY_WAY_OF = "abns@keyward-127.0.0.1:9000"
local TIMEOUT_MS = 1000

-- To the API, always all of them, empty where one does not apply.
local UPSTREAM = {
  "x-keyward-key-id", "x-keyward-key-name", "x-keyward-environment", "x-keyward-namespace", "x-keyward-namespace-type",
  "x-keyward-organization", "x-keyward-application", "x-keyward-workspace", "x-keyward-user-group", "x-keyward-permissions",
  "x-keyward-customers", "x-keyward-visible", "x-keyward-principal", "x-keyward-subject", "x-keyward-request-id",
}
-- To the caller of a refused request.
local CALLER = { "content-type", "www-authenticate", "retry-after", "ratelimit-policy", "ratelimit", "x-request-id" }
local REFUSALS = { [400] = true, [401] = true, [403] = true, [429] = true, [503] = true }

-- What belongs to this connection or to a body, and what HAProxy says itself, whatever the caller sent.
local NOT_ASKED = {
  ["host"] = true, ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["upgrade"] = true, ["te"] = true,
  ["trailer"] = true, ["expect"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
  ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true, ["x-forwarded-host"] = true, ["x-forwarded-for"] = true,
}

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0]
end

core.register_action("keyward_check", { "http-req" }, function(txn)
  local asked = {}
  -- Every other header of the caller goes along, each line of it: Keyward looks for a second credential, and for names that
  -- some servers take for one of its own.
  local sent = txn.http:req_get_headers()
  for name, values in pairs(sent) do
    if not NOT_ASKED[name] then
      local lines = {}
      for i = 0, #values do lines[#lines + 1] = values[i] end
      asked[name] = lines
    end
  end
  asked["x-forwarded-method"] = { txn.sf:method() }
  -- exactly as it came, which is how it goes to the API
  asked["x-forwarded-uri"] = { txn.sf:pathq() }
  local hosts = {}
  if sent["host"] then
    for i = 0, #sent["host"] do hosts[#hosts + 1] = sent["host"][i] end
  end
  asked["x-forwarded-host"] = hosts
  -- Behind another load balancer: `http-request set-src` first, so that this is the caller and not the balancer.
  asked["x-forwarded-for"] = { txn.sf:src() }

  local answer = core.httpclient():get({ url = CHECK, dst = BY_WAY_OF, headers = asked, timeout = TIMEOUT_MS })
  if not answer then return end
  local headers = answer.headers

  -- Yes is exactly 200, with Keyward's name under it.
  if answer.status == 200 and first(headers, "x-keyward-principal") then
    for _, name in ipairs(UPSTREAM) do txn.http:req_set_header(name, first(headers, name) or "") end
    local policy, limit = first(headers, "ratelimit-policy"), first(headers, "ratelimit")
    if policy then txn:set_var("txn.keyward_ratelimit_policy", policy) end
    if limit then txn:set_var("txn.keyward_ratelimit", limit) end
    txn:set_var("txn.keyward", "yes")
    return
  end

  if not REFUSALS[answer.status] or first(headers, "content-type") ~= "application/problem+json" then return end
  local reply = txn:reply({ status = answer.status })
  for _, name in ipairs(CALLER) do
    local value = first(headers, name)
    if value then reply:add_header(name, value) end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end, 0)
