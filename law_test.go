package spool_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/spool-video/spool"

// law is who may import whom. A package may import the standard library and
// what its line names: packages of Spool by their folder ("." is the root),
// and libraries by their module. Test files are free, but for the rules below.
//
// A package without a line fails, and so does a line without a package, or one
// that names what no file imports. Before a line grows, ask whether the package
// could be handed what it wants instead: an interface of two methods at the top
// of the file that uses it is cheaper than a road between two rooms.
var law = map[string][]string{
	// The words, and the pattern. Both are public.
	".":    {},
	"flow": {},

	// Pure knowledge: no files, no network, no processes.
	"internal/ladder":        {"."},
	"internal/grid":          {"."},
	"internal/hls":           {".", text},
	"internal/cmaf":          {".", mp4ff},
	"internal/mpegts":        {".", "internal/cmaf", mp4ff},
	"internal/wrap":          {".", "internal/cmaf", "internal/mpegts"},
	"internal/estimate":      {"."},
	"internal/storyboard":    {},
	"internal/rules":         {"internal/hls", "internal/survey", "internal/survey/m3u8", "internal/survey/stream"},
	"internal/survey/m3u8":   {},
	"internal/survey/stream": {"internal/cmaf", mp4ff, "github.com/asticode/go-astits"},
	"internal/plaintext":     {"github.com/mattn/go-runewidth", text},
	"internal/spelling":      {},
	"internal/webvtt":        {},

	// What touches the world, one package a part of it.
	"internal/disk":     {},
	"internal/keys":     {".", "internal/disk", "golang.org/x/crypto"},
	"internal/process":  {system},
	"internal/ffmpeg":   {".", "flow", "internal/process", system},
	"internal/guard":    {".", "internal/plaintext", "code.dny.dev/ssrf"},
	"internal/download": {".", "internal/disk", "internal/guard", "internal/plaintext"},
	"internal/page":     {".", "internal/guard", "internal/plaintext", "internal/process"},
	"internal/scratch":  {".", "internal/disk", system},
	"internal/lock":     {".", "github.com/gofrs/flock"},
	"internal/tap":      {".", "internal/ffmpeg"},
	"internal/ranges":   {".", "internal/tap"},
	"internal/staging":  {".", "internal/store"},

	// Packages of others, as they are found.
	"internal/survey": {".", "internal/keys", "internal/plaintext", "internal/survey/m3u8", "internal/survey/stream"},

	// The contracts, and their engines one level below. An engine knows its
	// contract; only cmd/spool knows engines.
	"internal/queue":               {"."},
	"internal/queue/memq":          {"internal/queue"},
	"internal/queue/natsq":         {".", "internal/queue", "github.com/nats-io/nats.go"},
	"internal/queue/rabbitq":       {".", "internal/queue", "github.com/rabbitmq/amqp091-go"},
	"internal/queue/redisq":        {".", "internal/queue", "github.com/redis/go-redis/v9"},
	"internal/queue/sealed":        {".", "internal/keys", "internal/queue"},
	"internal/queue/natsserver":    {".", "internal/queue", "github.com/gofrs/flock", "github.com/nats-io/nats-server/v2"},
	"internal/ledger":              {"."},
	"internal/ledger/sqliteledger": {".", "internal/disk", "internal/ledger", "github.com/gofrs/flock", "github.com/pressly/goose/v3", "modernc.org/sqlite"},
	"internal/store":               {"."},
	"internal/store/folder":        {".", "internal/disk", "internal/store", "github.com/dustin/go-humanize"},
	"internal/store/remote": {
		".", "internal/store", rclone, "github.com/unknwon/goconfig", // and whose errors it has to know:
		"github.com/Azure/azure-sdk-for-go", "github.com/ncw/swift/v2", "google.golang.org/api",
	},

	// The stages: what is done for a video. They know neither queue nor ledger
	// nor one another.
	"internal/stage/fetch":     {".", "flow", "internal/disk", "internal/download", "internal/page", "internal/scratch", "internal/staging", "internal/tap"},
	"internal/stage/plan":      {".", "internal/cmaf", "internal/ffmpeg", "internal/grid", "internal/ladder", "internal/tap"},
	"internal/stage/encode":    {".", "flow", "internal/cmaf", "internal/ffmpeg", "internal/process", "internal/publish", "internal/tap", "internal/wrap"},
	"internal/stage/audio":     {".", "flow", "internal/cmaf", "internal/ffmpeg", "internal/process", "internal/publish", "internal/tap", "internal/wrap"},
	"internal/stage/subtitles": {".", "internal/ffmpeg", "internal/publish", "internal/tap", "internal/webvtt", "internal/wrap", text},
	"internal/stage/finish":    {".", "flow", "internal/cmaf", "internal/early", "internal/ffmpeg", "internal/hls", "internal/keys", "internal/plaintext", "internal/process", "internal/store", "internal/storyboard", "internal/verify", "internal/wrap"},
	"internal/early":           {".", "internal/grid", "internal/hls", "internal/keys", "internal/store", "internal/wrap"},
	"internal/publish":         {".", "flow", "internal/disk", "internal/keys", "internal/store"},
	"internal/verify":          {".", "flow", "internal/cmaf", "internal/ffmpeg", "internal/hls", "internal/keys", "internal/mpegts", "internal/store", "internal/storyboard", "internal/webvtt", "internal/wrap"},

	// Who decides, and who works.
	"internal/schedule": {".", "internal/ledger", "internal/queue", errgroup},
	"internal/worker":   {".", "internal/queue", errgroup},

	// What people and programs see of it.
	"internal/config":   {".", "internal/plaintext", "internal/spelling", "github.com/knadh/koanf", "github.com/spf13/pflag"},
	"internal/metrics":  {".", "github.com/prometheus/client_golang"},
	"internal/inbox":    {".", "internal/plaintext", "internal/spelling"},
	"internal/intake":   {".", "internal/ledger", "internal/plaintext", "internal/spelling", "go.yaml.in/yaml/v3"},
	"internal/callback": {".", "internal/guard", "internal/ledger", "internal/plaintext"},
	"internal/watch":    {".", "github.com/fsnotify/fsnotify"},
	"internal/progress": {".", "internal/plaintext", "golang.org/x/term"},
	"internal/webapi":   {".", "internal/plaintext", "github.com/danielgtaylor/huma/v2"},
	"internal/server":   {".", "internal/plaintext", "internal/process", "internal/store", "internal/web"},
	"internal/web":      {},
	"internal/demo":     {".", "internal/process", errgroup, "golang.org/x/time"},

	// What only tests import: conformance suites, media, a browser.
	"internal/queue/queuetest":   {".", "internal/queue"},
	"internal/ledger/ledgertest": {".", "internal/ledger"},
	"internal/store/storetest":   {".", "internal/store"},
	"internal/verify/verifytest": {".", "internal/cmaf", "internal/keys", "internal/store", "internal/verify"},
	"internal/mediatest":         {"internal/process"},
	"internal/torturetest":       {"internal/mediatest"},
	"internal/playtest":          {"internal/process", "internal/web"},
	"internal/hosttest":          {"internal/process"},
	"internal/brokertest":        {"internal/process"},
	"internal/fleettest":         {".", "internal/brokertest", "internal/keys", "internal/ledger", "internal/ledger/sqliteledger", "internal/process", "internal/queue", "internal/queue/sealed", "internal/schedule", "internal/worker"},

	// The command knows everybody. The benchmark knows nobody: a yardstick shares
	// nothing with what it measures. Its crew are Spool's own workers, because
	// they are not what is measured.
	"cmd/spool":  {everything},
	"bench":      {},
	"bench/crew": {".", "internal/queue", "internal/queue/natsq", "internal/queue/rabbitq", "internal/queue/redisq", "internal/worker"},
}

const (
	everything = "*"
	mp4ff      = "github.com/Eyevinn/mp4ff"
	rclone     = "github.com/rclone/rclone"
	errgroup   = "golang.org/x/sync"
	system     = "golang.org/x/sys"
	text       = "golang.org/x/text"
)

// nevers hold for every line of the table, whatever it says.
var nevers = []struct {
	who, except, what []string // folders and import paths; "x/..." is x and all below
	why               string
}{
	{
		all,
		[]string{"cmd/spool", "bench/crew"},
		engines,
		"an engine is chosen in cmd/spool; all others speak to its contract",
	},
	{all, nil, []string{"cmd/..."}, "a command is nobody's library"},
	{
		[]string{"internal/stage/..."},
		nil,
		[]string{"internal/queue/...", "internal/ledger/...", "internal/schedule", "internal/worker", "internal/stage/..."},
		"a stage knows neither queue nor ledger nor another stage",
	},
	{
		[]string{"internal/worker"},
		nil,
		[]string{"internal/ledger/...", "internal/schedule"},
		"a worker runs without a database; what it needs is in the job",
	},
	{
		[]string{"internal/ladder", "internal/grid", "internal/hls", "internal/cmaf", "internal/mpegts", "internal/wrap", "internal/estimate", "internal/plaintext", "internal/rules", "internal/spelling", "internal/survey/m3u8", "internal/survey/stream"},
		nil,
		[]string{"os", "net", "net/http", "time/tzdata"},
		"pure knowledge touches neither files nor network",
	},
	{[]string{".", "flow"}, nil, []string{"internal/...", "cmd/..."}, "public packages stand alone"},
	{all, []string{"internal/store/remote"}, []string{rclone + "/..."}, "one package knows rclone"},
}

var (
	all     = []string{"./..."}
	engines = []string{"internal/queue/...", "internal/ledger/...", "internal/store/..."}
)

// contracts are the packages whose engines must pass one conformance suite.
var contracts = []string{"internal/queue", "internal/ledger", "internal/store"}

func TestImportLaw(t *testing.T) {
	seen := map[string]bool{}
	imports := map[string][]string{} // folder → what its files import, but for its tests
	for _, f := range sources(t) {
		seen[f.dir] = true
		if !f.test {
			imports[f.dir] = append(imports[f.dir], f.imports()...)
		}
		line, listed := law[f.dir]
		for _, imported := range f.imports() {
			if err := lawful(f, imported, line, listed); err != nil {
				t.Error(err)
			}
		}
	}
	for _, dir := range sorted(seen) {
		if _, listed := law[dir]; !listed {
			t.Errorf("package %s has no line in the import law: add %q: {what it may import} to the table in law_test.go and say in docs/architecture.md what it is for", dir, dir)
		}
	}
	for dir, line := range law {
		if !seen[dir] {
			t.Errorf("the import law has a line for %s, but there is no such package: remove the line", dir)
		}
		for _, road := range unused(line, imports[dir]) {
			t.Errorf("the import law lets %s import %s, and no file of it does: strike that", dir, road)
		}
	}
}

// unused are the entries of a line that no import needs.
func unused(line, imports []string) []string {
	return slices.DeleteFunc(slices.Clone(line), func(entry string) bool {
		return entry == everything || slices.ContainsFunc(imports, func(imported string) bool { return allows(entry, imported) })
	})
}

// allows reports whether an entry of a line is for an import.
func allows(entry, imported string) bool {
	local, ours := ourFolder(imported)
	return local == entry || !ours && below(imported, entry)
}

// lawful judges one import of one file.
func lawful(f source, imported string, line []string, listed bool) error {
	local, ours := ourFolder(imported)
	if forTests(local) && !f.test && !forTests(f.dir) {
		return fmt.Errorf("%s imports %s, which is for tests only", f.name, local)
	}
	if f.test || forTests(f.dir) {
		return nil
	}
	for _, n := range nevers {
		isContract := slices.Contains(contracts, local) && slices.Equal(n.what, engines)
		if among(f.dir, n.who) && !among(f.dir, n.except) && among(local, n.what) && !isContract {
			return fmt.Errorf("%s imports %s: %s", f.name, local, n.why)
		}
	}
	if !listed || slices.Contains(line, everything) || !ours && standard(imported) {
		return nil
	}
	if !slices.ContainsFunc(line, func(entry string) bool { return allows(entry, imported) }) {
		return fmt.Errorf("%s imports %s, which its line in the import law does not allow", f.name, local)
	}
	return nil
}

// TestImportLawBites shows that the law forbids what it is there to forbid.
func TestImportLawBites(t *testing.T) {
	tests := []struct {
		dir, imported string
		test, allowed bool
	}{
		{"internal/stage/fetch", module + "/internal/queue", false, false},
		{"internal/stage/fetch", module + "/internal/stage/plan", false, false},
		{"internal/worker", module + "/internal/ledger", false, false},
		{"internal/schedule", module + "/internal/ledger/sqliteledger", false, false},
		{"internal/schedule", module + "/internal/ledger", false, true},
		{"internal/schedule", module + "/internal/ledger/sqliteledger", true, true},
		{"internal/ladder", "os", false, false},
		{"internal/ladder", "golang.org/x/sys/unix", false, false},
		{"internal/grid", module + "/internal/queue/queuetest", false, false},
		{"internal/process", "golang.org/x/sys/unix", false, true},
		{"flow", module + "/internal/grid", false, false},
		{"cmd/spool", module + "/internal/queue/memq", false, true},
		{"internal/nowhere", module + "/cmd/spool", false, false},
		{"cmd/spool", rclone + "/fs", false, false},
		{"internal/store/remote", rclone + "/fs", false, true},
	}
	for _, test := range tests {
		line, listed := law[test.dir]
		err := lawful(source{name: test.dir + "/x.go", dir: test.dir, test: test.test}, test.imported, line, listed)
		if allowed := err == nil; allowed != test.allowed {
			t.Errorf("%s importing %s (test file: %v): allowed %v, want %v", test.dir, test.imported, test.test, allowed, test.allowed)
		}
	}
	line := []string{".", "flow", "internal/ledger", mp4ff, text}
	used := []string{"os", module, module + "/internal/ledger/sqliteledger", mp4ff + "/mp4"}
	if got, want := unused(line, used), []string{"flow", "internal/ledger", text}; !slices.Equal(got, want) {
		t.Errorf("unused of %v: %v, want %v", line, got, want)
	}
}

// source is one parsed Go file.
type source struct {
	name  string // below the module, with slashes
	dir   string
	test  bool // a _test.go file
	text  string
	files *token.FileSet
	tree  *ast.File
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := walk(func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		tree, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		found = append(found, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), string(text), files, tree})
		return nil
	})
	if err != nil {
		t.Fatalf("read the sources: %v", err)
	}
	return found
}

// walk visits every file of the module, by its slash-separated name. It stays
// out of hidden folders, of what is built or fetched, and of other modules.
func walk(visit func(name string) error) error {
	return filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return visit(filepath.ToSlash(name))
		}
		if name == "." {
			return nil
		}
		base := entry.Name()
		if strings.HasPrefix(base, ".") || slices.Contains([]string{"testdata", "node_modules", "bin", "dist"}, base) {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
			return fs.SkipDir
		}
		return nil
	})
}

func (f source) imports() []string {
	var paths []string
	for _, spec := range f.tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// at is a node's place, for a message.
func (f source) at(n ast.Node) string { return f.files.Position(n.Pos()).String() }

// ourFolder turns an import path of Spool into a folder; others stay.
func ourFolder(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// forTests reports whether only tests may import the folder.
func forTests(dir string) bool {
	return strings.HasPrefix(dir, "internal/") && strings.HasSuffix(dir, "test")
}

func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func below(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }

func among(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		root, tree := strings.CutSuffix(p, "/...")
		return root == "." && tree || name == root || tree && below(name, root)
	})
}

func sorted(set map[string]bool) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
