package config

import (
	"maps"
	"strconv"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// described is a value that says which YAML values Set takes, as JSON Schema.
// What the schema takes, Set takes; Set takes some more, as numbers in quotes.
type described interface {
	schema() object
}

// Schema is a JSON Schema (draft 7, which editors know best) of config files,
// made of the table that they are read by.
func Schema() map[string]any {
	properties, spelled := object{}, object{}
	for _, s := range settings {
		if s.key == "config" {
			continue
		}
		properties[s.key] = s.schema()
		if strings.Contains(s.key, "-") {
			spelled["^"+strings.ReplaceAll(s.key, "-", "_")+"$"] = s.schema()
		}
	}
	properties["ladders"] = ladderSchema()
	properties["remotes"] = remoteSchema()
	return object{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": "spool.yaml",
		"description": "Settings of Spool. Each is also a flag and an environment variable.",
		"type":        "object", "properties": properties,
		"patternProperties": spelled, "additionalProperties": false,
	}
}

// schema describes one key. A key without a value is as if it were not there.
func (s setting) schema() object {
	value := s.value(&Config{})
	all := object{}
	if d, ok := value.(described); ok {
		all = maps.Clone(d.schema())
	}
	all["description"] = s.help + " [--" + s.key + ", " + s.env() + "]"
	if s.usual != "" {
		all["default"] = typed(s.usual)
	}
	return orNothing(all)
}

// orNothing lets a schema take null, too.
func orNothing(schema object) object {
	if allowed, ok := schema["enum"].([]any); ok {
		schema["enum"] = append(allowed, nil)
	}
	switch types := schema["type"].(type) {
	case string:
		schema["type"] = []any{types, "null"}
	case []any:
		schema["type"] = append(types, "null")
	}
	return schema
}

// typed is a default as YAML reads it.
func typed(s string) any {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	if b, err := strconv.ParseBool(s); err == nil {
		return b
	}
	return s
}

// clean is text without control characters.
const clean = `^[^\x00-\x1f\x7f]*$`

// listOf describes a list, and the same with commas between its parts.
func listOf(item string, pattern string) object {
	return object{
		"type":  []any{"array", "string"},
		"items": object{"type": "string", "pattern": "^" + item + "$"}, "minItems": 1,
		"pattern": pattern,
	}
}

func (v *textValue) schema() object {
	if v.allowed == nil {
		return object{"type": "string", "pattern": clean}
	}
	allowed := make([]any, len(v.allowed))
	for i, word := range v.allowed {
		allowed[i] = word
	}
	return object{"enum": allowed}
}

func (v *numberValue) schema() object {
	return object{"type": "integer", "minimum": v.smallest, "maximum": v.largest}
}

func (v *globs) schema() object {
	const glob = `[^,\[\]\\\s][^,\[\]\\]*`
	return listOf(glob, "^"+glob+"(,"+glob+")*$")
}

func (v *places) schema() object {
	const place = `[^,\x00-\x20\x7f][^,\x00-\x1f\x7f]*`
	return listOf(place, "^"+place+"(,"+place+")*$")
}

func (v *truth) schema() object { return object{"type": "boolean"} }

func (v *span) schema() object {
	return object{"type": "string", "pattern": `^([0-9]{1,6}(\.[0-9]{1,9})?(ms|s|m|h))+$`}
}

func (v *seconds) schema() object {
	var allowed []any
	for n := v.smallest; n <= v.largest; n++ {
		allowed = append(allowed, strconv.Itoa(n)+"s", n)
	}
	return object{"enum": allowed}
}

// side is an even number of pixels, as sizes takes it.
func side() object {
	return object{"type": "integer", "minimum": smallestSide, "maximum": largestSide, "multipleOf": 2}
}

func (v *sizes) schema() object {
	return object{"oneOf": []any{
		side(),
		object{"type": "array", "items": side(), "minItems": 1, "maxItems": mostSizes},
		object{"type": "null"},
	}}
}

func (v *networks) schema() object {
	const (
		four    = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}(/(3[0-2]|[12]?[0-9]))?`
		six     = `[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){7}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?`
		short   = `[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,5}::(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?`
		network = "(" + four + "|" + six + "|" + short + "|::1)"
	)
	return listOf(network, "^"+network+"(,"+network+")*$")
}

func (l *Limit) schema() object {
	return object{
		"type": []any{"string", "integer"}, "minimum": 1_000_000,
		"pattern": `^(([1-9][0-9]?|100)%|[1-9][0-9]{0,5} ?([MGT]i?B|[MGT]))$`,
	}
}

func ladderSchema() object {
	rung := object{
		"type": "object", "additionalProperties": false, "required": []any{"size", "crf", "max-rate"},
		"properties": object{
			"size":     describe(side(), "short side in pixels"),
			"crf":      object{"type": "integer", "minimum": smallestCRF, "maximum": largestCRF, "description": "x264's quality, less is better"},
			"max-rate": object{"type": "integer", "minimum": smallestRate / 1000, "maximum": largestRate / 1000, "description": "kbit/s at most"},
		},
	}
	return object{
		"type": "object", "description": "ladders of your own: a name, and its rungs",
		"propertyNames":        object{"pattern": ladderName.String(), "not": object{"enum": []any{"default", "classic"}}},
		"additionalProperties": object{"type": "array", "items": rung, "minItems": 1, "maxItems": mostRungs},
	}
}

func remoteSchema() object {
	scalar := []any{"string", "number", "boolean"}
	return object{
		"type": "object", "description": "stores, as rclone.conf would define them: a name, and options", "additionalProperties": false,
		"patternProperties": object{
			`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`: object{"type": "object", "additionalProperties": object{
				"type": append([]any{"array"}, scalar...), "items": object{"type": scalar},
			}},
		},
	}
}

func describe(schema object, text string) object {
	schema["description"] = text
	return schema
}
