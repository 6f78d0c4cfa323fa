// Package spelling finds the word that was probably meant.
package spelling

// Nearest gives the known word that needs the fewest edits (insert, delete,
// replace, swap of neighbours) to become word; "" when none is near enough
// to be a likely slip: at most a third of the longer word, rounded up.
func Nearest(word string, known []string) string {
	best, fewest := "", 1<<30
	for _, k := range known {
		if d := Distance(word, k); d < fewest {
			best, fewest = k, d
		}
	}
	if best == "" || fewest > (max(len(word), len(best))+2)/3 {
		return ""
	}
	return best
}

// Distance counts the edits between two words, by bytes: optimal string
// alignment.
func Distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

func differ(x, y byte) int {
	if x == y {
		return 0
	}
	return 1
}
