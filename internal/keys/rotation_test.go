package keys

import "testing"

func TestKeysOfARevisionAreTold(t *testing.T) {
	for n := range 3 {
		id := ID("r1a", n, true)
		uri, err := ExpandURI("https://k.example/{video}/x-{key}.key?v=r1", "r1a-video", id)
		if err != nil {
			t.Fatal(err)
		}
		if got := Named(uri, "r1a"); got != id {
			t.Errorf("%s names %s, want %s", uri, got, id)
		}
	}
	for uri, want := range map[string]string{
		"/keys/v/" + ID("r1a", 0, false) + ".key": "r1a",
		"/keys/v/r1a-100000.key":                  "r1a-100000",
		"":                                        "r1a",
	} {
		if got := Named(uri, "r1a"); got != want {
			t.Errorf("%q names %s, want %s", uri, got, want)
		}
	}
}
