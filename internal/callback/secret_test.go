package callback

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func encoded(s Secret) string { return base64.StdEncoding.EncodeToString(s.key) }

// The secret is made once, for its owner alone, and is not shown.
func TestSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "webhook-secret")
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	first, err := Make(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Make(path)
	if err != nil || encoded(first[0]) != encoded(again[0]) {
		t.Errorf("another one the second time: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, form := range []string{"%v", "%s", "%+v"} {
		if shown := fmt.Sprintf(form, first); strings.Contains(shown, encoded(first[0])[:8]) {
			t.Errorf("%s shows %s", form, shown)
		}
	}
}

// The example of the specification's libraries, and two secrets at once.
func TestSign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	const one = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	if err := os.WriteFile(path, []byte("\n"+one+"\r\nwhsec_"+strings.Repeat("AAAA", 8)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)))
	if len(got) != 2 || got[0] != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || got[1] == got[0] {
		t.Errorf("signatures %q", got)
	}
}

func TestWrongSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for text, says := range map[string]string{
		"": "it is empty", "\n": "it is empty", "hidden": "line 1", "whsec_hidden!": "line 1", "whsec_aGlkZGVu": "line 1",
		"whsec_" + strings.Repeat("AAAA", 8) + "\nhidden": "line 2", strings.Repeat("hidden", 1000): "too large",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Make(path)
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != "bad-webhook-secret" || !strings.Contains(e.Reason, says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The example in the documents verifies what is sent, and nothing else.
func TestDocumentedVerification(t *testing.T) {
	page, err := os.ReadFile("../../docs/callbacks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```python\n")
	example, _, _ := strings.Cut(rest, "```")
	if !found {
		t.Fatal("there is no example")
	}
	secrets, err := Make(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for body, want := range map[string]bool{`{"v":1}`: true, `{"v":2}`: false} {
		program := example + fmt.Sprintf("\nverify(%q, {'webhook-id': 'msg_1', 'webhook-timestamp': '%d', 'webhook-signature': %q}, %q.encode())\n",
			prefix+encoded(secrets[0]), now.Unix(), "v1,AAAA "+secrets.sign("msg_1", now, []byte(`{"v":1}`)), body)
		said, err := exec.CommandContext(t.Context(), "python3", "-c", program).CombinedOutput()
		if (err == nil) != want || err != nil && !strings.Contains(string(said), "not signed by Spool") {
			t.Errorf("%s: %v\n%s", body, err, said)
		}
	}
}
