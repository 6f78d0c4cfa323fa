package redisq

import "github.com/redis/go-redis/v9"

// What has to happen at once is a script: nothing is half done when the
// connection ends in the middle. All of them know the keys of one topic.
//
// A message is a stream entry with one field, b. The age of one is told by the
// server's clock alone, which made its ID.

// sendScript adds a message. ARGV: body, how long it may live in ms or 0, and
// a name that only this message has, in case that it is sent again because no
// answer came.
var sendScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local brief = tonumber(ARGV[2])
if brief > 0 then
	redis.call('XADD', KEYS[1], 'MINID', '=', now - brief, '*', 'b', ARGV[1])
	redis.call('PEXPIRE', KEYS[1], math.max(4 * brief, 60000))
elseif redis.call('SET', KEYS[2] .. ARGV[3], '', 'NX', 'EX', 120) then
	redis.call('XADD', KEYS[1], '*', 'b', ARGV[1])
end
return 1`)

// takeScript gives the next message to a consumer, or nothing: first one whose
// receiver has gone, then a new one. The group is made when it is missing,
// also after all data was lost. ARGV: group, consumer, after how many ms
// without an acknowledgement a receiver counts as gone, and how long messages
// live in ms or 0.
var takeScript = redis.NewScript(`
local k, group, me, again, brief = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.pcall('XGROUP', 'CREATE', k, group, '0', 'MKSTREAM')
if brief > 0 then
	local t = redis.call('TIME')
	redis.call('XTRIM', k, 'MINID', '=', t[1] * 1000 + math.floor(t[2] / 1000) - brief)
	redis.call('PEXPIRE', k, math.max(4 * brief, 60000))
end
for _ = 1, 100 do
	local p = redis.call('XPENDING', k, group, 'IDLE', again, '-', '+', 1)
	if #p == 0 then break end
	local claimed = redis.call('XCLAIM', k, group, me, again, p[1][1])
	if #claimed > 0 and claimed[1] then
		return {claimed[1][1], claimed[1][2][2]}
	end
	redis.call('XACK', k, group, p[1][1])
end
local r = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', k, '>')
if r and r[1] and #r[1][2] > 0 then
	return {r[1][2][1][1], r[1][2][1][2][2]}
end
return false`)

// ackScript ends a message: acknowledged and kept on, entries would pile up.
var ackScript = redis.NewScript(`
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])`)

// releaseScript gives a message back that is still this consumer's: it counts
// as left by its receiver long ago. ARGV: group, ID, consumer.
var releaseScript = redis.NewScript(`
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3]) == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, ARGV[2], 'IDLE', 3600000, 'JUSTID')
return 1`)

// moveScript takes what other programs pushed to a list, and what was on its
// way from there when a process ended, into the stream. KEYS: list, what is on
// its way, stream.
var moveScript = redis.NewScript(`
for n = 1, 100 do
	local b = redis.call('RPOP', KEYS[2]) or redis.call('RPOP', KEYS[1])
	if not b then return n - 1 end
	redis.call('XADD', KEYS[3], '*', 'b', b)
end
return 100`)

// tidyScript forgets consumers of processes that ended long ago, if nothing is
// left with them.
var tidyScript = redis.NewScript(`
for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
	local about = {}
	for i = 1, #c, 2 do about[c[i]] = c[i + 1] end
	if about.pending == 0 and about.idle > tonumber(ARGV[2]) then
		redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about.name)
	end
end
return 1`)
