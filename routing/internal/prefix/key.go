package prefix

import (
	"math/bits"
	"strings"
)

// A key is a prefix or a number in one word. Each symbol takes four bits, the
// first symbol the highest four: 1 to 10 stand for the digits 0 to 9, 11 and 12 for
// the star and the hash of codes like "*21#", and 0 for none. The lowest four bits count the symbols. Sorted by key, a prefix
// stands right before everything that begins with it.
//
// "1" and "1000" have different keys, because padding is never a digit.
const (
	keySymbols = 15
	// national is the first symbol of numbers without a plus. It is the symbol of
	// the digit 0, with which no country code begins.
	national = 1
	star     = 11
	hash     = 12
)

// KeyOf returns the key of a dialled number: of its digits, stars and hashes up to
// the first symbol that is none of them, with the highest count. plus reports a leading plus.
func KeyOf(number string) (key uint64, plus bool) {
	i, shift := 0, 60
	if number != "" && number[0] == '+' {
		i, plus = 1, true
		if len(number) > 1 && number[1] == '0' {
			return keySymbols, true
		}
	} else {
		key, shift = national<<60, 56
	}
	if plus && len(number) > 8 {
		if eight, ok := eightDigits(number[1:9]); ok {
			key, i, shift = eight<<32, 9, 28
		}
	}
	for ; i < len(number) && shift > 0; i++ {
		d := number[i] - '0'
		if d > 9 {
			if d = mark(number[i]); d == 0 || plus {
				break
			}
			d--
		}
		key |= uint64(d+1) << shift
		shift -= 4
	}
	return key | keySymbols, plus
}

// mark returns the symbol of a star or a hash, 0 for anything else.
func mark(c byte) byte {
	switch c {
	case '*':
		return star
	case '#':
		return hash
	}
	return 0
}

// eightDigits packs eight digits into symbols, all at once. It returns false if
// one of the eight bytes is no digit.
func eightDigits(s string) (uint64, bool) {
	const ones = 0x0101010101010101
	_ = s[7]
	w := uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
	// A byte is a digit if its high half is 3, also after 6 is added to it.
	if (w&(0xf0*ones))|((w+6*ones)&(0xf0*ones))>>4 != 0x33*ones {
		return 0, false
	}
	w = w&(0x0f*ones) + ones
	w = (w | w>>4) & 0x00ff00ff00ff00ff
	w = (w | w>>8) & 0x0000ffff0000ffff
	return (w | w>>16) & 0xffffffff, true
}

// Key returns the key of a valid prefix, or of a whole number as a prefix. "+"
// and "" have nodes of their own and no keys.
func Key(prefix string) uint64 {
	key, plus := KeyOf(prefix)
	n := uint64(len(prefix))
	if plus {
		n-- // the plus
	} else {
		n++ // the mark
	}
	return key&^keySymbols | n
}

// keyText is the inverse of Key.
func keyText(key uint64) string {
	var b strings.Builder
	n := int(key & keySymbols)
	for i := range n {
		s := byte(key >> (60 - 4*i) & 15)
		if i == 0 {
			if s == national {
				continue
			}
			b.WriteByte('+')
		}
		switch s {
		case star:
			b.WriteByte('*')
		case hash:
			b.WriteByte('#')
		default:
			b.WriteByte('0' + s - 1)
		}
	}
	return b.String()
}

// covers reports whether key begins with the prefix.
func covers(prefix, key uint64) bool { return sharedSymbols(prefix, key) >= int(prefix&keySymbols) }

// sharedSymbols returns how many leading symbols both keys share, 16 if they are equal.
func sharedSymbols(a, b uint64) int { return bits.LeadingZeros64(a^b) / 4 }
