package config

import (
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of values. Set reads what String writes; its errors say what is
// allowed, and whoever shows them says which setting it is.

type textValue struct {
	to      *string
	arg     string
	allowed []string // nil: anything
}

func text(to *string, arg string) *textValue { return &textValue{to: to, arg: arg} }

func choice(to *string, arg string, allowed ...string) *textValue {
	return &textValue{to: to, arg: arg, allowed: allowed}
}

func (v *textValue) String() string { return *v.to }
func (v *textValue) Type() string   { return v.arg }

func (v *textValue) Set(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return fmt.Errorf("no control characters are allowed")
	}
	if v.allowed != nil && !slices.Contains(v.allowed, s) {
		return fmt.Errorf("allowed are %s", strings.Join(v.allowed, ", "))
	}
	*v.to = s
	return nil
}

type numberValue struct {
	to                *int
	smallest, largest int
}

func number(to *int, smallest, largest int) *numberValue {
	return &numberValue{to: to, smallest: smallest, largest: largest}
}

func (v *numberValue) String() string { return strconv.Itoa(*v.to) }
func (v *numberValue) Type() string   { return "N" }

func (v *numberValue) Set(s string) error {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < v.smallest || n > v.largest {
		return fmt.Errorf("allowed is a number from %d to %d", v.smallest, v.largest)
	}
	*v.to = n
	return nil
}

// globs are patterns of names.
type globs []string

func (v *globs) String() string { return strings.Join(*v, ",") }
func (v *globs) Type() string   { return "GLOBS" }

func (v *globs) Set(s string) error {
	var all []string
	for pattern := range strings.SplitSeq(s, ",") {
		pattern = strings.TrimSpace(pattern)
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("allowed are patterns with commas between them, as *.mp4,2026/**")
		}
		all = append(all, pattern)
	}
	*v = all
	return nil
}

// places are folders, lists, pages: whatever a source may be.
type places []string

func (v *places) String() string { return strings.Join(*v, ",") }
func (v *places) Type() string   { return "SOURCES" }

func (v *places) Set(s string) error {
	var all []string
	for place := range strings.SplitSeq(s, ",") {
		if place = strings.TrimSpace(place); place == "" || strings.ContainsFunc(place, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return fmt.Errorf("allowed are sources with commas between them, as /mnt/nas/incoming,films.txt")
		}
		all = append(all, place)
	}
	*v = all
	return nil
}

type truth bool

func (v *truth) String() string { return strconv.FormatBool(bool(*v)) }
func (v *truth) Type() string   { return "bool" }

func (v *truth) Set(s string) error {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "1":
		*v = true
	case "false", "no", "off", "0":
		*v = false
	default:
		return fmt.Errorf("allowed are true and false")
	}
	return nil
}

type span time.Duration

func (v *span) String() string { return time.Duration(*v).String() }
func (v *span) Type() string   { return "TIME" }

func (v *span) Set(s string) error {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d < 0 {
		return fmt.Errorf("allowed is a time such as 30s or 5m")
	}
	*v = span(d)
	return nil
}

// seconds is a time of whole seconds, written as 6s or 6.
type seconds struct {
	to                *int
	smallest, largest int
}

func (v *seconds) String() string { return strconv.Itoa(*v.to) + "s" }
func (v *seconds) Type() string   { return "TIME" }

func (v *seconds) Set(s string) error {
	s = strings.TrimSpace(s)
	d, err := time.ParseDuration(s)
	if n, aerr := strconv.Atoi(s); aerr == nil {
		d, err = time.Duration(min(max(n, -1), v.largest+1))*time.Second, nil
	}
	n := int(d / time.Second)
	if err != nil || d%time.Second != 0 || n < v.smallest || n > v.largest {
		return fmt.Errorf("allowed are whole seconds from %ds to %ds", v.smallest, v.largest)
	}
	*v.to = n
	return nil
}

type sizes []int

func (v *sizes) String() string {
	parts := make([]string, len(*v))
	for i, n := range *v {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}

func (v *sizes) Type() string { return "LIST" }

// What a size may be, in pixels, and how many there may be.
const (
	smallestSide, largestSide = 64, 4320
	mostSizes                 = 10
)

func (v *sizes) Set(s string) error {
	var list sizes
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(part), "p"))
		if err != nil || n < smallestSide || n > largestSide || n%2 != 0 {
			return fmt.Errorf("allowed are even numbers from %d to %d, as 360,720,1080", smallestSide, largestSide)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) > mostSizes {
		return fmt.Errorf("allowed are at most %d sizes", mostSizes)
	}
	*v = list
	return nil
}

type networks []netip.Prefix

func (v *networks) String() string {
	parts := make([]string, len(*v))
	for i, n := range *v {
		parts[i] = n.String()
	}
	return strings.Join(parts, ",")
}

func (v *networks) Type() string { return "LIST" }

func (v *networks) Set(s string) error {
	var list networks
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		network, err := netip.ParsePrefix(part)
		if addr, aerr := netip.ParseAddr(part); aerr == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() {
			return fmt.Errorf("allowed are addresses and networks, as 10.0.0.0/8,192.168.1.5")
		}
		list = append(list, network.Masked())
	}
	*v = list
	return nil
}

// units of a Limit. Powers of ten, and of two with an i, as disks and memory
// are sold.
var units = []struct {
	name  string
	bytes float64
}{
	{"KIB", 1 << 10},
	{"MIB", 1 << 20},
	{"GIB", 1 << 30},
	{"TIB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"K", 1e3},
	{"M", 1e6},
	{"G", 1e9},
	{"T", 1e12},
	{"B", 1},
	{"", 1},
}

// String writes the limit as Set reads it.
func (l *Limit) String() string {
	if l.Bytes > 0 || l.Share == 0 {
		return strconv.FormatInt(l.Bytes, 10) + "B"
	}
	return strconv.FormatFloat(l.Share*100, 'g', 6, 64) + "%"
}

// Type is the limit's name in help texts.
func (l *Limit) Type() string { return "SIZE" }

// Set reads "80%", "20GB", "500 MiB" or a number of bytes.
func (l *Limit) Set(s string) error {
	allowed := fmt.Errorf("allowed is a share of the free space such as 80%%, or a size such as 20GB of at least 1MB")
	s = strings.ToUpper(strings.TrimSpace(s))
	if share, found := strings.CutSuffix(s, "%"); found {
		n, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil || !(n >= 1 && n <= 100) {
			return allowed
		}
		*l = Limit{Share: n / 100}
		return nil
	}
	for _, u := range units {
		digits, found := strings.CutSuffix(s, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if n *= u.bytes; err != nil || !(n >= 1e6 && n < math.MaxInt64/2) {
			return allowed
		}
		*l = Limit{Bytes: int64(n)}
		return nil
	}
	return allowed
}
