package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testMetadata is what rtpengine 10.5 has written of a call with a re-INVITE, and some
// lines that a party could have put into its SDP.
func testMetadata(t *testing.T) *metadata {
	t.Helper()
	m, err := readFile("testdata/metadata.txt")
	require.NoError(t, err)
	return m
}

func TestMetadata(t *testing.T) {
	m := testMetadata(t)
	assert.Equal(t, "one%40host-a91b7b97aded4a89.pcap", m.pcap)
	assert.Equal(t, "c-1", m.call, "a party's SDP doesn't say which call it is")
	assert.Equal(t, caller, m.of(toCallee).from)
	assert.Equal(t, callee, m.of(toCaller).from)
	assert.Equal(t, callee, m.of(40000).from)
	assert.Equal(t, "OPUS", m.of(toCallee).codec(96))
	assert.Equal(t, events, m.of(toCallee).codec(101))
	assert.Equal(t, g722, m.of(40000).codec(9))
	assert.Equal(t, events, m.of(40000).codec(101), "the caller's offer was before the recording")
	assert.Empty(t, m.of(toCaller).codec(96))

	for name, text := range map[string]string{
		"nothing": "", "no pcap": "\n\nLabel: callee\n", "a line without end": "/x.pcap\n" + strings.Repeat("x", 1<<17),
		"too many lines": "/x.pcap\n" + strings.Repeat("\n", 100_001),
	} {
		_, err := readMetadata(strings.NewReader(text))
		assert.Error(t, err, name)
	}
	for _, call := range []string{"../c-1", "a/b", ".", "-x", ""} {
		m, err := readMetadata(strings.NewReader("/x/../y.pcap\ncall end time: now\n\n" + idKey + call + "\n"))
		require.NoError(t, err)
		assert.Empty(t, m.call)
		assert.Equal(t, "y.pcap", m.pcap)
	}
}

func FuzzMetadata(f *testing.F) {
	text, err := os.ReadFile("testdata/metadata.txt")
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readMetadata(bytes.NewReader(text))
		if err == nil && (strings.ContainsRune(m.pcap, '/') || m.call != "" && !id.MatchString(m.call)) {
			t.Fatalf("a path out of the spool: %+v", m)
		}
	})
}
