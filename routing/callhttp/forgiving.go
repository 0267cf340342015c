package callhttp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
)

// emergency finds an emergency call in a body that may be wrong in every other
// way. If the body names several callees, one that is an emergency number counts.
func (h *Handler) emergency(t callmodel.TenantID, body []byte) (callservice.Request, bool) {
	req, to := readable(body)
	for _, number := range to {
		byNumber := req
		byNumber.To, byNumber.Type = number, ""
		if help, ok := h.service.Emergency(t, byNumber); ok {
			return help, true
		}
	}
	if req.Type != "" {
		if help, ok := h.service.Emergency(t, req); ok {
			return help, true
		}
	}
	if json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return req, false
	}
	return h.scan(t, body, scanned(body))
}

// maxBeyond bounds what is looked through behind the largest body.
const maxBeyond = 8 << 20

// emergencyBeyond finds an emergency call in the rest of a body that is larger than
// it may be. It keeps no more than a little of it at a time.
func (h *Handler) emergencyBeyond(t callmodel.TenantID, body []byte, rest io.Reader) (callservice.Request, bool) {
	const overlap = 1 << 10 // longer than a field
	req := scanned(body)
	rest = io.LimitReader(rest, maxBeyond)
	window := append(make([]byte, 0, 64<<10), body[max(0, len(body)-overlap):]...)
	for {
		n, err := io.ReadFull(rest, window[len(window):cap(window)])
		window = window[:len(window)+n]
		if help, ok := h.scan(t, window, req); ok {
			return help, true
		}
		if err != nil {
			return req, false
		}
		window = window[:copy(window, window[len(window)-overlap:])]
	}
}

// scan looks through the text of a body that is broken, or longer than it may be,
// for what has the looks of a callee or a type. The rest of the call is req's.
func (h *Handler) scan(t callmodel.TenantID, body []byte, req callservice.Request) (callservice.Request, bool) {
	for at := 0; ; {
		to, next := field(body, "to", at)
		if next < 0 {
			break
		}
		byNumber := req
		byNumber.To, byNumber.Type, at = to, "", next
		if help, ok := h.service.Emergency(t, byNumber); ok {
			return help, true
		}
	}
	typ, _ := field(body, "type", 0)
	if req.Type = calls.Type(typ); typ == "" {
		return req, false
	}
	return h.service.Emergency(t, req)
}

// scanned is what has the looks of the most needed fields in a body that is no JSON.
func scanned(body []byte) callservice.Request {
	first := func(name string) string {
		value, _ := field(body, name, 0)
		return value
	}
	return callservice.Request{
		ID: callmodel.CallID(first("id")), From: first("from"), To: first("to"), Region: first("region"),
		Direction: calls.Direction(first("direction")), Host: first("host"), Trunk: first("trunk"),
	}
}

// field is the value behind the next name of a field from at on, and where it
// ends; next is -1 if there is none. Quotes may be of any kind or missing, and the
// sign between them may be that of JSON or of a form.
func field(body []byte, name string, at int) (value string, next int) {
	const quotes = " \t\r\n\"'`"
	for ; at+len(name) < len(body); at++ {
		if !bytes.EqualFold(body[at:at+len(name)], []byte(name)) || at > 0 && wordByte(body[at-1]) {
			continue
		}
		rest := bytes.TrimLeft(body[at+len(name):], quotes)
		if len(rest) == 0 || rest[0] != ':' && rest[0] != '=' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], quotes)
		next = len(body) - len(rest)
		if end := bytes.IndexAny(rest, "\"'`,}]&\r\n"); end >= 0 {
			rest = rest[:end]
		}
		return text([]byte(`"` + string(rest[:min(len(rest), maxField)]) + `"`)), next
	}
	return "", -1
}

const maxField = 512

func wordByte(c byte) bool {
	return c == '_' || c == '-' || c|0x20 >= 'a' && c|0x20 <= 'z' || c-'0' <= 9
}

// readable is what can be read of a body, up to where it stops being JSON. to is
// every callee that it names, should it name several.
func readable(body []byte) (req callservice.Request, to []string) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return req, nil
	}
	for dec.More() {
		tok, err := dec.Token()
		key, isString := tok.(string)
		var val json.RawMessage
		if err != nil || !isString || dec.Decode(&val) != nil {
			return req, to
		}
		switch strings.ToLower(key) {
		case "to":
			req.To = cmp.Or(text(val), req.To)
			to = append(to, text(val))
		case "from":
			req.From = text(val)
		case "id":
			req.ID = callmodel.CallID(text(val))
		case "region":
			req.Region = text(val)
		case "type":
			req.Type = calls.Type(text(val))
		case "direction":
			req.Direction = calls.Direction(text(val))
		case "host":
			req.Host = text(val)
		case "trunk":
			req.Trunk = text(val)
		case "capabilities":
			if json.Unmarshal(val, &req.Capabilities) != nil {
				req.Capabilities = nil
			}
		case "metadata":
			if json.Unmarshal(val, &req.Metadata) != nil {
				req.Metadata = nil
			}
		case "recording":
			if json.Unmarshal(val, &req.Recording) != nil {
				req.Recording = nil
			}
		}
	}
	return req, to
}

// text is a JSON string's value; a number is taken as it is written.
func text(val json.RawMessage) string {
	var s string
	var n json.Number
	switch {
	case json.Unmarshal(val, &s) == nil:
		return s
	case json.Unmarshal(val, &n) == nil:
		return n.String()
	}
	return ""
}
