package main

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The two parties, by the labels that the telephone server gives them.
const (
	caller = "caller"
	callee = "callee"
)

// idKey is in front of the API's id of the call in rtpengine's metadata.
const idKey = "switchtape_call:"

// id is what the API makes, and a name of a directory.
var id = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)

// metadata is what rtpengine says of a call that it recorded.
type metadata struct {
	pcap string // the file's name, without a directory
	call string // the API's id; "" if it isn't there
	// ports are those of rtpengine that a party sends to.
	ports map[uint16]port
	// answered are the codecs of the callee's first SDP.
	answered map[byte]string
}

// port is what an SDP says of a port.
type port struct {
	from   string          // who sends there: caller or callee
	codecs map[byte]string // by payload type, in capitals
}

// readMetadata reads a file of rtpengine 10.5, --recording-method=pcap:
//
//	/path/NAME.pcap
//	Label: callee         whose SDP follows, as rtpengine has sent it on
//	SDP mode: answer
//	…                     the SDP; the other party sends to its port
//	call end time: …
//	switchtape_call:ID    what the telephone server gave as metadata
//
// What parties wrote is in the SDPs alone, so the id is looked for behind them.
func readMetadata(r io.Reader) (*metadata, error) {
	const maxLine, maxLines = 1 << 16, 100_000
	m := &metadata{ports: map[uint16]port{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var label string
	var here *port
	inSDP, audio := false, false
	for n := 0; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		switch {
		case n == maxLines:
			return nil, fmt.Errorf("metadata of more than %d lines", maxLines)
		case n == 0:
			m.pcap = filepath.Base(line)
		case line == "":
			inSDP = false
		case line == "v=0" && label != "":
			inSDP, audio, here = true, false, &port{from: other(label), codecs: map[byte]string{}}
			if label == callee && m.answered == nil {
				m.answered = here.codecs
			}
		case inSDP && strings.HasPrefix(line, "m="):
			audio = strings.HasPrefix(line, "m=audio ")
			if number, err := strconv.ParseUint(field(line, 1), 10, 16); audio && err == nil && number > 0 {
				m.ports[uint16(number)] = *here
			}
		case inSDP && audio && strings.HasPrefix(line, "a=rtpmap:"):
			payloadType, name, _ := strings.Cut(strings.TrimPrefix(line, "a=rtpmap:"), " ")
			name, _, _ = strings.Cut(name, "/")
			if number, err := strconv.ParseUint(payloadType, 10, 7); err == nil {
				here.codecs[byte(number)] = strings.ToUpper(name)
			}
		case inSDP:
		case strings.HasPrefix(line, "Label: "):
			label = strings.TrimPrefix(line, "Label: ")
			if label != caller && label != callee {
				label = ""
			}
		case strings.HasPrefix(line, "call end time: "):
			m.call = ""
		default:
			for pair := range strings.SplitSeq(line, "|") {
				if found, ok := strings.CutPrefix(pair, idKey); ok && id.MatchString(found) {
					m.call = found
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if filepath.Ext(m.pcap) != ".pcap" {
		return nil, fmt.Errorf("its first line names no pcap: %q", m.pcap)
	}
	return m, nil
}

// of is what is known of a port. One that no SDP of the caller names is where the callee
// sends to: recording begins with the callee's answer, and so behind the caller's offer.
// An answer should have the numbers of the offer (RFC 3264 section 6.1): its codecs count there,
// too.
func (m *metadata) of(number uint16) port {
	if p, ok := m.ports[number]; ok {
		return p
	}
	return port{from: callee, codecs: m.answered}
}

// codec is that of a payload type at the port; "" if nothing says.
func (p port) codec(payloadType byte) string {
	if name := p.codecs[payloadType]; name != "" {
		return name
	}
	return staticCodec(payloadType)
}

func other(party string) string {
	if party == caller {
		return callee
	}
	return caller
}

func field(line string, n int) string {
	if fields := strings.Fields(line); n < len(fields) {
		return fields[n]
	}
	return ""
}
