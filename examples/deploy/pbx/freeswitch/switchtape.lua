-- Asks Switchtape where the call goes, sends it there, records both sides, and tells what
-- became of it:
--
--   lua switchtape.lua NUMBER        a call, from the dialplan (switchtape.xml)
--   lua switchtape.lua tell TYPE     an event, from the channel: see on_ring below
--
-- NOT RUN. It was written by the documentation of FreeSWITCH 1.10 and has not been tried
-- in one: place calls through it before you rely on it.

local api, json = freeswitch.API(), freeswitch.JSON()

-- Global variables of FreeSWITCH's (vars.xml), but for the key: that is in its environment.
local function setting(name) return api:execute("global_getvar", "switchtape_" .. name) end

local lanes = { normal = setting("api"), emergency = setting("emergency_api") }
local host = setting("host")           -- this machine's name, as --queues of its worker has it
local legs = setting("legs")           -- the place of the legs, as --legs of its worker has it
local profile = setting("profile")     -- the sofia profile by which calls go out
local gateway = setting("gateway")     -- what takes emergency calls when the API doesn't say
local emergency_numbers = { ["112"] = true, ["911"] = true, ["999"] = true, ["110"] = true }
local key = os.getenv("SWITCHTAPE_API_KEY")

local function log(level, text) freeswitch.consoleLog(level, "switchtape: " .. text .. "\n") end

-- mod_curl splits its arguments at spaces and decodes the body as a URL's: so encoded,
-- nothing in it is read as anything else.
local function encoded(text)
  return (text:gsub("[^%w]", function(c) return string.format("%%%02X", c:byte()) end))
end

-- post sends a table as JSON. It returns the status, 0 for no answer, and what was answered.
local function post(url, body, idempotency_key)
  local args = { url, "json", "connect-timeout", "1", "timeout", "1", "content-type", "application/json" }
  local function header(text)
    table.insert(args, "append_headers")
    table.insert(args, "'" .. text .. "'")
  end
  if key then header("Authorization:Bearer " .. key) end
  if idempotency_key then header("Idempotency-Key:" .. idempotency_key) end
  table.insert(args, "post")
  table.insert(args, encoded(json:encode(body)))
  local answer = json:decode(api:execute("curl", table.concat(args, " "))) or {}
  return tonumber(answer.status_code) or 0, answer.body and json:decode(answer.body) or {}
end

-- tell tells an event. Its id makes it safe to be told again when no answer came.
local function tell(events, id, event)
  local ms = math.floor(api:getTime())
  event.id, event.at = id, os.date("!%Y-%m-%dT%H:%M:%S", math.floor(ms / 1000)) .. string.format(".%03dZ", ms % 1000)
  for _ = 1, 3 do
    local status, call = post(events, event)
    if status >= 200 and status < 300 then return call end
    if status >= 400 and status < 500 and status ~= 429 then break end
  end
  log("ERR", "the API was not told of " .. id .. " by " .. events)
end

-- cause is why the last bridge failed, as the API has it.
local function cause()
  local sip = (session:getVariable("last_bridge_proto_specific_hangup_cause") or ""):match("^sip:(%d+)$")
  if sip then return { sip = tonumber(sip) } end
  local q850 = tonumber(session:getVariable("last_bridge_hangup_cause_q850") or session:getVariable("hangup_cause_q850"))
  return { q850 = q850 and q850 > 0 and q850 or 41 }
end

-- record makes one file of what a side says: read is what the caller says.
local function record(side, file)
  session:setVariable("RECORD_READ_ONLY", tostring(side == "read"))
  session:setVariable("RECORD_WRITE_ONLY", tostring(side == "write"))
  session:execute("record_session", file)
end

local function bridge(to) session:execute("bridge", to) return session:getVariable("originate_disposition") == "SUCCESS" end

-- try sends the call to a destination of the decision, and returns whether it was answered.
local function try(d, failover)
  if d.caller and d.caller ~= "anonymous" then session:setVariable("effective_caller_id_number", d.caller) end
  local hidden = d.caller == "anonymous" or d.caller_privacy == "id"
  session:execute("privacy", hidden and "full" or "no")
  session:setVariable("call_timeout", tostring(failover and failover.attempt_seconds or 120))
  return bridge(("sofia/%s/%s@%s"):format(profile, d.number, (d.uri:gsub("^sips?:", ""))))
end

local function through_gateway(number)
  log("ALERT", "an emergency call goes to the gateway without the API")
  bridge(("sofia/gateway/%s/%s"):format(gateway, number))
end

local function call(number)
  local emergency = emergency_numbers[number] == true
  local base = emergency and lanes.emergency or lanes.normal
  local sip_call_id = session:getVariable("sip_call_id") or session:getVariable("uuid")
  local status, answer = post(base .. "/v1/calls", {
    to = number, from = session:getVariable("caller_id_number") or "", host = host,
    type = emergency and "emergency" or "voice", recording = { enabled = true }, metadata = { sip_call_id = sip_call_id },
  }, api:execute("md5", sip_call_id)) -- the same INVITE is the same call: the API gives its answer again
  if status ~= 201 then
    if emergency then return through_gateway(number) end
    local refusals = { [404] = "NO_ROUTE_DESTINATION", [422] = "INVALID_NUMBER_FORMAT" }
    return session:hangup(refusals[status] or "NORMAL_TEMPORARY_FAILURE")
  end

  emergency = emergency or answer.emergency
  local events = base .. "/v1/calls/" .. answer.id .. "/events"
  session:setVariable("switchtape_events", events)
  session:setVariable("hangup_after_bridge", "true")
  session:setVariable("continue_on_fail", "true")
  session:setVariable("execute_on_ring", "lua switchtape.lua tell ringing")
  session:setVariable("execute_on_answer", "lua switchtape.lua tell answered")
  session:setAutoHangup(false)
  session:setVariable("RECORD_BRIDGE_REQ", "true") -- from the answer on
  local dir = legs .. "/" .. answer.id
  api:execute("system", "mkdir -p '" .. dir .. "'") -- the id holds no sign that a shell would read
  record("read", dir .. "/caller.wav")
  record("write", dir .. "/callee.wav")

  local version = (api:execute("version", "short") or ""):match("^[%d%.]+") or "" -- known faults are counted by it
  local ended = { type = "ended", host = host, host_software = "FreeSWITCH/" .. version }
  local d, attempt = answer.decision.destinations or {}, 0
  while session:ready() and d[attempt + 1] do
    session:setVariable("switchtape_attempt", tostring(attempt))
    if try(d[attempt + 1], answer.decision.failover) then
      ended.cause = { q850 = 16 }
      ended.legs = {
        { name = "caller", segments = { { uri = answer.id .. "/caller.wav" } } },
        { name = "callee", segments = { { uri = answer.id .. "/callee.wav" } } },
      }
      tell(events, "ended", ended)
      return
    end
    if not session:ready() then break end -- the caller hung up
    local why = cause()
    local moved = tell(events, "failed-" .. attempt, { type = "failed", cause = why })
    attempt = attempt + 1
    if moved and moved.state ~= "routed" then -- the API says that no other is to be tried
      if not emergency then return session:hangup() end
      break
    end
  end
  if not session:ready() then
    ended.cause = { sip = 487 }
    tell(events, "ended", ended)
  elseif emergency then
    through_gateway(number)
  else
    session:hangup("NORMAL_TEMPORARY_FAILURE")
  end
end

if argv[1] == "tell" then
  local id = argv[2]
  if id == "ringing" then id = id .. "-" .. (session:getVariable("switchtape_attempt") or "0") end
  tell(session:getVariable("switchtape_events"), id, { type = argv[2] })
else
  call(argv[1])
end
