//go:build soak

package schedule_test

import "testing"

func TestSoakSimulation(t *testing.T) { play(t, 201, 10_201) }
