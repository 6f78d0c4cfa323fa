//go:build soak

package schedule_test

import "testing"

func TestSoakSimulation(t *testing.T) { playAll(t, 201, 10_201, 100) }
