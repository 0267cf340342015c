package normalize

// ParseInFull is Parse without the shorter way for numbers that are plain.
func (n *Numbering) ParseInFull(raw, region string) (Number, error) {
	return n.parse(raw, region, func(reason string) (Number, error) {
		return Number{}, &Error{Raw: raw, Region: region, Reason: reason}
	})
}
