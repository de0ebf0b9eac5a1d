-- Made by pulumi-icon. What a JSON-RPC body asks for, so that HAProxy can hold each kind to its own limit.
--
-- A citizen reads bodies with Go's encoding/json, which forgives much: names in any case, the last of two equal ones, escaped letters,
-- text after the end. Here nothing of that passes, so that what is judged is what the citizen sees. What goes beyond one request's names
-- is only checked to be JSON.
--
-- Sets txn.rpc: "ok", "partial" (the body is more than is looked at), or why it is refused: "json", "request", "method";
-- txn.class: "cheap" or "expensive"; txn.calls: how many; txn.id: the caller's id, as JSON; txn.cost: for how many calls it counts, as to
-- read it is work, too.

-- What goloop publishes below /api/v3, and what of it holds a connection, or reads a block's whole receipts or proofs.
local methods = {
	icx_getLastBlock = "cheap",
	icx_getBlockByHeight = "cheap",
	icx_getBlockByHash = "cheap",
	icx_getBlockHeaderByHeight = "cheap",
	icx_getVotesByHeight = "cheap",
	icx_call = "cheap",
	icx_getBalance = "cheap",
	icx_getTotalSupply = "cheap",
	icx_getScoreApi = "cheap",
	icx_getScoreStatus = "cheap",
	icx_getNetworkInfo = "cheap",
	icx_getTransactionResult = "cheap",
	icx_getTransactionByHash = "cheap",
	icx_sendTransaction = "cheap",
	btp_getNetworkInfo = "cheap",
	btp_getNetworkTypeInfo = "cheap",
	btp_getSourceInformation = "cheap",
	btp_getHeader = "cheap",
	icx_sendTransactionAndWait = "expensive",
	icx_waitTransactionResult = "expensive",
	icx_getDataByHash = "expensive",
	icx_getProofForResult = "expensive",
	icx_getProofForEvents = "expensive",
	btp_getMessages = "expensive",
	btp_getProof = "expensive",
}

local names = { jsonrpc = true, method = true, params = true, id = true }
local deepest = 64
-- A value takes about a microsecond. So many are read, far more than a call has; each hundred, and each 8 KiB, count as another call.
local most, values = 1000, 0
local find, sub, byte = string.find, string.sub, string.byte

local function blank(s, i)
	local _, e = find(s, "^[ \t\r\n]*", i)
	return e + 1
end

-- Each of these gives the place after what it read, or nil if that is no JSON.
local value

-- Escapes are masked before, so that a text ends at the next quote.
local function text(s, i)
	local j = find(s, '["\0-\31]', i + 1)
	return j and byte(s, j) == 34 and j + 1 or nil
end

-- masked has "~" in place of every escape, at the same places. It is nil if one of them is none. What is masked outside of a text is no
-- JSON afterwards, as it was none before.
local short = {}
for letter in string.gmatch('\\"/bfnrt', ".") do short["\\" .. letter] = "~~" end

local function masked(s)
	if not find(s, "\\", 1, true) then return s end
	s = s:gsub("\\.", short)
	if not find(s, "\\", 1, true) then return s end
	s = s:gsub("\\u%x%x%x%x", "~~~~~~")
	return not find(s, "\\", 1, true) and s or nil
end

local function number(s, i)
	local _, e = find(s, "^%-?0", i)
	if not e then _, e = find(s, "^%-?[1-9]%d*", i) end
	if not e then return nil end
	local _, f = find(s, "^%.%d+", e + 1)
	e = f or e
	_, f = find(s, "^[eE][+-]?%d+", e + 1)
	return (f or e) + 1
end

-- list reads what is between two brackets: item reads one of it.
local function list(s, i, close, item, depth)
	if depth > deepest then return nil end
	i = blank(s, i + 1)
	if byte(s, i) == close then return i + 1 end
	while true do
		i = item(s, i, depth)
		if not i then return nil end
		i = blank(s, i)
		local c = byte(s, i)
		if c == close then return i + 1 end
		if c ~= 44 then return nil end
		i = blank(s, i + 1)
	end
end

local function pair(s, i, depth)
	if byte(s, i) ~= 34 then return nil end
	i = text(s, i)
	if not i then return nil end
	i = blank(s, i)
	if byte(s, i) ~= 58 then return nil end
	return value(s, blank(s, i + 1), depth)
end

value = function(s, i, depth)
	values = values + 1
	if values > most then return nil end
	local c = byte(s, i)
	if c == 34 then return text(s, i) end
	if c == 123 then return list(s, i, 125, pair, depth + 1) end
	if c == 91 then return list(s, i, 93, value, depth + 1) end
	if c == 116 then return find(s, "^true", i) and i + 4 end
	if c == 102 then return find(s, "^false", i) and i + 5 end
	if c == 110 then return find(s, "^null", i) and i + 4 end
	return number(s, i)
end

-- fields gives the texts of an object's values by name. A name that comes twice, or is not exactly one of JSON-RPC's, is none of it.
local function fields(s, i)
	local found, strange = {}, false
	local e = list(s, i, 125, function(t, k, depth)
		local e = pair(t, k, depth)
		if not e then return nil end
		local name = find(t, '^"[a-z]+"', k) and sub(t, k + 1, find(t, '"', k + 1, true) - 1)
		if not name or not names[name] or found[name] then
			strange = true
		else
			found[name] = sub(t, blank(t, blank(t, k + #name + 2) + 1), e - 1)
		end
		return e
	end, 1)
	return e, found, strange
end

-- answerable says whether an id may be repeated in an answer as it came: a number, or a short text of letters that need no escape and
-- are none that was masked.
local function answerable(id)
	return id and #id <= 80 and (find(id, "^%-?%d+$") or find(id, '^"[ !#-[%]^-}]*"$')) and true or false
end

-- request judges one call: "ok", its class, its id.
local function request(found, strange)
	local id = answerable(found.id) and found.id or "null"
	if strange or found.jsonrpc ~= '"2.0"' then return "request", nil, id end
	-- An id is a text, a number that Go can hold, or null.
	local i = found.id
	if i and not find(i, '^["n]') and not (#i <= 40 and find(i, "^%-?%d[%d.]*$")) then return "request", nil, id end
	if found.params and not find(found.params, "^[{%[n]") then return "request", nil, id end
	local name = found.method and string.match(found.method, '^"([A-Za-z0-9_]+)"$')
	if not found.method or not find(found.method, '^"') then return "request", nil, id end
	local class = name and methods[name]
	if not class then return "method", nil, id end
	return "ok", class, id
end

-- inspect gives the verdict, the class, the number of calls and the id.
local function inspect(s)
	values = 0
	-- What is no UTF-8 would be replaced on the way.
	if not utf8.len(s) then return "json" end
	s = masked(s)
	if not s then return "json" end
	local i = blank(s, 1)
	local first = byte(s, i)
	local e, verdict, class, calls, id
	if first == 123 then
		local found, strange
		e, found, strange = fields(s, i)
		if e then verdict, class, id = request(found, strange) end
		calls = 1
	elseif first == 91 then
		verdict, class, calls = "ok", "cheap", 0
		e = list(s, i, 93, function(t, k, depth)
			calls = calls + 1
			values = values + 1
			if values > most then return nil end
			if byte(t, k) ~= 123 then
				verdict = "request"
				return value(t, k, depth)
			end
			local after, found, strange = fields(t, k)
			if not after then return nil end
			local v, c = request(found, strange)
			if verdict == "ok" then verdict = v end
			if c == "expensive" then class = c end
			return after
		end, 0)
		if calls == 0 then verdict = "request" end
		if calls > 1 then class = "expensive" end
	else
		e = value(s, i, 0)
		verdict, calls = "request", 1
	end
	if values > most then return "partial", "expensive" end
	if not e or blank(s, e) <= #s then return "json" end
	return verdict, class, calls, id
end

core.register_action("jsonrpc", { "http-req" }, function(txn)
	local body = txn.sf:req_body()
	local verdict, class, calls, id
	values = 0
	if #body ~= txn.f:req_hdr_val("content-length") then
		verdict, class = "partial", "expensive"
	else
		verdict, class, calls, id = inspect(body)
	end
	txn:set_var("txn.rpc", verdict)
	txn:set_var("txn.class", class or "cheap")
	txn:set_var("txn.calls", calls or 1)
	txn:set_var("txn.cost", (calls or 1) + math.max(#body // 8192, values // 100))
	txn:set_var("txn.id", id or "null")
end, 0)
