package queue_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// TestNoMessageHoldsATimeOfDay: the clocks of hosts need not agree, by an hour
// or by a year.
func TestNoMessageHoldsATimeOfDay(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(path string, of reflect.Type)
	look = func(path string, of reflect.Type) {
		if of == reflect.TypeFor[time.Time]() {
			t.Errorf("%s is a time of day", path)
		}
		if seen[of] {
			return
		}
		seen[of] = true
		switch of.Kind() { //nolint:exhaustive // all others hold nothing else
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			look(path, of.Elem())
		case reflect.Struct:
			for i := range of.NumField() {
				look(path+"."+of.Field(i).Name, of.Field(i).Type)
			}
		}
	}
	for _, message := range []any{queue.Message{}, spool.Beat{}, spool.Report{}} {
		look(reflect.TypeOf(message).Name(), reflect.TypeOf(message))
	}
	if !seen[reflect.TypeFor[spool.AudioPiece]()] {
		t.Error("it did not look into plans")
	}
}
