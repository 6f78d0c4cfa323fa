package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool"
)

var testKey = []byte("0123456789abcdef")

func TestContentKeysDiffer(t *testing.T) {
	a, err := NewContentKey()
	if err != nil || len(a) != ContentKeySize {
		t.Fatalf("NewContentKey() = %d bytes, %v", len(a), err)
	}
	b, err := NewContentKey()
	if err != nil || bytes.Equal(a, b) {
		t.Fatalf("two keys are equal, or %v", err)
	}
}

// The expected value was computed with
// printf 'v0-360p\0\0\0\0\0\0\0\0\7' | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef
func TestIVIsFixedByKeyRenditionAndNumber(t *testing.T) {
	iv := IV(testKey, "v0-360p", 7)
	if got, want := hex.EncodeToString(iv[:]), "ca0793b1fd4c79f059dfaadc005824b7"; got != want {
		t.Errorf("IV = %s, want %s", got, want)
	}
	seen := map[[16]byte]string{iv: "first"}
	for _, other := range []struct {
		key       string
		rendition string
		number    int
	}{
		{"0123456789abcdeX", "v0-360p", 7},
		{string(testKey), "v1-720p", 7},
		{string(testKey), "v0-360p", 8},
		{string(testKey), "v0-360p", 7 + 1<<32},
	} {
		iv := IV([]byte(other.key), other.rendition, other.number)
		if before, ok := seen[iv]; ok {
			t.Errorf("%+v has the IV of %s", other, before)
		}
		seen[iv] = other.rendition
	}
}

func TestEncryptRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 15, 16, 17, 4096} {
		plain := bytes.Repeat([]byte{0x42}, size)
		sealed, err := Encrypt(testKey, "a0-und", 3, plain)
		if err != nil {
			t.Fatal(err)
		}
		if want := (size/16 + 1) * 16; len(sealed) != want {
			t.Errorf("%d bytes become %d, want %d", size, len(sealed), want)
		}
		back, err := Decrypt(testKey, IV(testKey, "a0-und", 3), sealed)
		if err != nil || !bytes.Equal(back, plain) {
			t.Errorf("size %d: Decrypt = %d bytes, %v", size, len(back), err)
		}
	}
}

// OpenSSL, which shares no code with us, must read what we write.
func TestEncryptAgreesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	plain := []byte("a segment that is not a multiple of sixteen")
	sealed, err := Encrypt(testKey, "v0-360p", 0, plain)
	if err != nil {
		t.Fatal(err)
	}
	iv := IV(testKey, "v0-360p", 0)
	cmd := exec.Command(openssl, "enc", "-d", "-aes-128-cbc", "-K", hex.EncodeToString(testKey), "-iv", hex.EncodeToString(iv[:]))
	cmd.Stdin = bytes.NewReader(sealed)
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, plain) {
		t.Fatalf("openssl gives %q, %v", out, err)
	}
}

func TestDecryptRefusesDamage(t *testing.T) {
	sealed, err := Encrypt(testKey, "v0-360p", 0, []byte("sixteen bytes...and more"))
	if err != nil {
		t.Fatal(err)
	}
	iv := IV(testKey, "v0-360p", 0)
	if _, err := Decrypt(testKey, iv, sealed[:len(sealed)-1]); !errors.Is(err, ErrBlockSize) {
		t.Errorf("short: %v", err)
	}
	if _, err := Decrypt(testKey, iv, nil); !errors.Is(err, ErrBlockSize) {
		t.Errorf("empty: %v", err)
	}
	if _, err := Decrypt([]byte("0123456789abcdeX"), iv, sealed); !errors.Is(err, ErrPadding) {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := Decrypt([]byte("short"), iv, sealed); err == nil {
		t.Error("a key of 5 bytes is taken")
	}
	if _, err := Encrypt(nil, "v", 0, nil); err == nil {
		t.Error("no key is taken")
	}
}

func TestMasterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "master.key")
	m, created, err := OpenMaster(path)
	if err != nil || !created {
		t.Fatalf("OpenMaster = %v, %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != masterKeySize {
		t.Fatalf("master file: %v, %v", info, err)
	}
	wrapped, err := m.Wrap("vid", "r1", testKey)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wrapped, testKey) {
		t.Error("the wrapped key holds the key")
	}
	again, created, err := OpenMaster(path)
	if err != nil || created {
		t.Fatalf("second OpenMaster = %v, %v", created, err)
	}
	if back, err := again.Unwrap("vid", "r1", wrapped); err != nil || !bytes.Equal(back, testKey) {
		t.Errorf("Unwrap = %x, %v", back, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the master key lies something: %v, %v", left, err)
	}
}

func TestUnwrapRefuses(t *testing.T) {
	m, _, err := OpenMaster(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := OpenMaster(filepath.Join(t.TempDir(), "b"))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := m.Wrap("vid", "r1", testKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() ([]byte, error){
		"other master":   func() ([]byte, error) { return other.Unwrap("vid", "r1", wrapped) },
		"other video":    func() ([]byte, error) { return m.Unwrap("vid2", "r1", wrapped) },
		"other revision": func() ([]byte, error) { return m.Unwrap("vid", "r2", wrapped) },
		"short":          func() ([]byte, error) { return m.Unwrap("vid", "r1", wrapped[:5]) },
		"empty":          func() ([]byte, error) { return m.Unwrap("vid", "r1", nil) },
	} {
		if _, err := try(); !errors.Is(err, ErrUnwrap) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		if _, err := m.Unwrap("vid", "r1", bad); !errors.Is(err, ErrUnwrap) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	if _, err := m.Wrap("vid", "r1", []byte("short")); err == nil {
		t.Error("a short key is wrapped")
	}
}

func TestMasterFileIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		mode os.FileMode
		size int
		code string
	}{
		{"group may read", 0o640, masterKeySize, "master-key-exposed"},
		{"world may read", 0o604, masterKeySize, "master-key-exposed"},
		{"others may write", 0o622, masterKeySize, "master-key-exposed"},
		{"short", 0o600, 31, "master-key-damaged"},
		{"empty", 0o600, 0, "master-key-damaged"},
	} {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(path, make([]byte, c.size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, _, err := OpenMaster(path)
		if e := spool.AsError(err); err == nil || e.Code != c.code || e.Hint == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMasterIsMadeOnceByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var wg sync.WaitGroup
	var wrapped [8][]byte
	var made [8]bool
	for i := range wrapped {
		wg.Go(func() {
			m, created, err := OpenMaster(path)
			if err != nil {
				t.Error(err)
				return
			}
			made[i] = created
			if wrapped[i], err = m.Wrap("v", "r", testKey); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, _, err := OpenMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, w := range wrapped {
		if _, err := m.Unwrap("v", "r", w); err != nil {
			t.Error(err)
		}
		if made[i] {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d made the file", count)
	}
}

func TestExpandURI(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"/keys/{video}/{key}.key", "/keys/vid/k1.key"},
		{"https://k.example.com/{key}", "https://k.example.com/k1"},
		{"https://{video}.k.example.com/now", "https://vid.k.example.com/now"},
		{"http://k.example.com:8080/?v={video}&k={key}", "http://k.example.com:8080/?v=vid&k=k1"},
		{"../../keys/{key}.key", "../../keys/k1.key"},
		{"//cdn.example.com/{key}", ""},
		{"https://k.example.com/one.key", ""},
		{"ftp://k.example.com/{key}", ""},
		{"file:///keys/{key}", ""},
		{"data:text/plain,{key}", ""},
		{"javascript:{key}", ""},
		{"https:///{key}", ""},
		{"https://user:pw@k.example.com/{key}", ""},
		{"https://k.example.com/{key}/{rung}", ""},
		{"https://k.example.com/{key}\"", ""},
		{"https://k.example.com/{key}\n#EXT", ""},
		{"https://k.example.com/a b/{key}", ""},
		{"", ""},
	} {
		got, err := ExpandURI(c.template, "vid", "k1")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("ExpandURI(%q) = %q, %v", c.template, got, err)
		}
		if err != nil && (spool.AsError(err).Code != "bad-key-uri" || strings.Contains(err.Error(), "user:pw")) {
			t.Errorf("ExpandURI(%q): %v", c.template, err)
		}
	}
}

func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	for range 2 { // the second time finds it
		if err := Export(dir, "vid", "k1", testKey); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "vid", "k1.key")
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, testKey) {
		t.Fatalf("key file: %x, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	err = Export(dir, "vid", "k1", []byte("another key.....")) // 16 bytes
	if spool.AsError(err).Code != "key-differs" {
		t.Errorf("another key of the same name: %v", err)
	}
	// What a crash of another program left short is no key: it is replaced.
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Export(dir, "vid", "k1", testKey); err != nil {
		t.Error(err)
	}
	for _, bad := range [][2]string{{"../x", "k"}, {"vid", "../k"}, {"vid", ""}, {"a/b", "k"}} {
		if err := Export(dir, bad[0], bad[1], testKey); err == nil {
			t.Errorf("Export(%q) is taken", bad)
		}
	}
	if err := Export(dir, "vid", "k2", testKey[:15]); err == nil {
		t.Error("a key of 15 bytes is exported")
	}
}

func TestExportToAFolderThatIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Export(dir, "vid", "k1", testKey)
	if e := spool.AsError(err); e.Class != spool.Environment || e.Code != "keys-not-writable" {
		t.Errorf("Export: %v", err)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"k1", "k2", "k3"} {
		if err := Export(dir, "vid", id, testKey); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(dir, "vid", "k2"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "vid"))
	if err != nil || len(left) != 1 || left[0].Name() != "k2.key" {
		t.Errorf("left: %v, %v", left, err)
	}
	for range 2 { // the second time there is nothing
		if err := Remove(dir, "vid"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "vid")); err == nil {
		t.Error("the empty folder stays")
	}
	if err := Remove(dir, "../vid"); err == nil {
		t.Error("Remove leaves its folder")
	}
}

func TestCheckOutside(t *testing.T) {
	root := t.TempDir()
	dest := filepath.Join(root, "bucket")
	if err := os.Mkdir(dest, 0o700); err != nil {
		t.Fatal(err)
	}
	link := func(name, target string) string {
		path := filepath.Join(root, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, keys, dest string
		ok               bool
	}{
		{"beside", filepath.Join(root, "keys"), dest, true},
		{"name begins alike", dest + "-keys", dest, true},
		{"the same", dest, dest, false},
		{"inside, not there yet", filepath.Join(dest, "a", "b"), dest, false},
		{"inside by dots", filepath.Join(root, "keys", "..", "bucket", "k"), dest, false},
		{"link into it", filepath.Join(link("in", dest), "k"), dest, false},
		{"link to what is not there yet", link("soon", filepath.Join(dest, "later")), dest, false},
		{"relative link", link("rel", "bucket/x"), dest, false},
		{"destination is a link", filepath.Join(dest, "k"), link("to", dest), false},
		{"around it", root, dest, false},
		{"neither is there", filepath.Join(root, "x", "keys"), filepath.Join(root, "y"), true},
		{"inside what is not there", filepath.Join(root, "y", "k"), filepath.Join(root, "y"), false},
		{"a link to itself", link("loop", "loop"), dest, false},
	} {
		if err := CheckOutside(c.keys, c.dest); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
