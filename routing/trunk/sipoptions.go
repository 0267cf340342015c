package trunk

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// SIPOptions is a Prober that sends OPTIONS over UDP (RFC 3261 section 11). Every
// answer shows that the other side takes requests, except 408 and 5xx other than 501
// and 505: many servers refuse OPTIONS and work all the same. Probes of URIs that
// need another transport, and of tel:, succeed without asking.
type SIPOptions struct {
	// From is the user@host of the From header. "" means "probe@invalid".
	From string
}

// Times of retransmission: T1 and its double (RFC 3261 section 17.1.2.1).
const (
	sipT1     = 500 * time.Millisecond
	sipT2     = 4 * time.Second
	maxAnswer = 64 << 10
)

// Probe implements Prober.
func (p SIPOptions) Probe(ctx context.Context, uri string) error {
	address, ok := udpAddress(uri)
	if !ok {
		return nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", address)
	if err != nil {
		return fmt.Errorf("probing %s: %w", uri, err)
	}
	defer conn.Close() //nolint:errcheck // nothing is buffered
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	id := rand.Text()
	from := p.From
	if from == "" {
		from = "probe@invalid"
	}
	request := fmt.Sprintf("OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContact: <sip:%s>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n",
		uri, conn.LocalAddr(), id, from, id[:8], uri, id, conn.LocalAddr())
	answer := make([]byte, maxAnswer)
	for wait := sipT1; ; wait = min(2*wait, sipT2) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("probing %s: no answer: %w", uri, err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			return fmt.Errorf("probing %s: %w", uri, err)
		}
		status, err := p.await(ctx, conn, answer, id, wait)
		if err != nil {
			return fmt.Errorf("probing %s: %w", uri, err)
		}
		if status != 0 {
			return verdictOf(uri, status)
		}
	}
}

// await returns the status of the final answer to the request, or 0 if none comes in
// time.
func (p SIPOptions) await(ctx context.Context, conn net.Conn, buf []byte, id string, wait time.Duration) (int, error) {
	timer := time.AfterFunc(wait, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		timer.Stop()
		if ctx.Err() == nil {
			_ = conn.SetReadDeadline(time.Time{})
		}
	}()
	for {
		n, err := conn.Read(buf)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // net.Error is what Read documents
			return 0, nil
		}
		if err != nil {
			return 0, err // refused: there is nobody
		}
		if status := sipStatus(buf[:n], id); status >= 200 {
			return status, nil
		}
	}
}

// sipStatus returns the status of an answer to the request with this Call-ID, else 0.
func sipStatus(b []byte, id string) int {
	rest, ok := bytes.CutPrefix(b, []byte("SIP/2.0 "))
	if !ok || len(rest) < 3 || !bytes.Contains(rest, []byte(id)) {
		return 0
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil || status < 100 || status > 699 {
		return 0
	}
	return status
}

func verdictOf(uri string, status int) error {
	if status == 408 || status >= 500 && status < 600 && status != 501 && status != 505 {
		return callmodel.Errorf(callmodel.CodeUnavailable, "probing %s: it answers %d", uri, status)
	}
	return nil
}

// udpAddress returns the address of a SIP URI over UDP. It doesn't look up the SRV
// records of RFC 3263, since trunks are given by host and port.
func udpAddress(uri string) (string, bool) {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !strings.EqualFold(scheme, "sip") {
		return "", false
	}
	host, params, _ := strings.Cut(rest, ";")
	if strings.Contains(strings.ToLower(params), "transport=") && !strings.Contains(strings.ToLower(params), "transport=udp") {
		return "", false
	}
	host, _, _ = strings.Cut(host, "?")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host, true
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "5060"), host != ""
}
