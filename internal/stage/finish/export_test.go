package finish

// Suspicious makes a stage look whether it was overtaken before each step, as if
// each had taken long.
func (s Stage) Suspicious() Stage {
	s.suspicious = true
	return s
}
