package decider

// CheckReply reads an answer, for the fuzzer.
func CheckReply(body []byte) (destinations int, noRoute bool, err error) {
	r, err := parseReply(body)
	if err != nil {
		return 0, false, err
	}
	return len(r.Destinations), r.NoRoute, nil
}
