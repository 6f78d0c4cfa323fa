package verifytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spool-video/spool/internal/store"
)

// Memory is a store in memory whose objects a test may damage, and which may
// be told to refuse.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte           // owned by mu
	options map[string]store.PutOptions // owned by mu
	puts    []string                    // owned by mu

	// Refuse, when set, is asked before every change and reading, by one at a
	// time; its error is the call's.
	Refuse func(action, name string) error
	asking sync.Mutex
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{objects: map[string][]byte{}, options: map[string]store.PutOptions{}}
}

// Clone copies the store; objects are shared until they are replaced.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{objects: maps.Clone(m.objects), options: maps.Clone(m.options)}
}

// Names lists all objects, sorted.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.objects))
}

// Puts lists the names that were put, in order.
func (m *Memory) Puts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.puts)
}

// Headers gives what an object is served with.
func (m *Memory) Headers(name string) store.PutOptions {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.options[name]
}

// Bytes gives a copy of an object, or nil.
func (m *Memory) Bytes(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.objects[name])
}

// Set replaces an object; nil removes it.
func (m *Memory) Set(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if content == nil {
		delete(m.objects, name)
		return
	}
	m.objects[name] = content
}

func (m *Memory) refused(action, name string) error {
	if m.Refuse == nil {
		return nil
	}
	m.asking.Lock()
	defer m.asking.Unlock()
	return m.Refuse(action, name)
}

// Put implements store.Store.
func (m *Memory) Put(_ context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if err := store.CheckName(name); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := m.refused("put", name); err != nil {
		return err
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	m.Set(name, content)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.options[name] = o
	m.puts = append(m.puts, name)
	return nil
}

// Open implements store.Store.
func (m *Memory) Open(_ context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := m.refused("open", name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, store.ErrNotFound)
	}
	content = content[min(offset, int64(len(content))):]
	if length >= 0 {
		content = content[:min(length, int64(len(content)))]
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// Stat implements store.Store.
func (m *Memory) Stat(_ context.Context, name string) (store.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[name]
	if !ok {
		return store.Info{}, fmt.Errorf("stat %s: %w", name, store.ErrNotFound)
	}
	return store.Info{Name: name, Size: int64(len(content))}, nil
}

// List implements store.Store.
func (m *Memory) List(_ context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for _, name := range m.Names() {
			if strings.HasPrefix(name, prefix) && !yield(store.Info{Name: name, Size: int64(len(m.Bytes(name)))}, nil) {
				return
			}
		}
	}
}

// Delete implements store.Store.
func (m *Memory) Delete(_ context.Context, name string) error {
	if err := m.refused("delete", name); err != nil {
		return err
	}
	m.Set(name, nil)
	return nil
}

// Properties implements store.Store.
func (m *Memory) Properties() store.Properties {
	return store.Properties{Address: "memory", AtomicPut: true}
}
