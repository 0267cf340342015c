package flac

// crc8Table and crc16Table are the checks of RFC 9639 § 9.1.8 and § 9.3:
// x^8+x^2+x+1 and x^16+x^15+x^2+1, both from zero, most significant bit first.
// crc16Table[j][b] is the check of the byte b and j zero bytes after it, so that
// eight bytes are taken at a time.
var (
	crc8Table  = makeCRC8()  //nolint:gochecknoglobals // a table that nothing writes
	crc16Table = makeCRC16() //nolint:gochecknoglobals // a table that nothing writes
)

func makeCRC8() (t [256]uint8) {
	for i := range t {
		c := uint8(i)
		for range 8 {
			carry := c >> 7
			c = c<<1 ^ carry*0x07
		}
		t[i] = c
	}
	return t
}

func makeCRC16() (t [8][256]uint16) {
	for i := range t[0] {
		c := uint16(i) << 8
		for range 8 {
			carry := c >> 15
			c = c<<1 ^ carry*0x8005
		}
		t[0][i] = c
	}
	for j := 1; j < len(t); j++ {
		for i := range t[j] {
			c := t[j-1][i]
			t[j][i] = c<<8 ^ t[0][c>>8]
		}
	}
	return t
}

func crc8(b []byte) (c uint8) {
	for _, x := range b {
		c = crc8Table[c^x]
	}
	return c
}

func crc16(b []byte) (c uint16) {
	t := &crc16Table
	for len(b) >= 8 {
		c = t[7][b[0]^uint8(c>>8)] ^ t[6][b[1]^uint8(c)] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
		b = b[8:]
	}
	for _, x := range b {
		c = c<<8 ^ t[0][uint8(c>>8)^x]
	}
	return c
}
