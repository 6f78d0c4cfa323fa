package process

// Confine is all that a child may touch of the machine: what its program is
// made of (system folders of programs and libraries, its own folder), and what
// is listed here. The kernel holds it to that, as far as it can: see
// Confinement.
type Confine struct {
	// Read are files, and folders with all that is in them, that it may read.
	// One that is missing is no error here; the child finds that out.
	Read []string
	// ReadAll: it may read whatever its user may. For programs whose own parts
	// may lie anywhere.
	ReadAll bool
	// Write are folders in which it may do as it likes, and that it may read.
	Write []string
	// Port is the one TCP port that it may connect to. 0: none.
	Port int
	// Network: it may connect to anything. Port says nothing then.
	Network bool
}

// Confinement says what the kernel can hold a child to.
type Confinement struct {
	Files  bool // to its files
	Ports  bool // to its TCP port
	Apart  bool // without a network at all, where it needs none
	Reason string
}

// String is in words for a person.
func (c Confinement) String() string {
	switch {
	case c.Files && c.Apart:
		return "programs see only their own files, and no network that they do not need"
	case c.Files && c.Ports:
		return "programs see only their own files, and no TCP port that they do not need"
	case c.Files:
		return "programs see only their own files, but the whole network: " + c.Reason
	case c.Apart:
		return "programs see no network that they do not need, but all files: " + c.Reason
	}
	return "none: " + c.Reason
}
