package config

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// compiled is the schema as an editor gets it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spool.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("spool.json") // it is held against draft 7 itself, too
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// fits asks the schema about a file.
func fits(t *testing.T, schema *jsonschema.Schema, file string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(file), &value); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// What the schema takes is taken when it is read, and both refuse the same
// mistakes.
func TestSchemaAndLoaderAgree(t *testing.T) {
	schema := compiled(t)
	example, err := os.ReadFile("testdata/spool.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := []string{
		string(example), "to: /srv/bucket\n", "sizes: [360, 720]\n", "sizes: 360\n", "sizes:\n", "max_items: 5\n",
		"allow-cidr: [10.0.0.0/8, 192.168.1.5, 'fd00::/8', '::1']\n", "allow-cidr: 10.0.0.0/8,192.168.1.5\n", "allow-private: false\n",
		"include: ['*.mp4', '2026/**']\n", "include: '*.mp4,*.mkv'\n", "scratch-limit: 20GB\n", "scratch-limit: 500 MiB\n",
		"scratch-limit: 1000000\n", "grace: 1m30s\n", "segment: 4\n", "segment: 4s\n", "copy:\n", "storyboard: off\n",
		"ladders: {mine: [{size: 360, crf: 23, max-rate: 800}]}\nladder: mine\n",
		"remotes: {nas: {type: sftp, host: nas.local, port: 22, ask_password: false}}\n",
	}
	bad := []string{
		"colour: red\n", "config: other.yaml\n", "sizes: [361]\n", "sizes: []\n", "sizes: [62]\n", "preset: quick\n", "downloads: 0\n", "downloads: 65\n",
		"downloads: many\n", "allow-cidr: 10.0.0.0/33\n", "allow-cidr: [example.com]\n", "allow-private: perhaps\n", "include: ['[a']\n",
		"include: '*.mp4,,*.mkv'\n", "scratch-limit: 120%\n", "scratch-limit: 10\n", "grace: 30\n", "grace: soon\n", "segment: 11s\n", "segment: 1\n",
		"storyboard: sometimes\n", "encrypt: true\n", "to: {a: b}\n",
		"ladders: {default: [{size: 360, crf: 23, max-rate: 800}]}\n", "ladders: {mine: []}\n", "ladders: [mine]\n",
		"ladders: {mine: [{size: 360, crf: 23}]}\n", "ladders: {mine: [{size: 360, crf: 23, max-rate: 800, fps: 25}]}\n",
		"ladders: {mine: [{size: 360, crf: 50, max-rate: 800}]}\n", "remotes: {-x: {type: sftp}}\n", "remotes: {nas: sftp}\n", "remotes: {nas: {type: {a: b}}}\n",
	}
	for i, file := range slices.Concat(good, bad) {
		read := call{files: map[string]string{"user:": file}}
		_, _, loads := read.load(t)
		says := fits(t, schema, file)
		if want := i < len(good); (loads == nil) != want || (says == nil) != want {
			t.Errorf("%q is good: %v\nread: %v\nschema: %v", file, want, loads, says)
		}
	}
}

// Every setting that a file may have is described, with the default that it
// has, and that default is one that it may have.
func TestSchemaHasEverySetting(t *testing.T) {
	schema := compiled(t)
	properties, ok := Schema()["properties"].(map[string]any)
	if !ok || len(properties) != len(fileKeys()) {
		t.Fatalf("%d properties for %d keys", len(properties), len(fileKeys()))
	}
	for _, s := range settings {
		if s.key == "config" {
			continue
		}
		if _, ok := s.value(&Config{}).(described); !ok {
			t.Errorf("%s: a %T does not say what it takes", s.key, s.value(&Config{}))
		}
		about, _ := properties[s.key].(map[string]any)
		if usual, has := about["default"]; has {
			text, err := json.Marshal(usual) // which is YAML, too
			if err != nil {
				t.Fatal(err)
			}
			if err := fits(t, schema, fmt.Sprintf("%s: %s\n", s.key, text)); err != nil {
				t.Errorf("%s: its default: %v", s.key, err)
			}
		}
	}
}
