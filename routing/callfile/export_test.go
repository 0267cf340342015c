package callfile

// Scan is the quick reader alone.
func Scan(line string) (c Call, ok bool) {
	ok = scan(line, &c)
	return c, ok
}
