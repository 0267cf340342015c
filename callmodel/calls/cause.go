package calls

// Cause is why a destination, or the call, came to its end. Give either.
type Cause struct {
	Q850 int    `json:"q850,omitzero"` // ITU-T Q.850 cause value, 1 to 127
	SIP  int    `json:"sip,omitzero"`  // SIP status code, 300 to 699
	Text string `json:"text,omitempty"`
}

// Retryable reports whether another destination may succeed where this cause
// ended an attempt. The called party's own answers (busy, declined, no such
// number) are final; the network's troubles are not.
// Values: ITU-T Q.850 (2018) table 1; RFC 3261 section 21.
func (c Cause) Retryable() bool {
	if c.SIP != 0 {
		switch c.SIP {
		case 404, 410, 484, 485, 486, 487, 600, 603, 604, 606, 607:
			return false
		}
		return c.SIP >= 400
	}
	switch c.Q850 {
	case 1, 16, 17, 19, 21, 22, 28, 31:
		return false
	}
	return true
}

// EmergencyNoRoute is the cause of an emergency call that has nowhere to go:
// Q.850's "no route to destination", with a text of its own to tell it by.
func EmergencyNoRoute() *Cause { return &Cause{Q850: 3, Text: FallbackNoRoute} }
